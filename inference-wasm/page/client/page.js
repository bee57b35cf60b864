// A page with the hybrid client, driven by a host: takes commands and delivers every event.
//
//   page.js      this file: the host's end
//   client.js    the client for any application: runs the state machine and carries out its effects
//   device.js    one device: a worker, or this thread, with an engine for one tier
//   weights.js   shards: storage, fetching, hashing
//   storage.js   the three places where a browser keeps bytes
//   download.js  one shard over the network
//   trial.js     whether a thread gets a device at all
//   server.js    the server tier
//   detect.js    the device's capabilities
//   plain.js     the client in a browser without WebAssembly
//   shims.js     scripts that a test puts between the browser and all of the above
//
// The state machine itself is `src/client`, in WebAssembly. It makes every decision that it can.

import { Outbox } from "../outbox.js";
import { probe } from "../probe.js";
import { createClient } from "./client.js";
import { Shims } from "./shims.js";

/** @import { ClientAction, Command, Effect } from "../../types/protocol.d.ts" */
/** @import { Finished, PageEventKind } from "../../types/protocol.d.ts" */
/** @import { AnyClient, ClientStart, Listener } from "../../types/page.d.ts" */

const PROTOCOL = 3;
// The host waits for these.
/** @type {Set<Effect["effect"]>} */
const URGENT = new Set(["transition", "answer", "fail", "ask-consent"]);

const outbox = new Outbox(new URL("events", document.baseURI));
let isStarted = false;
/** @type {AnyClient | null} */
let client = null;
let shims = new Shims();

/**
 * @param {number | null} command
 * @param {PageEventKind} kind
 */
const send = (command, kind, isUrgent = false) =>
  outbox.add(command, JSON.stringify(kind), isUrgent);

addEventListener("error", (event) => {
  const { src } = /** @type {{ src?: string }} */ (event.target ?? {});
  const message = event.message ?? `could not load ${src ?? "a resource"}`;
  const source = `${event.filename ?? ""}:${event.lineno ?? 0}:${event.colno ?? 0}`;
  send(null, { type: "page-error", message: String(message), source }, true);
  client?.pageFailed(event.error);
});
addEventListener("unhandledrejection", ({ reason }) => {
  const text = reason instanceof Error ? `${reason.name}: ${reason.message}` : String(reason);
  send(null, { type: "unhandled-rejection", reason: text }, true);
  client?.pageFailed(reason);
});

// Sends everything that the client reports as events.
/** @type {Required<Listener>} */
const listener = {
  effect(effect) {
    send(null, { type: "client", effect }, URGENT.has(effect.effect));
    if (effect.effect === "transition") {
      const state = /** @type {HTMLElement} */ (document.getElementById("state"));
      state.textContent = `${effect.transition.to}`;
    }
  },
  ran: (run) => send(null, { type: "client-ran", run }, true),
  injected: (shim, detail) => send(null, { type: "injected", shim, detail }, true),
};

/**
 * @param {ClientStart} request
 * @returns {Promise<Finished>}
 */
async function start(request) {
  if (isStarted) throw new Error("a client was started before");
  isStarted = true;
  const started = { of: /** @type {const} */ ("client-started"), time_origin_ms: performance.timeOrigin };
  shims = await Shims.install(request.shims, "page", document.baseURI, listener.injected);
  client = await createClient(request, document.baseURI, shims, listener);
  client.input({ input: "start" });
  return started;
}

/**
 * @param {ClientAction} action
 * @returns {Promise<Finished>}
 */
async function act(action) {
  if (action.act === "start") return start(action);
  if (client === null) throw new Error("no client was started");
  switch (action.act) {
    case "input":
      client.input(action.input);
      return { of: "client-told" };
    case "trigger":
      await Promise.all([shims.trigger(action.shim, action.params), client.trigger(action.shim, action.params)]);
      return { of: "client-told" };
    case "inspect":
      return { of: "client-inspected", ...(await client.inspect()) };
    default:
      throw new Error(`a client can't be asked to \`${/** @type {{ act: string }} */ (action).act}\``);
  }
}

/** @param {Command} command */
async function carryOut({ id, action }) {
  try {
    /** @type {Finished} */
    let result;
    if (action.do === "probe") {
      send(id, { type: "phase", phase: "probe" });
      result = { of: "probe", ...(await probe()) };
    } else if (action.do === "client") {
      result = await act(action);
    } else {
      throw new Error(`this page runs a hybrid client and can't \`${action.do}\``);
    }
    send(id, { type: "finished", result }, true);
  } catch (error) {
    const message = String(/** @type {Error | undefined} */ (error)?.message ?? error);
    send(id, { type: "failed", error: { kind: "invalid-request", message, hint: null } }, true);
  }
}

globalThis.tierproof = Object.freeze({
  version: PROTOCOL,

  /** @param {string} text */
  submit(text) {
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
    carryOut(command);
    return null;
  },

  // Commands to a client end at once. An input cancels a request.
  cancel: () => null,
});

send(null, {
  type: "ready",
  protocol: PROTOCOL,
  user_agent: navigator.userAgent,
  cross_origin_isolated: globalThis.crossOriginIsolated === true,
}, true);
setInterval(() => send(null, { type: "heartbeat" }), 1000);
