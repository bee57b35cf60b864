// wllama: llama.cpp as WebAssembly, in a worker of its own. It takes a prompt as text alone.

import { Wllama } from "./wllama/index.min.js";

const asset = (path) => new URL(path, document.baseURI).href;

let wllama = null;
let isCompat = false;

export const adapter = {
  wantsFile: true,

  async load(_name, file, { contextTokens, threads }) {
    const quiet = () => {};
    const logger = { debug: quiet, log: quiet, warn: console.warn, error: console.error };
    // Files come from us, so it needs no storage; WebKit without a window has none to offer.
    const without = { cacheManager: {}, modelManager: {} };
    wllama = new Wllama({ default: asset("wllama/wllama.wasm") }, { logger, ...without });
    // Its own build for browsers without JSPI or memory64, and its own choice of when to use it.
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
    let text = "";
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
    const { timings, usage } = last;
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
