// The hybrid client for an application: tells the state machine what happens, and carries out what
// it asks for. Effects are begun in order and not waited for; what comes of them goes back in as
// inputs.

import { choose } from "../bundle.js";
import { detect } from "./detect.js";
import { Device, isOfWeights } from "./device.js";
import { PlainClient } from "./plain.js";
import { askServer } from "./server.js";
import { Weights } from "./weights.js";

// A timer that is set further ahead fires at once.
const LONGEST_TIMER_MS = 0x7fffffff;

// A client for what a `ClientStart` of the protocol asks, at rest until `input({ input: "start" })`.
// `listener.effect` hears of every effect; `listener.ran`, if it is there, of every generation of an
// engine, and `listener.injected` of what `shims` do, which only a test has.
export async function createClient(start, base, shims, listener) {
  let glue;
  try {
    glue = await instantiate(base);
  } catch (error) {
    console.warn(`no state machine, hence no engine: ${error}`);
    return new PlainClient(start, base, listener);
  }
  const machine = new glue.HybridClient(JSON.stringify(start.config), start.fault ?? "");
  return new Client(machine, start, base, shims, listener);
}

// An instance of the module for the client alone; those of engines on this thread are others.
async function instantiate(base) {
  const response = await fetch(new URL("bundle.json", base));
  const { bundles } = await response.json();
  // The client computes nothing: one thread, whatever the engines have.
  const { name } = choose("auto", 1, bundles.map((built) => built.name));
  const url = (file) => new URL(`${name}/${file}`, base).href;
  const glue = await import(url("inference_wasm.js"));
  await glue.default({ module_or_path: fetch(url("inference_wasm_bg.wasm")) });
  return glue;
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
  // Workers have no WebGL2, as was detected.
  #isWebglHere = false;

  constructor(machine, start, base, shims, listener) {
    this.#machine = machine;
    this.#start = start;
    this.#base = base;
    this.#shims = shims;
    this.#listener = listener;
    this.#weights = new Weights(start.store, start.config.registry, base);
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

  // The breakers as JSON, for the configuration of the next visit.
  breakers() {
    return this.#machine.breakers();
  }

  // Has a shim in the worker at work act.
  trigger(shim, params) {
    for (const device of this.#devices.values()) device.trigger(shim, params);
  }

  // An error of this thread that nobody has caught.
  pageFailed(error) {
    for (const device of this.#devices.values()) device.pageFailed(error);
  }

  async inspect() {
    const workers = [...this.#devices.values()].filter((device) => device.hasWorker);
    return {
      workers_started: this.#workersStarted,
      workers_alive: workers.length,
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
    const { generation, variant, shard } = effect;
    // What does not come at once comes as the event that the promise gives, unless the device that it
    // was for has been given up.
    const local = async (promise) => {
      const event = await promise;
      if (event && this.#devices.has(generation)) this.#local(generation, event);
    };
    switch (effect.effect) {
      case "detect":
        this.#detect();
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
        this.#weights.abandon(generation);
        break;
      case "ask-server":
        this.#attempts.set(
          generation,
          askServer(effect, this.#start, this.#base, (event) =>
            this.input({ input: "server", generation, event }),
          ),
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

  async #detect() {
    const capabilities = await detect(this.#start.accepts_software === true);
    const { webgl2, storage } = capabilities;
    this.#isWebglHere = webgl2.present && !webgl2.in_worker;
    this.#weights.offer(storage);
    this.input({ input: "detected", capabilities });
  }

  #createDevice({ tier, generation }) {
    const isOnMainThread = tier === "webgl" && this.#isWebglHere;
    const device = new Device(tier, isOnMainThread, this.#start, {
      shims: this.#shims,
      event: (event) => this.#local(generation, event),
      ran: (run) => this.#listener.ran?.({ generation, ...run }),
      injected: (shim, detail) => {
        this.#shims?.strike(shim);
        this.#listener.injected?.(shim, detail);
      },
      nextCommand: () => (this.#commands += 1),
    });
    this.#devices.set(generation, device);
    this.#workersStarted += device.hasWorker ? 1 : 0;
    device.create(generation, this.#base);
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
      const kind = await device.load(variant, lease.shards);
      if (kind === null) return { event: "loaded", versions: lease.versions };
      if (isOfWeights(kind)) this.#weights.distrust(variant.id);
      return { event: "load-failed", kind };
    } finally {
      lease.release();
    }
  }

  #setDeadline(at) {
    clearTimeout(this.#timer);
    if (at === null) return;
    // A timer may be early by a part of a millisecond, and the machine counts whole ones.
    const ms = Math.max(Math.ceil(at - performance.now()) + 1, 0);
    this.#timer = setTimeout(() => this.input({ input: "tick" }), Math.min(ms, LONGEST_TIMER_MS));
  }
}
