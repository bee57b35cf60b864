// Transformers.js over ONNX Runtime Web. It computes on the thread that calls it, so it gets a
// worker, and this page stays alive beside it.

let worker = null;
let waiting = null;

function ask(message, onToken) {
  return new Promise((resolve, reject) => {
    waiting = { resolve, reject, onToken };
    worker.postMessage(message);
  });
}

export const adapter = {
  wantsFile: false,

  async start() {
    worker = new Worker(new URL("./transformers-worker.js", import.meta.url), { type: "module" });
    worker.addEventListener("message", ({ data }) => {
      if (data.token !== undefined) waiting?.onToken?.(data.token, "");
      else if (data.error !== undefined) waiting?.reject(new Error(data.error));
      else waiting?.resolve(data.result);
    });
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      waiting?.reject(new Error(event.message ?? "the worker's script could not be loaded"));
    });
    await ask({ do: "start", base: document.baseURI });
  },

  load: (name, _file, { threads, backend }) => ask({ do: "load", name, threads, backend }),

  generate: (ids, maxTokens, ignoreStop, onToken) =>
    ask({ do: "generate", ids, maxTokens, ignoreStop }, onToken),
};
