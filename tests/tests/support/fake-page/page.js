// Speaks the protocol of a page, without an engine.

/** @import { Action, Command, Finished, ModelManifest, PageEvent, PageEventKind } from "../../../../inference-wasm/types/protocol.d.ts" */

let seq = 0;
/** @type {Promise<unknown>} */
let chain = Promise.resolve();

/**
 * @param {number | null} command
 * @param {PageEventKind} kind
 */
function send(command, kind) {
  /** @type {PageEvent} */
  const event = { seq: seq++, at_ms: performance.now(), command, kind };
  chain = chain.then(() =>
    fetch("events", { method: "POST", body: JSON.stringify([event]) }));
  return chain;
}

/** @param {number} id */
async function generate(id) {
  await send(id, { type: "phase", phase: "decode" });
  const logits = new Float32Array([0.5, -1.25, 3.0e38]);
  await fetch(`logits/${id}`, { method: "POST", body: logits });
  await send(id, { type: "token", index: 0, id: 284, text: "Grüße" });
}

/**
 * @param {number} id
 * @param {ModelManifest} model
 */
async function load(id, model) {
  let bytes = 0;
  for (const shard of model.shards) {
    const response = await fetch(shard.url);
    if (!response.ok) {
      const message = `HTTP status ${response.status}`;
      await send(id, { type: "failed", error: { kind: "shard-unavailable", message } });
      return;
    }
    bytes += (await response.arrayBuffer()).byteLength;
    await send(id, { type: "load-progress", bytes, total_bytes: model.bytes });
  }
}

/** @param {number} id */
async function probe(id) {
  const threads = typeof SharedArrayBuffer !== "undefined" && crossOriginIsolated;
  const canvas = document.createElement("canvas").getContext("webgl2") !== null;
  /** @type {Finished} */
  const result = {
    of: "probe",
    user_agent: navigator.userAgent,
    cross_origin_isolated: crossOriginIsolated,
    wasm: { present: typeof WebAssembly !== "undefined", threads },
    webgpu: { present: "gpu" in navigator },
    webgl2: { present: canvas },
  };
  await send(id, { type: "finished", result });
}

/**
 * @param {number} id
 * @param {Action} action
 */
function perform(id, action) {
  switch (action.do) {
    case "probe":
      probe(id);
      return undefined;
    case "generate":
      generate(id);
      return undefined;
    case "load":
      load(id, action.model);
      return undefined;
    default:
      return `this page can't ${action.do}`;
  }
}

globalThis.tierproof = {
  submit(json) {
    /** @type {Command} */
    const { id, action } = JSON.parse(json);
    return perform(id, action);
  },
  cancel() {
    send(null, { type: "heartbeat" });
    return undefined;
  },
};

send(null, {
  type: "ready",
  protocol: 3,
  user_agent: navigator.userAgent,
  cross_origin_isolated: crossOriginIsolated,
});
