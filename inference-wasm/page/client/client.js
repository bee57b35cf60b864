// The hybrid client for an application: passes inputs to the state machine and carries out its
// effects. Effects are started in order without waiting for each other. Their results are inputs.

import { choose } from "../bundle.js";
import { detect } from "./detect.js";
import { Device, isOfWeights } from "./device.js";
import { PlainClient } from "./plain.js";
import { askServer } from "./server.js";
import { Weights } from "./weights.js";

/** @import { ClientInspection, Effect, Input, LocalEvent } from "../../types/protocol.d.ts" */
/** @import { AnyClient, BundleList, ClientStart, EffectOf, Glue } from "../../types/page.d.ts" */
/** @import { Listener, LocalTier, ShimList, StateMachine } from "../../types/page.d.ts" */

// A timer that is set further ahead fires at once.
const LONGEST_TIMER_MS = 0x7fffffff;

/**
 * Makes a client, which does nothing until `input({ input: "start" })`.
 *
 * @param {ClientStart} start
 * @param {string} base the address that all other addresses are relative to
 * @param {ShimList | null} shims those of a test
 * @param {Listener} listener `effect` gets every effect, `ran` every generation of an engine, and
 *   `injected` every report of a shim
 * @returns {Promise<AnyClient>}
 */
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

/**
 * Instantiates the module for the client alone. Engines on this thread have instances of their own.
 *
 * @param {string} base
 */
async function instantiate(base) {
  const response = await fetch(new URL("bundle.json", base));
  /** @type {BundleList} */
  const { bundles } = await response.json();
  // The client computes nothing: one thread, even if the engines have more.
  const { name } = choose("auto", 1, bundles.map((built) => built.name));
  const url = (/** @type {string} */ file) => new URL(`${name}/${file}`, base).href;
  /** @type {Glue} */
  const glue = await import(url("inference_wasm.js"));
  await glue.default({ module_or_path: fetch(url("inference_wasm_bg.wasm")) });
  return glue;
}

/** @implements {AnyClient} */
class Client {
  #machine;
  #start;
  #base;
  #shims;
  #listener;
  #weights;
  /**
   * By generation. Only the last one is alive.
   *
   * @type {Map<number, Device>}
   */
  #devices = new Map();
  /** @type {Map<number, AbortController>} */
  #attempts = new Map();
  /** @type {number | undefined} */
  #timer = undefined;
  /**
   * Inputs that arrived during a step. The machine takes one at a time.
   *
   * @type {Input[]}
   */
  #inbox = [];
  #isStepping = false;
  // Commands to engines, and their logits, are numbered over the life of a page.
  #commands = 0;
  #workersStarted = 0;
  // WebGL2 was found on this thread and not in workers.
  #isWebglHere = false;

  /**
   * @param {StateMachine} machine
   * @param {ClientStart} start
   * @param {string} base
   * @param {ShimList | null} shims
   * @param {Listener} listener
   */
  constructor(machine, start, base, shims, listener) {
    this.#machine = machine;
    this.#start = start;
    this.#base = base;
    this.#shims = shims;
    this.#listener = listener;
    this.#weights = new Weights(start.store, start.config.registry, base);
  }

  /**
   * Passes an input to the machine and carries out its effects.
   *
   * @param {Input} input
   */
  input(input) {
    this.#inbox.push(input);
    if (this.#isStepping) return;
    this.#isStepping = true;
    try {
      while (this.#inbox.length > 0) {
        const effects = this.#machine.step(performance.now(), JSON.stringify(this.#inbox.shift()));
        for (const effect of /** @type {Effect[]} */ (JSON.parse(effects))) {
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

  /**
   * Triggers a shim in the current worker.
   *
   * @param {string} shim
   * @param {unknown} params
   */
  trigger(shim, params) {
    for (const device of this.#devices.values()) device.trigger(shim, params);
  }

  /**
   * Takes an uncaught error of this thread.
   *
   * @param {unknown} error
   */
  pageFailed(error) {
    for (const device of this.#devices.values()) device.pageFailed(error);
  }

  /** @returns {Promise<ClientInspection>} */
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

  /**
   * @param {number} generation
   * @param {LocalEvent} event
   */
  #local(generation, event) {
    this.input({ input: "local", generation, event });
  }

  /**
   * Passes on the event that a promise resolves to, unless its device has been given up meanwhile.
   *
   * @param {number} generation
   * @param {Promise<LocalEvent | null>} promise
   */
  async #settle(generation, promise) {
    const event = await promise;
    if (event && this.#devices.has(generation)) this.#local(generation, event);
  }

  /** @param {number} generation */
  #device(generation) {
    const device = this.#devices.get(generation);
    if (device === undefined) throw new Error(`device ${generation} does not exist`);
    return device;
  }

  /** @param {Effect} effect */
  #carryOut(effect) {
    switch (effect.effect) {
      case "detect":
        this.#detect();
        break;
      case "create-device":
        this.#createDevice(effect);
        break;
      case "probe":
        this.#settle(effect.generation, this.#device(effect.generation).probe());
        break;
      case "inspect-storage":
        this.#settle(effect.generation, this.#weights.inspect(effect.variant));
        break;
      case "discard":
        this.#weights.discard(effect.variant);
        break;
      case "persist-storage":
        this.#weights.persist();
        break;
      case "verify-shard":
        this.#settle(effect.generation, this.#weights.verify(effect.variant, effect.shard));
        break;
      case "fetch-shard":
        this.#settle(
          effect.generation,
          this.#weights.fetch(effect, (bytes) =>
            this.#local(effect.generation, { event: "shard-progress", shard: effect.shard, bytes }),
          ),
        );
        break;
      case "load":
        this.#settle(effect.generation, this.#load(effect));
        break;
      case "run":
        this.#device(effect.generation).run(effect);
        break;
      case "stop-run":
        this.#devices.get(effect.generation)?.stop();
        break;
      case "abandon":
        this.#devices.get(effect.generation)?.abandon();
        this.#devices.delete(effect.generation);
        this.#weights.abandon(effect.generation);
        break;
      case "ask-server":
        this.#attempts.set(
          effect.generation,
          askServer(effect, this.#start, this.#base, (event) =>
            this.input({ input: "server", generation: effect.generation, event }),
          ),
        );
        break;
      case "stop-server":
        this.#attempts.get(effect.generation)?.abort();
        this.#attempts.delete(effect.generation);
        break;
      case "answer":
      case "fail":
        this.#attempts.clear();
        break;
      case "set-deadline":
        this.#setDeadline(effect.at_ms ?? null);
        break;
      default:
        // The rest is for the application: a question, a token, progress, a record.
        break;
    }
  }

  async #detect() {
    const capabilities = await detect(this.#start.accepts_software === true);
    const { webgl2, storage } = capabilities;
    this.#isWebglHere = webgl2?.present === true && !webgl2.in_worker;
    this.#weights.offer(storage ?? {});
    this.input({ input: "detected", capabilities });
  }

  /** @param {EffectOf<"create-device">} effect */
  #createDevice({ tier, generation }) {
    const isOnMainThread = tier === "webgl" && this.#isWebglHere;
    // The server needs no device.
    const backend = /** @type {LocalTier} */ (tier);
    const device = new Device(backend, isOnMainThread, this.#start, {
      shims: this.#shims,
      event: (event) => this.#local(generation, event),
      ran: (run) => this.#listener.ran?.({ generation, ...run }),
      injected: (shim, detail) => {
        this.#shims?.countInjection(shim);
        this.#listener.injected?.(shim, detail);
      },
      nextCommand: () => (this.#commands += 1),
    });
    this.#devices.set(generation, device);
    this.#workersStarted += device.hasWorker ? 1 : 0;
    device.create(this.#base);
  }

  /**
   * Loads a variant from stored shards, whose addresses lead nowhere else.
   *
   * @param {EffectOf<"load">} effect
   * @returns {Promise<LocalEvent>}
   */
  async #load({ generation, variant }) {
    const device = this.#device(generation);
    let lease;
    try {
      lease = await this.#weights.lease(variant);
    } catch {
      // The browser has evicted it a moment ago.
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

  /** @param {number | null} at in milliseconds of the page's clock */
  #setDeadline(at) {
    clearTimeout(this.#timer);
    if (at === null) return;
    // A timer may be early by a part of a millisecond, and the machine counts whole ones.
    const ms = Math.max(Math.ceil(at - performance.now()) + 1, 0);
    this.#timer = setTimeout(() => this.input({ input: "tick" }), Math.min(ms, LONGEST_TIMER_MS));
  }
}
