// The worker in which Transformers.js computes. The model is served beside the page, in onnx/NAME/.
// On WebGPU it asks for the adapter's name and counts dispatches: a request for the GPU does not
// prove that the library used it.

/** @import { BackendName } from "../../../../inference-wasm/types/protocol.d.ts" */
/** @import { Gpu, PeerAnswer } from "./adapter.js" */
/** @import { Library, Model } from "./transformers/transformers.min.js" */

/** @typedef {{ do: "start", base: string }} StartJob */
/** @typedef {{ do: "load", name: string, threads: number, backend: BackendName }} LoadJob */
/**
 * @typedef {{
 *   do: "generate",
 *   ids: number[],
 *   maxTokens: number,
 *   ignoreStop: boolean,
 * }} GenerateJob
 */
/** @typedef {StartJob | LoadJob | GenerateJob} Job */
/** @typedef {{ token: number } | { result: unknown } | { error: string }} FromWorker */

/** @type {Library | null} */
let library = null;
/** @type {Model | null} */
let model = null;
let threads = 1;
/** @type {BackendName} */
let backend = "wasm";
/** @type {Gpu | null} */
let gpu = null;
let dispatches = 0;

function countDispatches() {
  const pass = globalThis.GPUComputePassEncoder?.prototype;
  if (!pass) return;
  const { dispatchWorkgroups, dispatchWorkgroupsIndirect } = pass;
  pass.dispatchWorkgroups = function (...counts) {
    dispatches += 1;
    return dispatchWorkgroups.apply(this, counts);
  };
  pass.dispatchWorkgroupsIndirect = function (...place) {
    dispatches += 1;
    return dispatchWorkgroupsIndirect.apply(this, place);
  };
}

/** @returns {Promise<Gpu>} */
async function adapterOf() {
  const adapter = await navigator.gpu?.requestAdapter();
  if (!adapter) throw new Error("no WebGPU adapter");
  const { vendor, architecture, device, description, isFallbackAdapter } = adapter.info;
  const parts = [vendor, architecture, device, description].filter((part) => part);
  const name = parts.join(" ");
  return { name, isFallback: Boolean(isFallbackAdapter) };
}

const work = {
  /** @param {StartJob} job */
  async start({ base }) {
    countDispatches();
    library = await import("./transformers/transformers.min.js");
    const { env } = library;
    env.allowRemoteModels = false;
    env.allowLocalModels = true;
    env.localModelPath = new URL("onnx/", base).href;
    env.useBrowserCache = false;
    env.backends.onnx.wasm.wasmPaths = new URL("onnxruntime/", base).href;
  },

  /** @param {LoadJob} request */
  async load(request) {
    if (library === null) throw new Error("the library is not loaded");
    ({ threads, backend } = request);
    gpu = backend === "webgpu" ? await adapterOf() : null;
    library.env.backends.onnx.wasm.numThreads = threads;
    const options = { device: backend, dtype: "fp32" };
    model = await library.AutoModelForCausalLM.from_pretrained(request.name, options);
  },

  /**
   * @param {GenerateJob} job
   * @returns {Promise<PeerAnswer>}
   */
  async generate({ ids, maxTokens, ignoreStop }) {
    if (library === null || model === null) throw new Error("the model is not loaded");
    const { Tensor, BaseStreamer } = library;
    /** @type {number | null} */
    let dispatchesBefore = null;
    class Ids extends BaseStreamer {
      isPrompt = true;
      /** @param {(number | bigint)[][]} batch */
      put([ids]) {
        // The whole prompt comes first.
        if (this.isPrompt) {
          this.isPrompt = false;
          return;
        }
        dispatchesBefore ??= dispatches;
        for (const id of ids) postMessage({ token: Number(id) });
      }
      end() {}
    }
    const shape = [1, ids.length];
    const output = await model.generate({
      input_ids: new Tensor("int64", BigInt64Array.from(ids.map(BigInt)), shape),
      attention_mask: new Tensor("int64", new BigInt64Array(ids.length).fill(1n), shape),
      do_sample: false,
      max_new_tokens: maxTokens,
      // No token has this id, so none ends the answer.
      ...(ignoreStop ? { eos_token_id: -1 } : {}),
      streamer: new Ids(),
    });
    const all = Array.from(output.tolist()[0], Number);
    return {
      promptTokens: ids.length,
      newTokens: all.length - ids.length,
      ids: all.slice(ids.length),
      threads,
      backend,
      gpu,
      dispatches,
      decodeDispatches: dispatches - (dispatchesBefore ?? dispatches),
      build: `ONNX Runtime Web ${library.env.backends.onnx.versions?.web ?? ""}, fp32`,
    };
  },
};

/** @param {Job} job */
function perform(job) {
  if (job.do === "start") return work.start(job);
  return job.do === "load" ? work.load(job) : work.generate(job);
}

addEventListener("message", async (/** @type {MessageEvent<Job>} */ { data }) => {
  try {
    postMessage({ result: await perform(data) });
  } catch (error) {
    const { name = "error", message = error } = /** @type {Partial<Error>} */ (error ?? {});
    postMessage({ error: `${name}: ${message}` });
  }
});
