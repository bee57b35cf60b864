// Where the engine runs: in a worker, or on this very thread where a browser has WebGL2 nowhere
// else. Both are spoken to in the same messages.

import { Engine } from "./engine.js";

// The engine's worker. `take` gets its messages, and an `error` for what it can't say itself: that
// its script can't be loaded or read.
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

// The engine on this thread, whose `shims` are installed already. Its uncaught errors are the page's
// own; while it computes nothing else runs, between tokens everything does.
export function onThisThread(take, shims = null) {
  let engine = new Engine(take, shims);
  return {
    name: "the engine",
    // Later, as a message would come: whoever posts does not wait for an answer.
    post: (message) => setTimeout(() => engine?.take(message)),
    stop: () => {
      engine?.take({ type: "end" });
      engine = null;
    },
  };
}
