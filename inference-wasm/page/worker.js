// The worker: loads the bundle and hands it the commands. Everything that it has to say goes to
// the page as a message; the page numbers and delivers it.

let engine = null;

addEventListener("error", (event) => {
  // Said here, so that it is said once, with the place as this thread knows it.
  event.preventDefault();
  const source = `${event.filename}:${event.lineno}:${event.colno}`;
  postMessage({ type: "error", message: event.message, source });
});
addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  postMessage({ type: "rejection", reason: String(event.reason) });
});

// () -> v128, with one SIMD instruction: what the bundle needs of a browser beyond WebAssembly.
const SIMD_MODULE = new Uint8Array([
  0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00,
  0x01, 0x05, 0x01, 0x60, 0x00, 0x01, 0x7b,
  0x03, 0x02, 0x01, 0x00,
  0x0a, 0x08, 0x01, 0x06, 0x00, 0x41, 0x00, 0xfd, 0x0f, 0x0b,
]);

function missing() {
  if (typeof WebAssembly === "undefined") return "it has no WebAssembly";
  if (!WebAssembly.validate(SIMD_MODULE)) return "its WebAssembly has no SIMD";
  return null;
}

// What the engine calls for every event. `fate` says what becomes of the command with it:
// "goes-on", "ends", or "dies" with the worker.
function emit(command, kind, fate) {
  postMessage({ type: "event", command: command ?? null, kind, fate });
}

async function start(base) {
  const reason = missing();
  if (reason !== null) {
    postMessage({ type: "without-engine", reason });
    return;
  }
  try {
    // Not a static import: a bundle that is not there could then not be told from a worker
    // that is not there.
    const glue = await import("./inference_wasm.js");
    await glue.default();
    glue.start(base, emit);
    engine = glue;
    postMessage({ type: "ready", protocol: glue.protocol_version() });
  } catch (error) {
    postMessage({ type: "error", message: `the bundle can't be loaded: ${error}`, source: "" });
  }
}

addEventListener("message", ({ data }) => {
  switch (data.type) {
    case "start":
      start(data.base);
      break;
    case "submit":
      engine.submit(data.id, data.text);
      break;
    case "cancel":
      engine?.cancel();
      break;
  }
});
