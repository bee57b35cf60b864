// The adapter for wllama: llama.cpp as WebAssembly, in a worker of its own. It takes only text as a
// prompt.

import { Wllama } from "./wllama/index.min.js";

/** @import { Adapter } from "./adapter.js" */
/** @import { Chunk } from "./wllama/index.min.js" */

/** @param {string} path */
const asset = (path) => new URL(path, document.baseURI).href;

/** @type {Wllama | null} */
let wllama = null;
let isCompat = false;

/** @type {Adapter} */
export const adapter = {
  wantsFile: true,

  async load(_name, file, { contextTokens, threads }) {
    const quiet = () => {};
    const logger = { debug: quiet, log: quiet, warn: console.warn, error: console.error };
    // It gets its file from this page, so it needs no storage, which WebKit without a window lacks.
    const without = { cacheManager: {}, modelManager: {} };
    wllama = new Wllama({ default: asset("wllama/wllama.wasm") }, { logger, ...without });
    // Its build for browsers without JSPI or memory64. wllama decides when to use it.
    const compat = { worker: asset("compat/wllama.js"), wasm: asset("compat/wllama.wasm") };
    wllama.setCompat(compat);
    isCompat = wllama.getWorkerResources?.().compat === true;
    await wllama.loadModel([file], {
      n_ctx: contextTokens ?? 0,
      n_threads: threads,
      n_gpu_layers: 0,
    });
  },

  async generate(prompt, max_tokens, ignore_eos, onToken) {
    if (wllama === null) throw new Error("no model is loaded");
    if (typeof prompt !== "string") throw new Error("wllama takes a prompt as text");
    let text = "";
    /** @type {Chunk | null} */
    let last = null;
    await wllama.createCompletion({
      prompt,
      max_tokens,
      ignore_eos,
      temperature: 0,
      top_k: 1,
      cache_prompt: false,
      stream: true,
      onData(chunk) {
        const piece = chunk.choices?.[0]?.text ?? "";
        if (piece !== "") {
          onToken(0, piece);
          text += piece;
        }
        if (chunk.timings) last = chunk;
      },
    });
    const { timings, usage } = /** @type {Chunk} */ (last ?? {});
    if (timings === undefined) throw new Error("wllama reported no timings");
    return {
      promptTokens: usage?.prompt_tokens ?? timings.prompt_n,
      reusedTokens: timings.cache_n,
      newTokens: usage?.completion_tokens ?? timings.predicted_n,
      text,
      prefillMs: timings.prompt_ms,
      decodeMs: timings.predicted_ms,
      threads: wllama.getNumThreads(),
      build: `${isCompat ? "compat" : "default"}, llama.cpp ${Wllama.getLibllamaVersion()}`,
    };
  },
};
