// What is left of a client in a browser without WebAssembly, which the state machine needs as much as
// the engine does: every request goes to the server, and the record of it is the same as anybody's.

import { askServer } from "./server.js";

const REASON = "insufficient-device-capabilities";
const STEP = { from: "webgpu", to: "server", reason: REASON };
// The machine's own numbers, where the configuration has none.
const REQUEST_MS = 180000;
const SERVER_MS = 20000;
const ATTEMPTS = 2;
const TELEMETRY_VERSION = 1;

const now = () => Math.floor(performance.now());

export class PlainClient {
  #start;
  #base;
  #listener;
  #generation = 0;
  #flight = null;

  constructor(start, base, listener) {
    this.#start = start;
    this.#base = base;
    this.#listener = listener;
  }

  input(input) {
    switch (input.input) {
      case "start":
        this.#begin();
        break;
      case "request":
        this.#request(input.request);
        break;
      case "cancel":
        if (this.#flight?.request.id === input.request) this.#cancel();
        break;
      default:
        // There is nothing here that a device, a battery or a preference could change.
        break;
    }
  }

  trigger() {}

  pageFailed() {}

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

  #tell(effect) {
    this.#listener.effect(effect);
  }

  #begin() {
    const transition = { at_ms: now(), from: "new", to: "server", tier: "server", generation: 0, reason: REASON };
    this.#tell({ effect: "transition", transition });
  }

  #request(request) {
    const flight = { request, since: now(), seen: [], firstTokenMs: null, attempts: 0, trail: [STEP] };
    if (this.#flight !== null) {
      if (this.#flight.request.id !== request.id) this.#fail(flight, "busy", null);
      return;
    }
    this.#flight = flight;
    const limit = this.#start.config.deadlines?.request_ms ?? REQUEST_MS;
    flight.timer = setTimeout(() => this.#end(() => this.#fail(flight, "deadline-exceeded", null)), limit);
    this.#ask(flight, REASON);
  }

  // Asks the server, or gives up for the reason that was the last.
  #ask(flight, reason) {
    const { server_attempts = ATTEMPTS, start } = this.#start.config;
    if (start === "local-only" || flight.attempts >= server_attempts) {
      return this.#end(() => this.#fail(flight, "no-tier-left", reason));
    }
    flight.attempts += 1;
    flight.generation = this.#generation += 1;
    const { id: request, generate } = flight.request;
    const ids = flight.seen.map((token) => token.id);
    const text = flight.seen.map((token) => token.text).join("");
    const begin = ids.length > 0 ? { begin: "continue", variant: null, ids, text } : { begin: "fresh" };
    const ask = { effect: "ask-server", generation: flight.generation, request, generate, begin };
    this.#tell(ask);
    this.#watch(flight);
    flight.abort = askServer(ask, this.#start, this.#base, (event) => this.#server(flight, event));
  }

  // A server that gives no sign of life for so long has failed.
  #watch(flight) {
    clearTimeout(flight.silence);
    const limit = this.#start.config.deadlines?.server_ms ?? SERVER_MS;
    flight.silence = setTimeout(() => this.#again(flight, "server-timeout"), limit);
  }

  #again(flight, reason) {
    this.#stop(flight);
    this.#ask(flight, reason);
  }

  #server(flight, event) {
    if (flight !== this.#flight) return;
    if (event.event === "token") {
      this.#watch(flight);
      this.#see(flight, event.token);
    } else if (event.event === "answered") {
      if (event.end.tokens !== flight.seen.length) {
        return this.#end(() => this.#fail(flight, "token-missing", null));
      }
      this.#end(() => this.#answer(flight, event.end, event.variant));
    } else if (event.is_request) {
      this.#end(() => this.#fail(flight, "invalid-request", "server-failed"));
    } else {
      this.#again(flight, "server-failed");
    }
  }

  #see(flight, token) {
    if (token.index !== flight.seen.length) {
      return this.#end(() => this.#fail(flight, "token-missing", null));
    }
    flight.firstTokenMs ??= now() - flight.since;
    flight.seen.push(token);
    this.#tell({ effect: "emit-token", request: flight.request.id, token });
  }

  #cancel() {
    const flight = this.#flight;
    const end = { finish_reason: "cancelled", prompt_tokens: 0, tokens: flight.seen.length };
    this.#end(() => this.#answer(flight, end, null));
  }

  #stop(flight) {
    clearTimeout(flight.silence);
    if (flight.abort === undefined) return;
    flight.abort.abort();
    flight.abort = undefined;
    this.#tell({ effect: "stop-server", generation: flight.generation });
  }

  // Ends the request in flight in the way that `tell` says.
  #end(tell) {
    const flight = this.#flight;
    clearTimeout(flight.timer);
    this.#stop(flight);
    this.#flight = null;
    tell();
  }

  #answer(flight, { finish_reason, prompt_tokens, tokens }, variant) {
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
    this.#tell({ effect: "answer", answer });
    const record = { prompt_tokens, completion_tokens: tokens, success: true, finish_reason, tier: "server" };
    this.#report(flight, record);
  }

  #fail(flight, kind, reason) {
    const error = {
      request: flight.request.id,
      kind,
      reason,
      tier: "server",
      tokens_emitted: flight.seen.length,
      trail: flight.trail,
    };
    this.#tell({ effect: "fail", error });
    this.#report(flight, { error: kind, tier: "server" });
  }

  // A `TelemetryRecord`: what is the same in every one, and what is not.
  #report(flight, more) {
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
    this.#tell({ effect: "telemetry", record });
  }
}
