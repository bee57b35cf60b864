// One device: a thread with an engine of its own, which is told its tier and takes no other. When
// the device is given up, the thread goes with it, and nothing of it is used again.

import { inWorker, onThisThread } from "../place.js";

// A few cases that reach every stage of a dispatch: a weight, a product, a norm, a readback.
const FIRST_DISPATCH = { webgpu: "rms_norm/", webgl: "rms_norm/", wasm: "rms_norm/" };
// How often an engine that has nothing to do is asked whether its device is still there.
const CHECK_MS = 100;

export class Device {
  #tier;
  #start;
  #base;
  #shims;
  #host;
  #engine = null;
  #checks = null;
  // What waits for the end of the command at work, and what hears of its tokens.
  #pending = null;
  #ready = null;
  isAlive = true;

  // `host.event` takes events of the device, `host.ran` a generation that has ended.
  constructor(tier, start, base, shims, host) {
    this.#tier = tier;
    this.#start = start;
    this.#base = base;
    this.#shims = shims;
    this.#host = host;
  }

  async create() {
    const take = (data) => this.isAlive && this.#take(data);
    const mainThread = this.#tier === "webgl" && !(await webglWorks());
    this.#engine = mainThread ? onThisThread(take, this.#shims) : inWorker(take);
    this.#ready = { on: (data) => this.#started(data) };
    this.#engine.post({
      type: "start",
      base: this.#base,
      bundle: this.#start.bundle ?? "auto",
      threads: this.#start.threads ?? 1,
      shims: this.#start.shims ?? [],
      device: this.#tier,
    });
  }

  // Runs the first dispatch and holds it against the scalar reference.
  async probe() {
    const filter = FIRST_DISPATCH[this.#tier];
    const end = await this.#command({ do: "ops", backend: this.#tier, filter });
    if (end.type === "failed") {
      if (end.error.kind === "device-lost") return { event: "device-lost", reason: "unknown" };
      return { event: "probed", is_right: false };
    }
    const { failures, cases } = end.result;
    return { event: "probed", is_right: cases > 0 && failures.length === 0 };
  }

  // Null, or the event that tells of the failure.
  async load(model) {
    const { context_tokens = null, threads = null } = this.#start;
    const request = { backend: this.#tier, model, context_tokens };
    if (this.#tier === "wasm" && threads !== null) request.threads = threads;
    const end = await this.#command({ do: "load", ...request });
    return end.type === "failed" ? { event: "load-failed", kind: end.error.kind } : null;
  }

  async run({ request, generate, begin }) {
    const fail = (kind) => this.#host.event({ event: "failed", request, kind });
    const seen = begin.begin === "continue" ? await this.#seen(generate, begin) : null;
    if (seen?.error) return fail(seen.error.kind);
    const offset = seen?.ids.length ?? 0;
    const wanted = seen
      ? { ...generate, prompt: { ids: [...seen.prompt, ...seen.ids] }, max_tokens: generate.max_tokens - offset }
      : generate;
    const onToken = ({ index, id, text }) => {
      const token = { index: index + offset, id, text };
      this.#host.event({ event: "token", request, token });
    };
    const end = await this.#command({ do: "generate", ...wanted }, onToken);
    if (end.type === "failed") return fail(end.error.kind);
    const generated = end.result;
    this.#host.ran({ request, logits_command: end.command, generated });
    this.#host.event({
      event: "finished",
      request,
      end: {
        finish_reason: generated.finish_reason,
        prompt_tokens: seen ? seen.prompt.length : generated.prompt_ids.length,
        tokens: offset + generated.generated_ids.length,
      },
    });
  }

  // The ids of a prompt and of what the user has seen of its answer. Another model's ids mean
  // nothing to this one, the text does.
  async #seen(generate, { variant, ids, text }) {
    const idsOf = async (prompt) => {
      const end = await this.#command({ do: "generate", ...generate, prompt, max_tokens: 0, logits: "none" });
      return end.type === "failed" ? { error: end.error } : { ids: end.result.prompt_ids };
    };
    const prompt = await idsOf(generate.prompt);
    if (prompt.error) return prompt;
    if (variant === this.#start.config.registry[0]?.id || text === "") {
      return { prompt: prompt.ids, ids };
    }
    const own = await idsOf({ raw: text });
    return own.error ? own : { prompt: prompt.ids, ids: own.ids };
  }

  stop() {
    this.#engine?.post({ type: "cancel" });
  }

  abandon() {
    this.isAlive = false;
    clearInterval(this.#checks);
    this.#engine?.stop();
  }

  trigger(shim, params) {
    this.#engine?.post({ type: "trigger", shim, params });
  }

  // Hands the engine a command, and waits for its end.
  #command(action, onToken = () => {}) {
    const command = this.#host.nextCommand();
    return new Promise((resolve) => {
      this.#pending = { command, onToken, resolve: (kind) => resolve({ command, ...kind }) };
      this.#engine.post({ type: "submit", id: command, text: JSON.stringify({ id: command, action }) });
    });
  }

  #started({ failure }) {
    if (failure) return this.#host.event({ event: "device-failed", failure });
    this.#host.event({ event: "device-created" });
    this.#checks = setInterval(() => {
      if (this.#pending === null) this.#engine.post({ type: "check-device" });
    }, CHECK_MS);
  }

  #take(data) {
    switch (data.type) {
      case "device":
        this.#started(data);
        break;
      case "event":
        this.#event(JSON.parse(data.kind), data.command);
        break;
      case "injected":
        this.#host.injected(data.shim, data.detail);
        break;
      case "without-engine":
        this.#host.event({ event: "device-failed", failure: "adapter-null" });
        break;
      case "error":
      case "rejection":
        this.#host.event({ event: "crashed" });
        break;
      default:
        break;
    }
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
        this.#pending = null;
        pending.resolve(kind);
        break;
      case "device-lost":
        this.#host.event({ event: "device-lost", reason: kind.reason });
        break;
      case "panicked":
        this.#host.event({ event: "crashed" });
        break;
      default:
        break;
    }
  }
}

// Whether a worker can have a WebGL2 context. Asked once: it is the browser's nature.
let works = null;
function webglWorks() {
  works ??= new Promise((resolve) => {
    const worker = new Worker(new URL("../probe-worker.js", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }) => resolve(data.webgl2);
    worker.onerror = () => resolve(false);
    worker.postMessage({ memory: null });
    setTimeout(() => resolve(false), 5000);
  }).then((can) => can);
  return works;
}
