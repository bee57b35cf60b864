// The engine's end of the page, in a worker or on the main thread: chooses and loads a bundle and
// hands it the commands. What it has to say goes out as messages, whoever takes them.

import { Refusal, choose } from "./bundle.js";

const IS_MAIN_THREAD = typeof document !== "undefined";

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

export class Engine {
  #post;
  #glue = null;
  // Takes the page's answer on whether the threads have started.
  #threadsStarted = null;

  // `post` takes every message.
  constructor(post) {
    this.#post = post;
  }

  // Takes a message of the page.
  take(data) {
    switch (data.type) {
      case "start":
        this.#start(data);
        break;
      case "threads-started":
        this.#threadsStarted(data.trouble);
        break;
      case "submit":
        this.#glue.submit(data.id, data.text);
        break;
      case "cancel":
        this.#glue?.cancel();
        break;
    }
  }

  async #start({ base, bundle, threads }) {
    let name = bundle;
    try {
      const { bundles } = await (await fetched(new URL("./bundle.json", import.meta.url))).json();
      const choice = choose(bundle, threads, bundles.map((built) => built.name));
      name = choice.name;
      if (choice.threads > 1 && IS_MAIN_THREAD) {
        throw new Refusal(`bundle \`${name}\` can't run: a page's main thread can't wait for threads`);
      }
      this.#glue = await this.#load(choice, base);
      this.#post({ type: "ready", protocol: this.#glue.protocol_version() });
    } catch (error) {
      if (error instanceof Refusal) {
        this.#post({ type: "without-engine", reason: error.message });
      } else if (isOfWebAssembly(error)) {
        const reason = `bundle \`${name}\` can't run: ${error}`;
        this.#post({ type: "without-engine", reason });
      } else {
        const message = `bundle \`${name}\` can't be loaded: ${error}`;
        this.#post({ type: "error", message, source: "" });
      }
    }
  }

  // The module of a bundle, instantiated, its glue started; with threads, all of them waiting.
  async #load({ name, threads, reason }, base) {
    const url = (file) => new URL(`./${name}/${file}`, import.meta.url).href;
    // Not a static import: a bundle that is not there could then not be told from a script that is
    // not there.
    const glue = await import(url("inference_wasm.js"));
    const module = await WebAssembly.compileStreaming(fetched(url("inference_wasm_bg.wasm")));
    const { memory } = await glue.default({ module_or_path: module });
    glue.start(base, reason, threads, (command, kind, fate) => this.#emit(command, kind, fate));
    if (threads > 1) {
      const share = { glue: url("inference_wasm.js"), module, memory };
      const trouble = await new Promise((resolve) => {
        this.#threadsStarted = resolve;
        this.#post({ type: "start-threads", count: threads - 1, share });
      });
      if (trouble !== null) throw new Refusal(`bundle \`threads\` can't run: ${trouble}`);
      glue.start_pool(threads - 1);
    }
    return glue;
  }

  // What the engine calls for every event. `fate` says what becomes of the command with it:
  // "goes-on", "ends", or "dies" with whatever the engine runs on.
  #emit(command, kind, fate) {
    this.#post({ type: "event", command: command ?? null, kind, fate });
  }
}
