// The worker in which Transformers.js computes. The model lies beside the page, in onnx/NAME/.
// On WebGPU the adapter is asked for its name, and what is dispatched is counted: that a library
// was told to use a GPU does not show that it did.

let library = null;
let model = null;
let threads = 1;
let backend = "wasm";
let gpu = null;
let dispatches = 0;

function countDispatches() {
  const pass = globalThis.GPUComputePassEncoder?.prototype;
  for (const name of ["dispatchWorkgroups", "dispatchWorkgroupsIndirect"]) {
    const dispatch = pass?.[name];
    if (!dispatch) continue;
    pass[name] = function (...counts) {
      dispatches += 1;
      return dispatch.apply(this, counts);
    };
  }
}

async function adapterOf() {
  const adapter = await navigator.gpu?.requestAdapter();
  if (!adapter) throw new Error("no WebGPU adapter");
  const { vendor, architecture, device, description, isFallbackAdapter } = adapter.info;
  const parts = [vendor, architecture, device, description].filter((part) => part);
  const name = parts.join(" ");
  const isSoftware = isFallbackAdapter || /swiftshader|llvmpipe|lavapipe/i.test(name);
  return { name, isSoftware };
}

const work = {
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

  async load(request) {
    ({ threads, backend } = request);
    gpu = backend === "webgpu" ? await adapterOf() : null;
    library.env.backends.onnx.wasm.numThreads = threads;
    const options = { device: backend, dtype: "fp32" };
    model = await library.AutoModelForCausalLM.from_pretrained(request.name, options);
  },

  async generate({ ids, maxTokens, ignoreStop }) {
    const { Tensor, BaseStreamer } = library;
    let dispatchesBefore = null;
    class Ids extends BaseStreamer {
      isPrompt = true;
      put([ids]) {
        // The prompt comes first, as a whole.
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
      // No id is ever chosen that is none.
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

addEventListener("message", async ({ data }) => {
  try {
    postMessage({ result: await work[data.do](data) });
  } catch (error) {
    postMessage({ error: `${error?.name ?? "error"}: ${error?.message ?? error}` });
  }
});
