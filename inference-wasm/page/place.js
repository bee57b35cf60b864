// Runs the engine in a worker, or on the main thread where the browser has WebGL2 nowhere else. Both
// take and send the same messages.

import { Engine } from "./engine.js";

/** @import { EngineHandle, FromEngine, ShimList } from "../types/page.d.ts" */

/**
 * Starts the engine in a worker. `take` gets its messages, and an `error` if the worker's script
 * can't be loaded.
 *
 * @param {(message: FromEngine) => void} take
 * @returns {EngineHandle}
 */
export function inWorker(take) {
  const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  worker.addEventListener("message", ({ data }) => take(data));
  worker.addEventListener("error", (event) => {
    event.preventDefault();
    const message = event.message ?? "the worker's script could not be loaded";
    const source = `${event.filename ?? ""}:${event.lineno ?? 0}:${event.colno ?? 0}`;
    take({ type: "error", message, source });
  });
  worker.addEventListener("messageerror", () => {
    take({ type: "lost", message: "a message of the worker could not be read", source: "worker.js" });
  });
  return {
    name: "the worker",
    post: (message) => worker.postMessage(message),
    stop: () => worker.terminate(),
  };
}

/**
 * Starts the engine on this thread. Its uncaught errors are those of the page. While it computes
 * nothing else runs; between tokens everything does.
 *
 * @param {(message: FromEngine) => void} take
 * @param {ShimList | null} shims those of this thread, already installed
 * @returns {EngineHandle}
 */
export function onThisThread(take, shims = null) {
  /** @type {Engine | null} */
  let engine = new Engine(take, shims);
  return {
    name: "the engine",
    // Asynchronous, like a message to a worker.
    post: (message) => setTimeout(() => engine?.take(message)),
    stop: () => {
      engine?.take({ type: "end" });
      engine = null;
    },
  };
}
