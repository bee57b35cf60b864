// The engine's end of the page, in a worker or on the main thread: chooses and loads a bundle and
// hands it the commands. What it has to say goes out as messages, whoever takes them.
//
// An engine of the hybrid client is started for one `device`: it says whether that is there before
// it takes commands, and when it is lost. Scripts of a test stand before everything else.

import { Refusal, choose } from "./bundle.js";

const IS_MAIN_THREAD = typeof document !== "undefined";
// How often an engine is asked whether its device is still there.
const CHECK_MS = 100;

// The glue that this thread has started, and the engine that each works for. A thread never lets go
// of a script, nor of what the script holds: an engine that comes after another has the same glue
// with a fresh instance of the module, and the old one's memory is free.
const OWNERS = new Map();

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
  // Hears of every event before the page does.
  #shims;
  #checks = null;
  // It is not loaded yet, or a command has not come to its end.
  isAtWork = true;
  #isEnded = false;

  // `post` takes every message. `shims` are those of the thread, where they are installed already.
  constructor(post, shims = null) {
    this.#post = post;
    this.#shims = shims;
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
        this.isAtWork = true;
        this.#glue.submit(data.id, data.text).then(() => (this.isAtWork = false));
        break;
      case "cancel":
        this.#glue?.cancel();
        break;
      case "trigger":
        this.#shims?.trigger(data.shim, data.params);
        break;
      case "end":
        this.#isEnded = true;
        clearInterval(this.#checks);
        if (OWNERS.get(this.#glue) === this) this.#glue.end();
        break;
    }
  }

  async #start({ base, bundle, threads, shims = [], device = null, instance = "" }) {
    let name = bundle;
    try {
      if (shims.length > 0 && this.#shims === null) {
        const { Shims } = await import("./client/shims.js");
        const report = (shim, detail) => this.#post({ type: "injected", shim, detail });
        this.#shims = await Shims.install(shims, "worker", base, report);
      }
      const { bundles } = await (await fetched(new URL("./bundle.json", import.meta.url))).json();
      const choice = choose(bundle, threads, bundles.map((built) => built.name));
      name = choice.name;
      if (choice.threads > 1 && IS_MAIN_THREAD) {
        throw new Refusal(`bundle \`${name}\` can't run: a page's main thread can't wait for threads`);
      }
      this.#glue = await this.#load(choice, base, instance);
      this.isAtWork = false;
      if (this.#isEnded) {
        this.#glue.end();
        return;
      }
      this.#post({ type: "ready", protocol: this.#glue.protocol_version() });
      if (device !== null) await this.#open(device);
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

  async #open(device) {
    const { tryDevice } = await import("./client/trial.js");
    this.#post({ type: "device", failure: await tryDevice(device) });
    if (this.#isEnded) return;
    // A loss that nobody asks about would be noticed by the next request.
    this.#checks = setInterval(() => {
      if (this.#glue.check_device()) clearInterval(this.#checks);
    }, CHECK_MS);
  }

  // The module of a bundle, instantiated, its glue started; with threads, all of them waiting.
  // `instance` tells this glue from the client's own, where both are on one thread.
  async #load({ name, threads, reason }, base, instance) {
    const url = (file) => new URL(`./${name}/${file}`, import.meta.url).href;
    // Not a static import: a bundle that is not there could then not be told from a script that is
    // not there.
    const address = url("inference_wasm.js") + instance;
    let glue = await import(address);
    // What has not noticed yet that it is to end must not wake up in another instance.
    if (OWNERS.get(glue)?.isAtWork) glue = await import(`${address}=${OWNERS.size}`);
    const isUsed = OWNERS.has(glue);
    OWNERS.set(glue, this);
    let module, memory;
    if (isUsed) {
      glue.__wbg_reset_state();
    } else {
      module = await WebAssembly.compileStreaming(fetched(url("inference_wasm_bg.wasm")));
      ({ memory } = await glue.default({ module_or_path: module }));
    }
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
    this.#shims?.event(kind);
    this.#post({ type: "event", command: command ?? null, kind, fate });
  }
}
