// Wraps a peer in tierproof's protocol: takes the host's commands, runs them through the adapter, and
// stamps every token with this page's clock. Only adapter.js knows the peer's API.

import { Outbox } from "./outbox.js";

/** @import { BackendName, Command, Finished } from "../../../../inference-wasm/types/protocol.d.ts" */
/** @import { GenerateRequest, LoadRequest, ModelManifest, PageEventKind } from "../../../../inference-wasm/types/protocol.d.ts" */
/** @import { Adapter, OnToken } from "./adapter.js" */

const PROTOCOL = 3;
const outbox = new Outbox(new URL("events", document.baseURI));
/** @type {number | null} */
let current = null;
/** @type {Adapter | null} */
let adapter = null;
/**
 * The backend that the model was loaded for.
 *
 * @type {BackendName}
 */
let requested = "wasm";

/**
 * @param {number | null} command
 * @param {PageEventKind} kind
 */
function send(command, kind, ends = false) {
  outbox.add(command, JSON.stringify(kind), ends);
}

/** @param {unknown} value */
function describe(value) {
  return value instanceof Error ? `${value.name}: ${value.message}` : String(value);
}

addEventListener("error", (event) => {
  const source = `${event.filename ?? ""}:${event.lineno ?? 0}`;
  send(current, { type: "page-error", message: event.message ?? "a resource is missing", source });
});
addEventListener("unhandledrejection", (event) => {
  send(current, { type: "unhandled-rejection", reason: describe(event.reason) });
});

/**
 * Fetches the model file as one Blob, which is what peers take.
 *
 * @param {number} command
 * @param {ModelManifest} model
 */
async function fetchModel(command, { shards, bytes: total_bytes }) {
  send(command, { type: "phase", phase: "fetch" });
  const parts = [];
  let bytes = 0;
  for (const { url } of shards) {
    const response = await fetch(new URL(url, document.baseURI));
    if (!response.ok) throw new Error(`${url}: HTTP ${response.status}`);
    const part = await response.blob();
    parts.push(part);
    bytes += part.size;
    send(command, { type: "load-progress", bytes, total_bytes });
  }
  return new Blob(parts);
}

/**
 * @param {Adapter} adapter
 * @param {number} command
 * @param {LoadRequest} request
 * @returns {Promise<Finished>}
 */
async function load(adapter, command, request) {
  const began = performance.now();
  const file = adapter.wantsFile ? await fetchModel(command, request.model) : null;
  const fetched = performance.now();
  send(command, { type: "phase", phase: "prepare" });
  const { context_tokens: contextTokens, backend } = request;
  const options = { contextTokens, backend, threads: request.threads ?? 1 };
  requested = backend;
  await adapter.load(request.model.name, file, options);
  return {
    of: "load",
    architecture: "",
    parameters: 0,
    vocabulary: 0,
    context_tokens: request.context_tokens ?? 0,
    weight_bytes: 0,
    cache_bytes: 0,
    has_chat_template: false,
    fetch_ms: fetched - began,
    prepare_ms: performance.now() - fetched,
  };
}

/**
 * @param {Adapter} adapter
 * @param {number} command
 * @param {GenerateRequest} request
 * @returns {Promise<Finished>}
 */
async function generate(adapter, command, request) {
  let index = 0;
  const began = performance.now();
  let first = began;
  /** @type {OnToken} */
  const onToken = (id, text) => {
    if (index === 0) first = performance.now();
    send(command, { type: "token", index, id, text });
    index += 1;
  };
  send(command, { type: "phase", phase: "prefill" });
  const { prompt, max_tokens, ignore_stop } = request;
  const input = promptOf(prompt);
  const answer = await adapter.generate(input, max_tokens, ignore_stop ?? false, onToken);
  const ended = performance.now();
  return {
    of: "generate",
    // If the peer doesn't report ids, only their number is known.
    prompt_ids: new Array(answer.promptTokens).fill(0),
    reused_tokens: answer.reusedTokens ?? 0,
    generated_ids: answer.ids ?? new Array(answer.newTokens).fill(0),
    text: answer.text ?? "",
    finish_reason: "length",
    timings: {
      prefill_ms: answer.prefillMs ?? first - began,
      prefill_tokens: answer.promptTokens,
      first_token_ms: first - began,
      decode_ms: answer.decodeMs ?? ended - first,
      decode_tokens: Math.max(answer.newTokens - 1, 0),
      decode_dispatches: answer.decodeDispatches ?? 0,
    },
    execution: {
      requested,
      actual: answer.backend ?? "wasm",
      target: "wasm32",
      bundle: answer.build,
      simd: "simd128",
      effective_threads: answer.threads,
      memory_bytes: answer.memoryBytes ?? null,
      kernel_calls: 0,
      gpu_dispatches: answer.dispatches ?? 0,
      adapter: answer.gpu?.name ?? null,
      // As the browser flags it; the host knows the names of software adapters.
      adapter_is_software: answer.gpu?.isFallback ?? null,
      limits_sha256: null,
      canary: { bits: 0 },
    },
  };
}

/** @param {GenerateRequest["prompt"]} prompt */
function promptOf(prompt) {
  if ("ids" in prompt) return prompt.ids;
  if ("raw" in prompt) return prompt.raw;
  throw new Error("a peer takes a prompt as ids or as raw text");
}

/**
 * @param {Adapter} adapter
 * @param {Command} command
 */
async function run(adapter, { id, action }) {
  try {
    let result;
    if (action.do === "load") result = await load(adapter, id, action);
    else if (action.do === "generate") result = await generate(adapter, id, action);
    else throw new Error(`this page doesn't take the command \`${action.do}\``);
    current = null;
    send(id, { type: "finished", result }, true);
  } catch (error) {
    current = null;
    const message = describe(error);
    send(id, { type: "failed", error: { kind: "unsupported-model", message, hint: null } }, true);
  }
}

globalThis.tierproof = Object.freeze({
  /** @param {string} text */
  submit(text) {
    if (adapter === null) return "the page is not ready yet";
    if (current !== null) return `command ${current} is still at work`;
    /** @type {Command} */
    const command = JSON.parse(text);
    current = command.id;
    run(adapter, command);
    return null;
  },

  // A peer ends with its page.
  cancel() {
    return null;
  },
});

try {
  adapter = (await import("./adapter.js")).adapter;
  await adapter.start?.();
  send(null, {
    type: "ready",
    protocol: PROTOCOL,
    user_agent: navigator.userAgent,
    cross_origin_isolated: globalThis.crossOriginIsolated === true,
  });
  setInterval(() => send(null, { type: "heartbeat" }), 1000);
} catch (error) {
  send(null, { type: "page-error", message: describe(error), source: "adapter.js" });
}
