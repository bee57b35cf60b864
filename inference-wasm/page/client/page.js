// A page with the hybrid client, driven by a host: takes commands, delivers every event.
//
//   page.js      this: the host's end
//   client.js    the client for any application: the state machine, and who carries out its effects
//   device.js    one device: a worker, or this thread, with an engine that is told its tier
//   weights.js   shards: what storage has, fetching, hashing
//   storage.js   the three places where a browser keeps bytes, and memory
//   download.js  one shard over the network
//   trial.js     whether a thread gets a device at all
//   server.js    the server tier
//   detect.js    what the device can do
//   plain.js     what is left of a client in a browser without WebAssembly
//   shims.js     what a test puts between the browser and all of that
//
// The state machine itself is `src/client`, in WebAssembly. Nothing here decides anything that it
// could decide.

import { Outbox } from "../outbox.js";
import { probe } from "../probe.js";
import { createClient } from "./client.js";
import { Shims } from "./shims.js";

const PROTOCOL = 3;
// Somebody waits for these.
const URGENT = new Set(["transition", "answer", "fail", "ask-consent"]);

const outbox = new Outbox(new URL("events", document.baseURI));
let isStarted = false;
let client = null;
let shims = new Shims();

const send = (command, kind, isUrgent = false) =>
  outbox.add(command, JSON.stringify(kind), isUrgent);

addEventListener("error", (event) => {
  const message = event.message ?? `could not load ${event.target?.src ?? "a resource"}`;
  const source = `${event.filename ?? ""}:${event.lineno ?? 0}:${event.colno ?? 0}`;
  send(null, { type: "page-error", message: String(message), source }, true);
  client?.pageFailed(event.error);
});
addEventListener("unhandledrejection", ({ reason }) => {
  const text = reason instanceof Error ? `${reason.name}: ${reason.message}` : String(reason);
  send(null, { type: "unhandled-rejection", reason: text }, true);
  client?.pageFailed(reason);
});

// What the client has to say, as events.
const listener = {
  effect(effect) {
    send(null, { type: "client", effect }, URGENT.has(effect.effect));
    if (effect.effect === "transition") {
      document.getElementById("state").textContent = `${effect.transition.to}`;
    }
  },
  ran: (run) => send(null, { type: "client-ran", run }, true),
  injected: (shim, detail) => send(null, { type: "injected", shim, detail }, true),
};

async function start(request) {
  if (isStarted) throw new Error("a client was started before");
  isStarted = true;
  const started = { of: "client-started", time_origin_ms: performance.timeOrigin };
  shims = await Shims.install(request.shims, "page", document.baseURI, listener.injected);
  client = await createClient(request, document.baseURI, shims, listener);
  client.input({ input: "start" });
  return started;
}

async function act(action) {
  switch (action.act) {
    case "start":
      return start(action);
    case "input":
      client.input(action.input);
      return { of: "client-told" };
    case "trigger":
      await Promise.all([shims.trigger(action.shim, action.params), client.trigger(action.shim, action.params)]);
      return { of: "client-told" };
    case "inspect":
      return { of: "client-inspected", ...(await client.inspect()) };
    default:
      throw new Error(`a client can't be asked to \`${action.act}\``);
  }
}

async function carryOut({ id, action }) {
  try {
    let result;
    if (action.do === "probe") {
      send(id, { type: "phase", phase: "probe" });
      result = { of: "probe", ...(await probe()) };
    } else if (action.do === "client") {
      if (client === null && action.act !== "start") throw new Error("no client was started");
      result = await act(action);
    } else {
      throw new Error(`this page runs a hybrid client and can't \`${action.do}\``);
    }
    send(id, { type: "finished", result }, true);
  } catch (error) {
    const message = String(error?.message ?? error);
    const failed = { kind: "invalid-request", message, hint: null };
    send(id, { type: "failed", error: failed }, true);
  }
}

globalThis.tierproof = Object.freeze({
  version: PROTOCOL,

  // Takes a command as JSON text. Returns null, or why the command was not taken.
  submit(text) {
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
    carryOut(command);
    return null;
  },

  // Commands of a client end at once; a request is cancelled by an input.
  cancel: () => null,
});

send(null, {
  type: "ready",
  protocol: PROTOCOL,
  user_agent: navigator.userAgent,
  cross_origin_isolated: globalThis.crossOriginIsolated === true,
}, true);
setInterval(() => send(null, { type: "heartbeat" }), 1000);
