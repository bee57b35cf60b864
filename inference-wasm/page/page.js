// The page's main thread: numbers and delivers every event, takes commands from the host, and stays
// alive while the worker computes. It runs no model code itself unless its address says
// `thread=main`.

import { Outbox } from "./outbox.js";
import { inWorker, onThisThread } from "./place.js";
import { Pool } from "./pool.js";
import { probe } from "./probe.js";

/** @import { BundleName, Command, PageEventKind } from "../types/protocol.d.ts" */
/** @import { FromEngine, PoolShare } from "../types/page.d.ts" */

// Reported by a page without WebAssembly. Otherwise the bundle reports the version that it was built
// with; a test of the bundle builder compares the two.
const PROTOCOL = 3;

// The bundle and its thread are chosen before any command can come. The page's address names them,
// as in `?bundle=threads&threads=4` or `?thread=main`.
const wanted = new URLSearchParams(location.search);
const isOnThisThread = wanted.get("thread") === "main";
const outbox = new Outbox(new URL("events", document.baseURI));
/**
 * The id of the command at work.
 *
 * @type {number | null}
 */
let current = null;
/**
 * Why no command can be taken: the page is still starting, or the engine is dead.
 *
 * @type {string | null}
 */
let unavailable = "the page is not ready yet";
/**
 * Why the engine can't run in this browser. The page can still be asked to probe.
 *
 * @type {string | null}
 */
let withoutEngine = null;

/** @param {string} text */
function show(text) {
  /** @type {HTMLElement} */ (document.getElementById("state")).textContent = text;
}

/**
 * @param {number | null} command
 * @param {PageEventKind} kind
 */
function send(command, kind, ends = false) {
  outbox.add(command, JSON.stringify(kind), ends);
  if (ends) current = null;
}

/** @param {unknown} value */
function describe(value) {
  return value instanceof Error ? `${value.name}: ${value.message}` : String(value);
}

/**
 * @param {string} message
 * @param {string} source
 */
function pageError(message, source) {
  /** @type {PageEventKind} */
  const kind = { type: "page-error", message: String(message), source };
  outbox.add(current, JSON.stringify(kind), true);
}

/** @param {ErrorEvent} event */
function place(event) {
  return `${event.filename ?? ""}:${event.lineno ?? 0}:${event.colno ?? 0}`;
}

addEventListener("error", (event) => {
  // A resource that fails to load raises an `error` without a message.
  const { src } = /** @type {{ src?: string }} */ (event.target ?? {});
  const message = event.message ?? `could not load ${src ?? "a resource"}`;
  pageError(message, place(event));
  if (isOnThisThread) dead(message);
});
addEventListener("unhandledrejection", (event) => {
  const reason = describe(event.reason);
  send(current, { type: "unhandled-rejection", reason });
  if (isOnThisThread) dead(reason);
});

/** @param {number} protocol */
function ready(protocol) {
  unavailable = null;
  send(null, {
    type: "ready",
    protocol,
    user_agent: navigator.userAgent,
    cross_origin_isolated: globalThis.crossOriginIsolated === true,
  });
  // On this thread, so that it continues while the worker computes or hangs.
  setInterval(() => send(null, { type: "heartbeat" }), 1000);
  show(withoutEngine ? `ready, without an engine: ${withoutEngine}` : "ready");
}

/**
 * After an uncaught error the module's memory is in an unknown state, so nothing more runs in it.
 *
 * @param {string} why
 */
function dead(why) {
  unavailable = `${engine.name} is dead: ${why}`;
  current = null;
  pool.stop();
  show(unavailable);
}

/**
 * A thread that fails takes the engine with it, which waits for that thread.
 *
 * @param {string} why
 */
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

/** @param {{ count: number, share: PoolShare }} threads */
async function startThreads({ count, share }) {
  engine.post({ type: "threads-started", trouble: await pool.start(count, share) });
}

/** @param {FromEngine} data */
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
      // JSON text, and not parsed here: 64-bit counters would lose their last digits.
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
  bundle: /** @type {BundleName | null} */ (wanted.get("bundle")) ?? "auto",
  threads: Number(wanted.get("threads") ?? 1),
});

/** @param {number} command */
async function runProbe(command) {
  send(command, { type: "phase", phase: "probe" });
  const report = await probe();
  send(command, { type: "finished", result: { of: "probe", ...report } }, true);
}

// The host calls these over WebDriver. They return at once; results come as events.
globalThis.tierproof = Object.freeze({
  version: PROTOCOL,

  /** @param {string} text */
  submit(text) {
    if (unavailable !== null) return unavailable;
    if (current !== null) return `command ${current} is still at work`;
    /** @type {Command} */
    let command;
    try {
      command = JSON.parse(text);
    } catch (error) {
      return `the command is not JSON: ${/** @type {Error} */ (error).message}`;
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
      send(id, { type: "failed", error: { kind: "backend-unavailable", message, hint: null } }, true);
    } else {
      engine.post({ type: "submit", id, text });
    }
    return null;
  },

  // Asks the command at work to end, which it does at the next token.
  cancel() {
    engine.post({ type: "cancel" });
    return null;
  },
});
