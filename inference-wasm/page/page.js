// The page's main thread: numbers and delivers every event, takes commands from the host, and
// stays alive while the worker computes. It runs no model code itself, unless its address says
// `thread=main`.

import { Outbox } from "./outbox.js";
import { inWorker, onThisThread } from "./place.js";
import { Pool } from "./pool.js";
import { probe } from "./probe.js";

// What a page without WebAssembly says. One with it says what its bundle was built with; a test
// of the bundle builder compares the two.
const PROTOCOL = 3;

// The module and its place are chosen before any command can come: what is wanted stands in the
// page's address, as in `?bundle=threads&threads=4` or `?thread=main`.
const wanted = new URLSearchParams(location.search);
const isOnThisThread = wanted.get("thread") === "main";
const outbox = new Outbox(new URL("events", document.baseURI));
// The id of the command at work.
let current = null;
// Why no command can be taken: still starting, or the worker is dead.
let unavailable = "the page is not ready yet";
// Why the engine can't run in this browser; the page itself can still be asked to probe.
let withoutEngine = null;

function show(text) {
  document.getElementById("state").textContent = text;
}

function send(command, kind, ends = false) {
  outbox.add(command, JSON.stringify(kind), ends);
  if (ends) current = null;
}

function describe(value) {
  return value instanceof Error ? `${value.name}: ${value.message}` : String(value);
}

function pageError(message, source) {
  outbox.add(current, JSON.stringify({ type: "page-error", message: String(message), source }), true);
}

function place(event) {
  return `${event.filename ?? ""}:${event.lineno ?? 0}:${event.colno ?? 0}`;
}

addEventListener("error", (event) => {
  // A resource that fails to load raises an `error` without a message.
  const message = event.message ?? `could not load ${event.target?.src ?? "a resource"}`;
  pageError(message, place(event));
  if (isOnThisThread) dead(message);
});
addEventListener("unhandledrejection", (event) => {
  const reason = describe(event.reason);
  send(current, { type: "unhandled-rejection", reason });
  if (isOnThisThread) dead(reason);
});

function ready(protocol) {
  unavailable = null;
  send(null, {
    type: "ready",
    protocol,
    user_agent: navigator.userAgent,
    cross_origin_isolated: globalThis.crossOriginIsolated === true,
  });
  // A timer of this thread: it goes on while the worker computes or hangs.
  setInterval(() => send(null, { type: "heartbeat" }), 1000);
  show(withoutEngine ? `ready, without an engine: ${withoutEngine}` : "ready");
}

// After an uncaught error the module's memory is in no known state: nothing more runs in it.
function dead(why) {
  unavailable = `${engine.name} is dead: ${why}`;
  current = null;
  pool.stop();
  show(unavailable);
}

// A thread that fails takes the engine with it, which waits for that thread.
function threadDies(why) {
  dead(why);
  engine.stop();
}

const pool = new Pool(
  (panic) => {
    outbox.add(current, panic, true);
    threadDies("the engine panicked");
  },
  (message, source) => {
    pageError(message, source);
    threadDies(message);
  },
);

async function startThreads({ count, share }) {
  engine.post({ type: "threads-started", trouble: await pool.start(count, share) });
}

function take(data) {
  switch (data.type) {
    case "ready":
      ready(data.protocol);
      break;
    case "without-engine":
      withoutEngine = data.reason;
      ready(PROTOCOL);
      break;
    case "start-threads":
      startThreads(data);
      break;
    case "event":
      // Already JSON: parsed here, 64-bit counters would lose their last digits.
      outbox.add(data.command, data.kind, data.fate !== "goes-on");
      if (data.fate === "ends") current = null;
      if (data.fate === "dies") dead("the engine panicked");
      break;
    case "error":
      pageError(data.message, data.source);
      dead(data.message);
      break;
    case "lost":
      pageError(data.message, data.source);
      break;
    case "rejection":
      send(current, { type: "unhandled-rejection", reason: data.reason });
      dead(data.reason);
      break;
  }
}

const engine = isOnThisThread ? onThisThread(take) : inWorker(take);
engine.post({
  type: "start",
  base: document.baseURI,
  bundle: wanted.get("bundle") ?? "auto",
  threads: Number(wanted.get("threads") ?? 1),
});

async function runProbe(command) {
  send(command, { type: "phase", phase: "probe" });
  const report = await probe();
  send(command, { type: "finished", result: { of: "probe", ...report } }, true);
}

// What the host calls over WebDriver. Everything returns at once; results come as events.
globalThis.tierproof = Object.freeze({
  version: PROTOCOL,

  // Takes a command as JSON text. Returns null, or why the command was not taken.
  submit(text) {
    if (unavailable !== null) return unavailable;
    if (current !== null) return `command ${current} is still at work`;
    let command;
    try {
      command = JSON.parse(text);
    } catch (error) {
      return `the command is not JSON: ${error.message}`;
    }
    const id = command?.id;
    if (!Number.isInteger(id) || id < 0 || id > 0xffffffff) {
      return `the command's \`id\` is ${JSON.stringify(id)}, expected an unsigned 32-bit integer`;
    }
    current = id;
    if (command.action?.do === "probe") {
      runProbe(id);
    } else if (withoutEngine) {
      const message = `the engine can't run in this browser: ${withoutEngine}`;
      const error = { kind: "backend-unavailable", message, hint: null };
      send(id, { type: "failed", error }, true);
    } else {
      engine.post({ type: "submit", id, text });
    }
    return null;
  },

  // Asks the command at work to end. It does so at the next token.
  cancel() {
    engine.post({ type: "cancel" });
    return null;
  },
});
