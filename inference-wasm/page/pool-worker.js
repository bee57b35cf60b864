// One thread of the engine: an instance of the module on the memory that all of them share. It
// gets its work through that memory and never comes back to the event loop.

// What the engine calls when this thread panics.
function emit(_command, kind) {
  postMessage({ type: "panic", kind });
}

addEventListener("message", async ({ data: { glue, module, memory } }) => {
  try {
    const engine = await import(glue);
    await engine.default({ module_or_path: module, memory });
    postMessage({ type: "ready" });
    engine.run_pool_thread(emit);
  } catch (error) {
    postMessage({ type: "error", message: `a thread failed: ${error}` });
  }
});
