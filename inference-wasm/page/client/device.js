// One device: a thread with an engine of its own, which is told its tier and takes no other. When
// the device is given up the thread goes with it, and nothing of it is used again. A browser that has
// WebGL2 on the page's main thread alone gets a fresh instance of the engine there.

import { inWorker, onThisThread } from "../place.js";
import { Pool } from "../pool.js";

// A matrix product and a norm of some rows: every stage of a dispatch, in some
// hundred milliseconds on an adapter that computes on the CPU.
const FIRST_DISPATCH = "*m*/F32/rows=5,columns=96*";

// What can go wrong with stored weights, as an engine that loads them says it.
const OF_WEIGHTS = ["shard-unavailable", "shard-truncated", "shard-corrupt"];

export class Device {
  #tier;
  #start;
  #host;
  #isOnMainThread;
  #engine = null;
  #pool;
  // The variant that is loaded.
  #variant = null;
  // The command at work: its number, and who waits for its tokens and its end.
  #pending = null;
  isAlive = true;

  // `host.event` takes events of the device, `host.ran` a generation that has ended,
  // `host.nextCommand` gives numbers; `host.shims` are those of the page, if it has any.
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

  create(generation, base) {
    const take = (data) => this.isAlive && this.#take(data);
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

  // Runs the first dispatch and holds it against the scalar reference.
  async probe() {
    const end = await this.#command({ do: "ops", backend: this.#tier, filter: FIRST_DISPATCH });
    if (end.type === "failed") {
      if (end.error.kind === "device-lost") return { event: "device-lost", reason: "unknown" };
      return { event: "probed", is_right: false };
    }
    const { failures, tallies } = end.result;
    const passed = tallies.reduce((sum, tally) => sum + tally.passed, 0);
    return { event: "probed", is_right: passed > 0 && failures.length === 0 };
  }

  // Loads a variant whose shards lie at these addresses. Null, or the kind of the failure.
  async load(variant, shards) {
    const model = { ...variant.file, shards };
    const { context_tokens = null } = this.#start;
    const end = await this.#command({ do: "load", backend: this.#tier, model, context_tokens });
    this.#variant = variant.id;
    return end.type === "failed" ? end.error.kind : null;
  }

  // Runs a request: tokens, and its end, come as events.
  async run({ request, generate, begin }) {
    const fail = (kind) => this.#tell({ event: "failed", request, kind });
    const isContinued = begin.begin === "continue";
    // Tokens that the user has seen, whatever their ids are to this model.
    const offset = isContinued ? begin.ids.length : 0;
    const seen = isContinued ? await this.#seen(generate, begin) : null;
    if (seen?.kind) return fail(seen.kind);
    const max_tokens = Math.max(generate.max_tokens - offset, 0);
    const wanted = seen ? { ...generate, prompt: { ids: [...seen.prompt, ...seen.ids] }, max_tokens } : generate;
    const end = await this.#command({ do: "generate", ...wanted }, ({ index, id, text }) => {
      const token = { index: index + offset, id, text };
      this.#tell({ event: "token", request, token });
    });
    if (end.type === "failed") return fail(end.error.kind);
    const { of: _, ...generated } = end.result;
    this.#host.ran({ request, logits_command: end.command, generated });
    this.#tell({
      event: "finished",
      request,
      end: {
        finish_reason: generated.finish_reason,
        prompt_tokens: seen ? seen.prompt.length : generated.prompt_ids.length,
        tokens: offset + generated.generated_ids.length,
      },
    });
  }

  // The ids of a prompt and of what the user has seen of its answer; or the kind of a failure.
  // Another model's ids mean nothing to this one, the text does. The prompt comes last, so that it is
  // in the cache when the answer goes on.
  async #seen(generate, { variant, ids, text }) {
    try {
      const idsOf = (prompt) => this.#ids(generate, prompt);
      const own = variant === this.#variant ? ids : await textIds(text, idsOf);
      return { prompt: await idsOf(generate.prompt), ids: own };
    } catch (error) {
      return { kind: error.kind };
    }
  }

  // The ids of a prompt, as the model sees it: what a generation of no tokens reports.
  async #ids(generate, prompt) {
    const action = { do: "generate", ...generate, prompt, max_tokens: 0, logits: "none" };
    const end = await this.#command(action);
    if (end.type === "failed") throw end.error;
    return end.result.prompt_ids;
  }

  stop() {
    this.#engine?.post({ type: "cancel" });
  }

  // Ends the thread, whatever it is at. Whoever waits for a command is told, and nobody else.
  abandon() {
    this.isAlive = false;
    this.#engine?.stop();
    this.#pool.stop();
    this.#pending?.resolve({ type: "failed", error: { kind: "device-lost" } });
  }

  // Has a shim in the device's own thread act. Those of the main thread have been told.
  trigger(shim, params) {
    if (!this.#isOnMainThread) this.#engine?.post({ type: "trigger", shim, params });
  }

  // An error of this thread that nobody has caught may be the engine's, which is dead then.
  pageFailed(error) {
    const isEngine = this.#isOnMainThread && error instanceof WebAssembly.RuntimeError;
    if (isEngine && this.isAlive) this.#crash();
  }

  #tell(event) {
    if (this.isAlive) this.#host.event(event);
  }

  // Hands the engine a command, and waits for its end.
  #command(action, onToken = () => {}) {
    const command = this.#host.nextCommand();
    return new Promise((resolve) => {
      this.#pending = { command, onToken, resolve: (kind) => resolve({ command, ...kind }) };
      this.#engine.post({ type: "submit", id: command, text: JSON.stringify({ id: command, action }) });
    });
  }

  #take(data) {
    switch (data.type) {
      case "device":
        this.#tell(
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
        this.#tell({ event: "device-failed", failure: "device-rejected" });
        break;
      case "error":
      case "rejection":
      case "lost":
        this.#crash(data.message ?? data.reason);
        break;
      default:
        break;
    }
  }

  async #startThreads({ count, share }) {
    const trouble = await this.#pool.start(count, share);
    this.#engine.post({ type: "threads-started", trouble });
  }

  #crash(why = "a thread failed") {
    this.#log(`the engine is dead: ${why}`);
    this.#tell({ event: "crashed" });
  }

  // What the state machine has no word for, for whoever looks at the page's console.
  #log(line) {
    if (this.isAlive) console.warn(`\`${this.#tier}\`: ${line}`);
  }

  #event(kind, command) {
    const pending = this.#pending;
    const isOurs = pending !== null && pending.command === command;
    switch (kind.type) {
      case "token":
        if (isOurs) pending.onToken(kind);
        break;
      case "finished":
      case "failed":
        if (!isOurs) break;
        if (kind.type === "failed") this.#log(`failed: ${kind.error.kind}: ${kind.error.message}`);
        this.#pending = null;
        pending.resolve(kind);
        break;
      case "device-lost":
        this.#tell({ event: "device-lost", reason: kind.reason });
        break;
      case "panicked":
        this.#crash(kind.message);
        break;
      default:
        break;
    }
  }
}

// Whether a failed load casts doubt on what is stored.
export function isOfWeights(kind) {
  return OF_WEIGHTS.includes(kind);
}

// The ids of a text in the middle of an answer: without the token that the model puts before every
// text, which shows as the one that two texts with nothing in common begin with.
async function textIds(text, idsOf) {
  if (text === "") return [];
  const [[first], [other]] = [await idsOf({ raw: "a" }), await idsOf({ raw: "\n" })];
  const ids = await idsOf({ raw: text });
  return first === other && ids[0] === first ? ids.slice(1) : ids;
}
