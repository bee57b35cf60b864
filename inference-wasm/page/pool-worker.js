// One thread of the engine: an instance of the module on the shared memory. It gets its work through
// that memory and never returns to the event loop.

/** @import { Glue, PoolShare } from "../types/page.d.ts" */

/**
 * The engine calls this when the thread panics.
 *
 * @param {number | undefined} _command
 * @param {string} kind a `PageEventKind` as JSON text
 */
function emit(_command, kind) {
  postMessage({ type: "panic", kind });
}

addEventListener("message", async (/** @type {MessageEvent<PoolShare>} */ { data }) => {
  const { glue, module, memory } = data;
  try {
    /** @type {Glue} */
    const engine = await import(glue);
    await engine.default({ module_or_path: module, memory });
    postMessage({ type: "ready" });
    engine.run_pool_thread(emit);
  } catch (error) {
    postMessage({ type: "error", message: `a thread failed: ${error}` });
  }
});
