// The worker: chooses and loads a bundle and hands it the commands. Everything that it has to say
// goes to the page as a message; the page numbers and delivers it.

import { Refusal, choose } from "./bundle.js";

let engine = null;
// Takes the page's answer on whether the threads have started.
let threadsStarted = null;

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

// What the engine calls for every event. `fate` says what becomes of the command with it:
// "goes-on", "ends", or "dies" with the worker.
function emit(command, kind, fate) {
  postMessage({ type: "event", command: command ?? null, kind, fate });
}

async function fetched(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`HTTP ${response.status} for ${url}`);
  return response;
}

// Whether an error says that this browser can't run a module, rather than that it did not come.
function isOfWebAssembly(error) {
  const { CompileError, LinkError, RuntimeError } = WebAssembly;
  // Browsers use a RangeError where there is no memory for the module's own.
  return [CompileError, LinkError, RuntimeError, RangeError].some((kind) => error instanceof kind);
}

// The module of a bundle, instantiated, its glue started; with threads, all of them waiting.
async function load({ name, threads, reason }, base) {
  const url = (file) => new URL(`./${name}/${file}`, import.meta.url).href;
  // Not a static import: a bundle that is not there could then not be told from a worker that is
  // not there.
  const glue = await import(url("inference_wasm.js"));
  const module = await WebAssembly.compileStreaming(fetched(url("inference_wasm_bg.wasm")));
  const { memory } = await glue.default({ module_or_path: module });
  glue.start(base, reason, threads, emit);
  if (threads > 1) {
    const share = { glue: url("inference_wasm.js"), module, memory };
    const trouble = await new Promise((resolve) => {
      threadsStarted = resolve;
      postMessage({ type: "start-threads", count: threads - 1, share });
    });
    if (trouble !== null) throw new Refusal(`bundle \`threads\` can't run: ${trouble}`);
    glue.start_pool(threads - 1);
  }
  return glue;
}

async function start({ base, bundle, threads }) {
  let name = bundle;
  try {
    const { bundles } = await (await fetched(new URL("./bundle.json", import.meta.url))).json();
    const choice = choose(bundle, threads, bundles.map((built) => built.name));
    name = choice.name;
    engine = await load(choice, base);
    postMessage({ type: "ready", protocol: engine.protocol_version() });
  } catch (error) {
    if (error instanceof Refusal) {
      postMessage({ type: "without-engine", reason: error.message });
    } else if (isOfWebAssembly(error)) {
      postMessage({ type: "without-engine", reason: `bundle \`${name}\` can't run: ${error}` });
    } else {
      const message = `bundle \`${name}\` can't be loaded: ${error}`;
      postMessage({ type: "error", message, source: "" });
    }
  }
}

addEventListener("message", ({ data }) => {
  switch (data.type) {
    case "start":
      start(data);
      break;
    case "threads-started":
      threadsStarted(data.trouble);
      break;
    case "submit":
      engine.submit(data.id, data.text);
      break;
    case "cancel":
      engine?.cancel();
      break;
  }
});
