// The worker in which Transformers.js computes. The model lies beside the page, in onnx/NAME/.

let library = null;
let model = null;
let threads = 1;

const work = {
  async start({ base }) {
    library = await import("./transformers/transformers.min.js");
    const { env } = library;
    env.allowRemoteModels = false;
    env.allowLocalModels = true;
    env.localModelPath = new URL("onnx/", base).href;
    env.useBrowserCache = false;
    env.backends.onnx.wasm.wasmPaths = new URL("onnxruntime/", base).href;
  },

  async load(request) {
    threads = request.threads;
    library.env.backends.onnx.wasm.numThreads = threads;
    const options = { device: "wasm", dtype: "fp32" };
    model = await library.AutoModelForCausalLM.from_pretrained(request.name, options);
  },

  async generate({ ids, maxTokens, ignoreStop }) {
    const { Tensor, BaseStreamer } = library;
    class Ids extends BaseStreamer {
      isPrompt = true;
      put([ids]) {
        // The prompt comes first, as a whole.
        if (this.isPrompt) this.isPrompt = false;
        else for (const id of ids) postMessage({ token: Number(id) });
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
