// The client in a browser without WebAssembly, which the state machine needs as much as the engine
// does. Every request goes to the server. Its events and records are those of the state machine.

import { askServer } from "./server.js";

/** @import { Begin, ClientErrorKind, ClientInspection, Effect, End } from "../../types/protocol.d.ts" */
/** @import { FallbackStep, Input, Reason, Request, ServerEvent } from "../../types/protocol.d.ts" */
/** @import { TelemetryRecord, Token } from "../../types/protocol.d.ts" */
/** @import { AnyClient, ClientStart, EffectOf, Listener } from "../../types/page.d.ts" */

/**
 * The request in flight.
 *
 * @typedef {{
 *   request: Request,
 *   since: number,
 *   seen: Token[],
 *   firstTokenMs: number | null,
 *   attempts: number,
 *   trail: FallbackStep[],
 *   generation: number,
 *   timer?: number,
 *   silence?: number,
 *   abort?: AbortController,
 * }} Flight
 */

/** @type {Reason} */
const REASON = "insufficient-device-capabilities";
/** @type {FallbackStep} */
const STEP = { from: "webgpu", to: "server", reason: REASON };
// The state machine's own numbers, for what the configuration leaves out.
const REQUEST_MS = 180000;
const SERVER_MS = 20000;
const ATTEMPTS = 2;
const TELEMETRY_VERSION = 1;

const now = () => Math.floor(performance.now());

/** @implements {AnyClient} */
export class PlainClient {
  #start;
  #base;
  #listener;
  #generation = 0;
  /** @type {Flight | null} */
  #flight = null;

  /**
   * @param {ClientStart} start
   * @param {string} base
   * @param {Listener} listener
   */
  constructor(start, base, listener) {
    this.#start = start;
    this.#base = base;
    this.#listener = listener;
  }

  /** @param {Input} input */
  input(input) {
    switch (input.input) {
      case "start":
        this.#begin();
        break;
      case "request":
        this.#request(input.request);
        break;
      case "cancel":
        if (this.#flight?.request.id === input.request) this.#cancel(this.#flight);
        break;
      default:
        // No device, battery or preference makes a difference here.
        break;
    }
  }

  trigger() {}

  pageFailed() {}

  /** @returns {Promise<ClientInspection>} */
  async inspect() {
    return {
      workers_started: 0,
      workers_alive: 0,
      object_urls: 0,
      memory_shard_bytes: 0,
      js_heap_bytes: performance.memory?.usedJSHeapSize ?? null,
      stored_shards: 0,
      place: null,
    };
  }

  /** @param {Effect} effect */
  #emit(effect) {
    this.#listener.effect(effect);
  }

  #begin() {
    /** @type {EffectOf<"transition">["transition"]} */
    const transition = { at_ms: now(), from: "new", to: "server", tier: "server", generation: 0, reason: REASON };
    this.#emit({ effect: "transition", transition });
  }

  /** @param {Request} request */
  #request(request) {
    /** @type {Flight} */
    const flight = {
      request,
      since: now(),
      seen: [],
      firstTokenMs: null,
      attempts: 0,
      trail: [STEP],
      generation: 0,
    };
    if (this.#flight !== null) {
      if (this.#flight.request.id !== request.id) this.#fail(flight, "busy", null);
      return;
    }
    this.#flight = flight;
    const limit = this.#start.config.deadlines?.request_ms ?? REQUEST_MS;
    flight.timer = setTimeout(
      () => this.#end(flight, () => this.#fail(flight, "deadline-exceeded", null)),
      limit,
    );
    this.#ask(flight, REASON);
  }

  /**
   * Asks the server, or gives up after too many attempts.
   *
   * @param {Flight} flight
   * @param {Reason} reason why the last attempt ended
   */
  #ask(flight, reason) {
    const { server_attempts = ATTEMPTS, start } = this.#start.config;
    if (start === "local-only" || flight.attempts >= server_attempts) {
      return this.#end(flight, () => this.#fail(flight, "no-tier-left", reason));
    }
    flight.attempts += 1;
    flight.generation = this.#generation += 1;
    const { id: request, generate } = flight.request;
    const ids = flight.seen.map((token) => token.id);
    const text = flight.seen.map((token) => token.text).join("");
    /** @type {Begin} */
    const begin = ids.length > 0 ? { begin: "continue", variant: null, ids, text } : { begin: "fresh" };
    /** @type {EffectOf<"ask-server">} */
    const ask = { effect: "ask-server", generation: flight.generation, request, generate, begin };
    this.#emit(ask);
    this.#watch(flight);
    flight.abort = askServer(ask, this.#start, this.#base, (event) => this.#server(flight, event));
  }

  /**
   * Restarts the timer after which a silent server counts as failed.
   *
   * @param {Flight} flight
   */
  #watch(flight) {
    clearTimeout(flight.silence);
    const limit = this.#start.config.deadlines?.server_ms ?? SERVER_MS;
    flight.silence = setTimeout(() => this.#again(flight, "server-timeout"), limit);
  }

  /**
   * @param {Flight} flight
   * @param {Reason} reason
   */
  #again(flight, reason) {
    this.#stop(flight);
    this.#ask(flight, reason);
  }

  /**
   * @param {Flight} flight
   * @param {ServerEvent} event
   */
  #server(flight, event) {
    if (flight !== this.#flight) return;
    if (event.event === "token") {
      this.#watch(flight);
      this.#see(flight, event.token);
    } else if (event.event === "answered") {
      if (event.end.tokens !== flight.seen.length) {
        this.#end(flight, () => this.#fail(flight, "token-missing", null));
        return;
      }
      this.#end(flight, () => this.#answer(flight, event.end, event.variant));
    } else if (event.is_request) {
      this.#end(flight, () => this.#fail(flight, "invalid-request", "server-failed"));
    } else {
      this.#again(flight, "server-failed");
    }
  }

  /**
   * @param {Flight} flight
   * @param {Token} token
   */
  #see(flight, token) {
    if (token.index !== flight.seen.length) {
      this.#end(flight, () => this.#fail(flight, "token-missing", null));
      return;
    }
    flight.firstTokenMs ??= now() - flight.since;
    flight.seen.push(token);
    this.#emit({ effect: "emit-token", request: flight.request.id, token });
  }

  /** @param {Flight} flight */
  #cancel(flight) {
    /** @type {End} */
    const end = { finish_reason: "cancelled", prompt_tokens: 0, tokens: flight.seen.length };
    this.#end(flight, () => this.#answer(flight, end, null));
  }

  /** @param {Flight} flight */
  #stop(flight) {
    clearTimeout(flight.silence);
    if (flight.abort === undefined) return;
    flight.abort.abort();
    flight.abort = undefined;
    this.#emit({ effect: "stop-server", generation: flight.generation });
  }

  /**
   * Ends the request in flight.
   *
   * @param {Flight} flight
   * @param {() => void} report reports how it ended
   */
  #end(flight, report) {
    clearTimeout(flight.timer);
    this.#stop(flight);
    this.#flight = null;
    report();
  }

  /**
   * @param {Flight} flight
   * @param {End} end
   * @param {string | null | undefined} variant
   */
  #answer(flight, { finish_reason, prompt_tokens, tokens }, variant) {
    /** @type {EffectOf<"answer">["answer"]} */
    const answer = {
      request: flight.request.id,
      text: flight.seen.map((token) => token.text).join(""),
      tokens: flight.seen.map((token) => token.id),
      finish_reason,
      usage: { prompt_tokens, completion_tokens: tokens, total_tokens: prompt_tokens + tokens },
      timings: { first_token_ms: flight.firstTokenMs, total_ms: now() - flight.since },
      tier: "server",
      variant,
      versions: null,
      generation: flight.generation,
      recoveries: 0,
      trail: flight.trail,
    };
    this.#emit({ effect: "answer", answer });
    this.#report(flight, {
      prompt_tokens,
      completion_tokens: tokens,
      success: true,
      finish_reason,
      tier: "server",
    });
  }

  /**
   * @param {Flight} flight
   * @param {ClientErrorKind} kind
   * @param {Reason | null} reason
   */
  #fail(flight, kind, reason) {
    /** @type {EffectOf<"fail">["error"]} */
    const error = {
      request: flight.request.id,
      kind,
      reason,
      tier: "server",
      tokens_emitted: flight.seen.length,
      trail: flight.trail,
    };
    this.#emit({ effect: "fail", error });
    this.#report(flight, { error: kind, tier: "server" });
  }

  /**
   * @param {Flight} flight
   * @param {Partial<TelemetryRecord>} more the fields that differ from record to record
   */
  #report(flight, more) {
    /** @type {TelemetryRecord} */
    const record = {
      version: TELEMETRY_VERSION,
      model_id: null,
      prompt_tokens: 0,
      completion_tokens: flight.seen.length,
      latency_ms: now() - flight.since,
      first_token_ms: flight.firstTokenMs,
      success: false,
      finish_reason: null,
      error: null,
      tier: null,
      trail: flight.trail,
      recoveries: 0,
      recovery_reason: null,
      recovery_ms: null,
      stale_events: 0,
      cache_hit_rate: null,
      fetched_bytes: 0,
      device_tier: null,
      form: null,
      cohort: null,
      ...more,
    };
    this.#emit({ effect: "telemetry", record });
  }
}
