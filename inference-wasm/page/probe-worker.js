// Answers the probe's two questions that only a worker can answer.

/** @import { ToProbeWorker } from "../types/page.d.ts" */

function hasWebgl2() {
  try {
    return new OffscreenCanvas(1, 1).getContext("webgl2") !== null;
  } catch {
    return false;
  }
}

addEventListener("message", (/** @type {MessageEvent<ToProbeWorker>} */ { data: { memory } }) => {
  const hasWritten = memory !== null;
  if (hasWritten) Atomics.add(new Int32Array(memory.buffer), 0, 1);
  postMessage({ webgl2: hasWebgl2(), hasWritten });
});
