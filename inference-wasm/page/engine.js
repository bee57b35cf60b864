// The engine's end of the page, in a worker or on the main thread: chooses and loads a bundle, and
// passes commands to it and its events on.
//
// The hybrid client starts an engine for one `device`. Such an engine reports whether the device is
// available before it takes commands, and when it is lost. Shims of a test are installed first.

import { Refusal, choose } from "./bundle.js";

/** @import { Tier } from "../types/protocol.d.ts" */
/** @import { BundleChoice, BundleList, EngineStart, Fate } from "../types/page.d.ts" */
/** @import { FromEngine, Glue, ShimList, ToEngine } from "../types/page.d.ts" */

const IS_MAIN_THREAD = typeof document !== "undefined";
// The interval of the checks for a lost device.
const CHECK_MS = 100;

/**
 * Every glue that this thread has started, with the engine that it works for. A thread never unloads
 * a script, nor frees what the script holds. A later engine therefore reuses the glue with a fresh
 * instance of the module, which frees the memory of the old one.
 *
 * @type {Map<Glue, Engine>}
 */
const OWNERS = new Map();

/** @param {URL | string} url */
async function fetched(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`HTTP ${response.status} for ${url}`);
  return response;
}

/**
 * Whether an error means that this browser can't run a module, rather than that it could not be
 * fetched.
 *
 * @param {unknown} error
 */
function isOfWebAssembly(error) {
  const { CompileError, LinkError, RuntimeError } = WebAssembly;
  // Browsers throw a RangeError if there is not enough memory for the module's own.
  return [CompileError, LinkError, RuntimeError, RangeError].some((kind) => error instanceof kind);
}

export class Engine {
  #post;
  /** @type {Glue | null} */
  #glue = null;
  /**
   * Takes the page's answer on whether the threads have started: null, or why not.
   *
   * @type {((trouble: string | null) => void) | null}
   */
  #threadsStarted = null;
  // They get every event before the page does.
  #shims;
  /** @type {number | undefined} */
  #checks = undefined;
  // It is not loaded yet, or a command has not ended.
  isAtWork = true;
  #isEnded = false;

  /**
   * @param {(message: FromEngine) => void} post
   * @param {ShimList | null} shims those of the thread, if they are installed already
   */
  constructor(post, shims = null) {
    this.#post = post;
    this.#shims = shims;
  }

  /**
   * Takes a message of the page.
   *
   * @param {ToEngine} data
   */
  take(data) {
    switch (data.type) {
      case "start":
        this.#start(data);
        break;
      case "threads-started":
        this.#threadsStarted?.(data.trouble);
        break;
      case "submit":
        this.isAtWork = true;
        this.#loaded.submit(data.id, data.text).then(() => (this.isAtWork = false));
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
        if (this.#glue !== null && OWNERS.get(this.#glue) === this) this.#glue.end();
        break;
    }
  }

  get #loaded() {
    if (this.#glue === null) throw new Error("the engine is not loaded");
    return this.#glue;
  }

  /** @param {EngineStart} start */
  async #start({ base, bundle, threads, shims = [], device = null, instance = "" }) {
    let name = bundle;
    try {
      if (shims.length > 0 && this.#shims === null) {
        const { Shims } = await import("./client/shims.js");
        const report = (/** @type {string} */ shim, /** @type {string} */ detail) =>
          this.#post({ type: "injected", shim, detail });
        this.#shims = await Shims.install(shims, "worker", base, report);
      }
      const list = await fetched(new URL("./bundle.json", import.meta.url));
      /** @type {BundleList} */
      const { bundles } = await list.json();
      const choice = choose(bundle, threads, bundles.map((built) => built.name));
      name = choice.name;
      if (choice.threads > 1 && IS_MAIN_THREAD) {
        throw new Refusal(`bundle \`${name}\` can't run: a page's main thread can't wait for threads`);
      }
      const glue = await this.#load(choice, base, instance);
      this.#glue = glue;
      this.isAtWork = false;
      if (this.#isEnded) {
        glue.end();
        return;
      }
      this.#post({ type: "ready", protocol: glue.protocol_version() });
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

  /** @param {Tier} device */
  async #open(device) {
    const { tryDevice } = await import("./client/trial.js");
    this.#post({ type: "device", failure: await tryDevice(device) });
    if (this.#isEnded) return;
    // Without these checks a loss would be noticed only by the next request.
    this.#checks = setInterval(() => {
      if (this.#loaded.check_device()) clearInterval(this.#checks);
    }, CHECK_MS);
  }

  /**
   * Instantiates the module of a bundle and starts its glue. With threads, all of them wait for work
   * afterwards.
   *
   * @param {BundleChoice} choice
   * @param {string} base
   * @param {string} instance separates this glue from the client's own on the same thread
   * @returns {Promise<Glue>}
   */
  async #load({ name, threads, reason }, base, instance) {
    const url = (/** @type {string} */ file) =>
      new URL(`./${name}/${file}`, import.meta.url).href;
    // Not a static import, which would fail alike for a missing bundle and a missing script.
    const address = url("inference_wasm.js") + instance;
    /** @type {Glue} */
    let glue = await import(address);
    // An engine that has not noticed yet that it must end must not wake up in another instance.
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
      if (module === undefined || memory === undefined) throw new Error("the module is in use");
      const share = { glue: url("inference_wasm.js"), module, memory };
      /** @type {string | null} */
      const trouble = await new Promise((resolve) => {
        this.#threadsStarted = resolve;
        this.#post({ type: "start-threads", count: threads - 1, share });
      });
      if (trouble !== null) throw new Refusal(`bundle \`threads\` can't run: ${trouble}`);
      glue.start_pool(threads - 1);
    }
    return glue;
  }

  /**
   * The engine calls this for every event.
   *
   * @param {number | undefined} command
   * @param {string} kind a `PageEventKind` as JSON text
   * @param {Fate} fate
   */
  #emit(command, kind, fate) {
    this.#shims?.event(kind);
    this.#post({ type: "event", command: command ?? null, kind, fate });
  }
}
