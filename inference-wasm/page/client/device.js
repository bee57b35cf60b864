// One device: a thread with an engine of its own, which serves one tier. When the device is given up
// the thread is ended and nothing of it is used again. Where WebGL2 exists on the page's main thread
// alone, the device is a fresh instance of the engine on that thread.

import { inWorker, onThisThread } from "../place.js";
import { Pool } from "../pool.js";

/** @import { Action, EngineErrorKind, GenerateRequest } from "../../types/protocol.d.ts" */
/** @import { LocalEvent, ModelVariant, PageEventKind, Prompt, Shard } from "../../types/protocol.d.ts" */
/** @import { ClientStart, DeviceHost, EffectOf, EngineHandle } from "../../types/page.d.ts" */
/** @import { EventKind, FromEngine, LocalTier, PoolShare } from "../../types/page.d.ts" */

/** @typedef {EventKind<"finished"> | EventKind<"failed">} End */

/**
 * The command at work: its number, and who waits for its tokens and its end.
 *
 * @typedef {{
 *   command: number,
 *   onToken: (token: EventKind<"token">) => void,
 *   resolve: (end: End) => void,
 * }} Pending
 */

// A matrix product and a norm of a few rows: every stage of a dispatch. It takes some hundred
// milliseconds on an adapter that computes on the CPU.
const FIRST_DISPATCH = "*m*/F32/rows=5,columns=96*";

// The errors of a load that cast doubt on the stored weights.
/** @type {EngineErrorKind[]} */
const OF_WEIGHTS = ["shard-unavailable", "shard-truncated", "shard-corrupt"];

export class Device {
  #tier;
  #start;
  #host;
  #isOnMainThread;
  /** @type {EngineHandle | null} */
  #engine = null;
  #pool;
  /**
   * The id of the variant that is loaded.
   *
   * @type {string | null}
   */
  #variant = null;
  /** @type {Pending | null} */
  #pending = null;
  isAlive = true;

  /**
   * @param {LocalTier} tier
   * @param {boolean} isOnMainThread
   * @param {ClientStart} start
   * @param {DeviceHost} host
   */
  constructor(tier, isOnMainThread, start, host) {
    this.#tier = tier;
    this.#isOnMainThread = isOnMainThread;
    this.#start = start;
    this.#host = host;
    this.#pool = new Pool(() => this.#crash(), () => this.#crash());
  }

  // Whether it has a worker of its own.
  get hasWorker() {
    return !this.#isOnMainThread;
  }

  /**
   * Starts the engine.
   *
   * @param {string} base
   */
  create(base) {
    const take = (/** @type {FromEngine} */ data) => {
      if (this.isAlive) this.#take(data);
    };
    this.#engine = this.#isOnMainThread ? onThisThread(take, this.#host.shims) : inWorker(take);
    this.#engine.post({
      type: "start",
      base,
      bundle: this.#start.bundle ?? "auto",
      // The kernels of a GPU have one thread.
      threads: this.#tier === "wasm" ? (this.#start.threads ?? 1) : 1,
      shims: this.#host.shims?.forWorker() ?? [],
      device: this.#tier,
      instance: this.#isOnMainThread ? "?engine" : "",
    });
  }

  /**
   * Runs the first dispatch and compares it with the scalar reference.
   *
   * @returns {Promise<LocalEvent>}
   */
  async probe() {
    const end = await this.#command({ do: "ops", backend: this.#tier, filter: FIRST_DISPATCH });
    if (end.type === "failed") {
      if (end.error.kind === "device-lost") return { event: "device-lost", reason: "unknown" };
      return { event: "probed", is_right: false };
    }
    const { failures, tallies } = resultOf(end, "ops");
    const passed = tallies.reduce((sum, tally) => sum + tally.passed, 0);
    return { event: "probed", is_right: passed > 0 && failures.length === 0 };
  }

  /**
   * Loads a variant from its shards' addresses. Resolves to null, or to the kind of the failure.
   *
   * @param {ModelVariant} variant
   * @param {Shard[]} shards
   * @returns {Promise<EngineErrorKind | null>}
   */
  async load(variant, shards) {
    const model = { ...variant.file, shards };
    const { context_tokens = null } = this.#start;
    const end = await this.#command({ do: "load", backend: this.#tier, model, context_tokens });
    this.#variant = variant.id;
    return end.type === "failed" ? end.error.kind : null;
  }

  /**
   * Runs a request. Its tokens and its end are events.
   *
   * @param {EffectOf<"run">} run
   */
  async run({ request, generate, begin }) {
    const fail = (/** @type {EngineErrorKind} */ kind) => this.#emit({ event: "failed", request, kind });
    // The tokens that the user has seen, even if this model numbers them differently.
    const offset = begin.begin === "continue" ? begin.ids.length : 0;
    const seen = begin.begin === "continue" ? await this.#seen(generate, begin) : null;
    if (seen !== null && "kind" in seen) return fail(seen.kind);
    const max_tokens = Math.max(generate.max_tokens - offset, 0);
    const wanted = seen ? { ...generate, prompt: { ids: [...seen.prompt, ...seen.ids] }, max_tokens } : generate;
    const end = await this.#command({ do: "generate", ...wanted }, ({ index, id, text }) => {
      const token = { index: index + offset, id, text };
      this.#emit({ event: "token", request, token });
    });
    if (end.type === "failed") return fail(end.error.kind);
    const { of: _, ...generated } = resultOf(end, "generate");
    this.#host.ran({ request, logits_command: end.command, generated });
    return this.#emit({
      event: "finished",
      request,
      end: {
        finish_reason: generated.finish_reason,
        prompt_tokens: seen ? seen.prompt.length : generated.prompt_ids.length,
        tokens: offset + generated.generated_ids.length,
      },
    });
  }

  /**
   * Resolves to the ids of a prompt and of the part of its answer that the user has seen, or to the
   * kind of a failure. Another model's ids mean nothing to this one, so the text is encoded again. The
   * prompt comes last, so that it is in the cache when the answer continues.
   *
   * @param {GenerateRequest} generate
   * @param {{ variant?: string | null, ids: number[], text: string }} begin
   * @returns {Promise<{ prompt: number[], ids: number[] } | { kind: EngineErrorKind }>}
   */
  async #seen(generate, { variant, ids, text }) {
    try {
      const idsOf = (/** @type {Prompt} */ prompt) => this.#ids(generate, prompt);
      const own = variant === this.#variant ? ids : await textIds(text, idsOf);
      return { prompt: await idsOf(generate.prompt), ids: own };
    } catch (error) {
      return { kind: /** @type {{ kind: EngineErrorKind }} */ (error).kind };
    }
  }

  /**
   * Resolves to the ids of a prompt as the model sees it, which a generation of no tokens reports.
   *
   * @param {GenerateRequest} generate
   * @param {Prompt} prompt
   * @returns {Promise<number[]>}
   */
  async #ids(generate, prompt) {
    /** @type {Action} */
    const action = { do: "generate", ...generate, prompt, max_tokens: 0, logits: "none" };
    const end = await this.#command(action);
    if (end.type === "failed") throw end.error;
    return resultOf(end, "generate").prompt_ids;
  }

  stop() {
    this.#engine?.post({ type: "cancel" });
  }

  // Ends the thread at once. The waiting command fails; nothing else is reported.
  abandon() {
    this.isAlive = false;
    this.#engine?.stop();
    this.#pool.stop();
    const error = { kind: /** @type {const} */ ("device-lost"), message: "the device was given up" };
    this.#pending?.resolve({ type: "failed", error });
  }

  /**
   * Triggers a shim in the device's worker. The page triggers those of its own thread.
   *
   * @param {string} shim
   * @param {unknown} params
   */
  trigger(shim, params) {
    if (!this.#isOnMainThread) this.#engine?.post({ type: "trigger", shim, params });
  }

  /**
   * Takes an uncaught error of the main thread. If it is the engine's, the engine is dead.
   *
   * @param {unknown} error
   */
  pageFailed(error) {
    const isEngine = this.#isOnMainThread && error instanceof WebAssembly.RuntimeError;
    if (isEngine && this.isAlive) this.#crash();
  }

  /** @param {LocalEvent} event */
  #emit(event) {
    if (this.isAlive) this.#host.event(event);
  }

  get #started() {
    if (this.#engine === null) throw new Error("the device was not created");
    return this.#engine;
  }

  /**
   * Submits a command to the engine and resolves to its end.
   *
   * @param {Action} action
   * @param {(token: EventKind<"token">) => void} onToken
   * @returns {Promise<{ command: number } & End>}
   */
  #command(action, onToken = () => {}) {
    const command = this.#host.nextCommand();
    return new Promise((resolve) => {
      this.#pending = { command, onToken, resolve: (end) => resolve({ command, ...end }) };
      this.#started.post({ type: "submit", id: command, text: JSON.stringify({ id: command, action }) });
    });
  }

  /** @param {FromEngine} data */
  #take(data) {
    switch (data.type) {
      case "device":
        this.#emit(
          data.failure
            ? { event: "device-failed", failure: data.failure }
            : { event: "device-created" },
        );
        break;
      case "event":
        this.#event(JSON.parse(data.kind), data.command);
        break;
      case "injected":
        this.#host.injected(data.shim, data.detail);
        break;
      case "start-threads":
        this.#startThreads(data);
        break;
      case "without-engine":
        this.#log(`no engine: ${data.reason}`);
        this.#emit({ event: "device-failed", failure: "device-rejected" });
        break;
      case "error":
      case "lost":
        this.#crash(data.message);
        break;
      case "rejection":
        this.#crash(data.reason);
        break;
      default:
        break;
    }
  }

  /** @param {{ count: number, share: PoolShare }} threads */
  async #startThreads({ count, share }) {
    const trouble = await this.#pool.start(count, share);
    this.#started.post({ type: "threads-started", trouble });
  }

  #crash(why = "a thread failed") {
    this.#log(`the engine is dead: ${why}`);
    this.#emit({ event: "crashed" });
  }

  /**
   * Writes details that no event has a field for to the page's console.
   *
   * @param {string} line
   */
  #log(line) {
    if (this.isAlive) console.warn(`\`${this.#tier}\`: ${line}`);
  }

  /**
   * @param {PageEventKind} kind
   * @param {number | null} command
   */
  #event(kind, command) {
    const pending = this.#pending;
    switch (kind.type) {
      case "token":
        if (pending?.command === command) pending?.onToken(kind);
        break;
      case "finished":
      case "failed":
        if (pending === null || pending.command !== command) break;
        if (kind.type === "failed") this.#log(`failed: ${kind.error.kind}: ${kind.error.message}`);
        this.#pending = null;
        pending.resolve(kind);
        break;
      case "device-lost":
        this.#emit({ event: "device-lost", reason: kind.reason });
        break;
      case "panicked":
        this.#crash(kind.message);
        break;
      default:
        break;
    }
  }
}

/**
 * The result of a command. Throws if it is another command's.
 *
 * @template {EventKind<"finished">["result"]["of"]} Of
 * @param {EventKind<"finished">} end
 * @param {Of} of
 */
function resultOf({ result }, of) {
  if (result.of !== of) throw new Error(`expected a result of \`${of}\`, found \`${result.of}\``);
  return /** @type {Extract<typeof result, { of: Of }>} */ (result);
}

/**
 * Whether a failed load casts doubt on the stored weights.
 *
 * @param {EngineErrorKind} kind
 */
export function isOfWeights(kind) {
  return OF_WEIGHTS.includes(kind);
}

/**
 * Resolves to the ids of a text in the middle of an answer: without the token, if any, that the model
 * puts before every text. Two texts with nothing in common begin with the same token only if it does.
 *
 * @param {string} text
 * @param {(prompt: Prompt) => Promise<number[]>} idsOf
 */
async function textIds(text, idsOf) {
  if (text === "") return [];
  const [[first], [other]] = [await idsOf({ raw: "a" }), await idsOf({ raw: "\n" })];
  const ids = await idsOf({ raw: text });
  return first === other && ids[0] === first ? ids.slice(1) : ids;
}
