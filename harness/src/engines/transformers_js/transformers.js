// The adapter for Transformers.js on ONNX Runtime Web. It computes on the thread that calls it, so it
// gets a worker, and this page stays alive.

/** @import { Adapter, OnToken, PeerAnswer } from "./adapter.js" */
/** @import { FromWorker, Job } from "./transformers-worker.js" */

/**
 * Who waits for the worker's answer.
 *
 * @typedef {{
 *   resolve: (result: unknown) => void,
 *   reject: (error: Error) => void,
 *   onToken?: OnToken,
 * }} Waiting
 */

/** @type {Worker | null} */
let worker = null;
/** @type {Waiting | null} */
let waiting = null;

/**
 * @param {Job} message
 * @param {OnToken} [onToken]
 * @returns {Promise<unknown>}
 */
function ask(message, onToken) {
  return new Promise((resolve, reject) => {
    waiting = { resolve, reject, onToken };
    worker?.postMessage(message);
  });
}

/** @type {Adapter} */
export const adapter = {
  wantsFile: false,

  async start() {
    worker = new Worker(new URL("./transformers-worker.js", import.meta.url), { type: "module" });
    worker.addEventListener("message", (/** @type {MessageEvent<FromWorker>} */ { data }) => {
      if ("token" in data) waiting?.onToken?.(data.token, "");
      else if ("error" in data) waiting?.reject(new Error(data.error));
      else waiting?.resolve(data.result);
    });
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      waiting?.reject(new Error(event.message ?? "the worker's script could not be loaded"));
    });
    await ask({ do: "start", base: document.baseURI });
  },

  async load(name, _file, { threads, backend }) {
    await ask({ do: "load", name, threads, backend });
  },

  async generate(ids, maxTokens, ignoreStop, onToken) {
    if (typeof ids === "string") throw new Error("Transformers.js takes a prompt as ids");
    const answer = await ask({ do: "generate", ids, maxTokens, ignoreStop }, onToken);
    return /** @type {PeerAnswer} */ (answer);
  },
};
