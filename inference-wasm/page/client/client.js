// The hybrid client for an application: tells the state machine what happens, and carries out what
// it asks for. Effects are begun in order and not waited for; what comes of them goes back in as
// inputs.

import { Refusal, choose } from "../bundle.js";
import { hasWebAssembly } from "../features.js";
import { detect } from "./detect.js";
import { Device } from "./device.js";
import { PlainClient } from "./plain.js";
import { askServer } from "./server.js";
import { Weights } from "./weights.js";

// A timer that is set further ahead fires at once.
const LONGEST_TIMER_MS = 0x7fffffff;

// A client for what a `ClientStart` of the protocol asks. `listener.effect` hears of every effect,
// `listener.ran` of every generation of an engine.
export async function createClient(start, base, shims, listener) {
  if (!hasWebAssembly()) return new PlainClient(start, base, listener);
  const bundles = await (await fetch(new URL("bundle.json", base))).json();
  const names = bundles.bundles.map((built) => built.name);
  // The client computes nothing: one thread, whatever the engines have.
  const { name } = choose("auto", 1, names);
  const url = (file) => new URL(`${name}/${file}`, base).href;
  const glue = await import(url("inference_wasm.js"));
  await glue.default({ module_or_path: fetch(url("inference_wasm_bg.wasm")) });
  const machine = new glue.HybridClient(JSON.stringify(start.config), start.fault ?? "");
  return new Client(machine, start, base, shims, listener);
}

class Client {
  #machine;
  #start;
  #base;
  #shims;
  #listener;
  #weights;
  // By generation; only the last one is alive.
  #devices = new Map();
  #attempts = new Map();
  #timer = null;
  // Inputs that came while the machine was at one; it takes one at a time.
  #inbox = [];
  #isStepping = false;
  // Commands to engines, and logits with them, are numbered over the life of a page.
  #commands = 0;
  #workersStarted = 0;

  constructor(machine, start, base, shims, listener) {
    this.#machine = machine;
    this.#start = start;
    this.#base = base;
    this.#shims = shims;
    this.#listener = listener;
    this.#weights = new Weights(start.store, start.config.registry, base);
    this.input({ input: "start" });
  }

  // Tells the machine that something has happened.
  input(input) {
    this.#inbox.push(input);
    if (this.#isStepping) return;
    this.#isStepping = true;
    try {
      while (this.#inbox.length > 0) {
        const effects = this.#machine.step(performance.now(), JSON.stringify(this.#inbox.shift()));
        for (const effect of JSON.parse(effects)) {
          this.#listener.effect(effect);
          this.#carryOut(effect);
        }
      }
    } finally {
      this.#isStepping = false;
    }
  }

  // Has a shim in the worker at work act.
  trigger({ shim, params }) {
    for (const device of this.#devices.values()) device.trigger(shim, params);
  }

  async inspect() {
    const alive = [...this.#devices.values()].filter((device) => device.isAlive);
    return {
      workers_started: this.#workersStarted,
      workers_alive: alive.length,
      object_urls: this.#weights.objectUrls,
      memory_shard_bytes: this.#weights.memoryBytes,
      js_heap_bytes: performance.memory?.usedJSHeapSize ?? null,
      stored_shards: await this.#weights.storedShards(),
      place: this.#weights.place,
    };
  }

  #local(generation, event) {
    this.input({ input: "local", generation, event });
  }

  #carryOut(effect) {
    const { generation, variant, shard, request } = effect;
    // What does not come at once comes as the event that the promise gives.
    const local = (promise) => promise.then((event) => event && this.#local(generation, event));
    switch (effect.effect) {
      case "detect":
        detect(this.#start.accepts_software === true).then((capabilities) =>
          this.input({ input: "detected", capabilities }),
        );
        break;
      case "create-device":
        this.#createDevice(effect);
        break;
      case "probe":
        local(this.#devices.get(generation).probe());
        break;
      case "inspect-storage":
        local(this.#weights.inspect(variant));
        break;
      case "discard":
        this.#weights.discard(variant);
        break;
      case "persist-storage":
        this.#weights.persist();
        break;
      case "verify-shard":
        local(this.#weights.verify(variant, shard));
        break;
      case "fetch-shard":
        local(
          this.#weights.fetch(effect, (bytes) =>
            this.#local(generation, { event: "shard-progress", shard, bytes }),
          ),
        );
        break;
      case "load":
        local(this.#load(effect));
        break;
      case "run":
        this.#devices.get(generation).run(effect);
        break;
      case "stop-run":
        this.#devices.get(generation)?.stop();
        break;
      case "abandon":
        this.#devices.get(generation)?.abandon();
        this.#devices.delete(generation);
        break;
      case "ask-server":
        this.#attempts.set(
          generation,
          askServer(effect, this.#start, this.#base, (event) => {
            this.input({ input: "server", generation, event });
          }),
        );
        break;
      case "stop-server":
        this.#attempts.get(generation)?.abort();
        this.#attempts.delete(generation);
        break;
      case "answer":
      case "fail":
        this.#attempts.clear();
        break;
      case "set-deadline":
        this.#setDeadline(effect.at_ms);
        break;
      default:
        // For the application: a question, a token, progress, a record.
        break;
    }
  }

  #createDevice({ tier, generation }) {
    this.#workersStarted += 1;
    const device = new Device(tier, this.#start, this.#base, this.#shims, {
      event: (event) => this.#local(generation, event),
      ran: (run) => this.#listener.ran({ generation, ...run }),
      injected: this.#listener.injected,
      nextCommand: () => (this.#commands += 1),
    });
    this.#devices.set(generation, device);
    device.create();
  }

  // Loads from where the shards lie, by addresses that lead nowhere else.
  async #load({ generation, variant }) {
    const device = this.#devices.get(generation);
    let lease;
    try {
      lease = await this.#weights.lease(variant);
    } catch {
      // It was there a moment ago: evicted.
      return { event: "load-failed", kind: "shard-unavailable" };
    }
    try {
      const failed = await device.load({ ...variant.file, shards: lease.shards });
      return failed ?? { event: "loaded", versions: lease.versions };
    } finally {
      lease.release();
    }
  }

  #setDeadline(at) {
    clearTimeout(this.#timer);
    if (at === null) return;
    const ms = Math.min(Math.max(at - performance.now(), 0), LONGEST_TIMER_MS);
    // A timer may be early by a part of a millisecond, and the machine counts whole ones.
    this.#timer = setTimeout(() => this.input({ input: "tick" }), Math.ceil(ms) + 1);
  }
}

export { Refusal };
