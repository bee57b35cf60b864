// One attempt at the server tier: sends a request and passes on the events of its answer.

/** @import { Answer, ServerEvent, Token } from "../../types/protocol.d.ts" */
/** @import { ClientStart, EffectOf } from "../../types/page.d.ts" */

/**
 * One server-sent event of an answer.
 *
 * @typedef {{ name: "token", data: Token }
 *   | { name: "problem", data: { status: number } }
 *   | { name: "answer", data: Answer }} StreamEvent
 */

/** @typedef {(event: ServerEvent) => void} Take */

// Timeouts and rate limits: statuses of class 4xx that don't mean that the request is wrong.
const NOT_OF_THE_REQUEST = [408, 429];

/** @param {number} status */
const isOfRequest = (status) =>
  status >= 400 && status < 500 && !NOT_OF_THE_REQUEST.includes(status);

/** The server answered with an error status. */
class Refused extends Error {
  /** @param {number} status */
  constructor(status) {
    super(`HTTP ${status}`);
    this.status = status;
  }
}

/**
 * Sends a request and passes every event of the answer to `take`, until the returned controller
 * aborts.
 *
 * @param {EffectOf<"ask-server">} ask
 * @param {Pick<ClientStart, "server" | "server_model">} start
 * @param {string} base
 * @param {Take} take
 */
export function askServer({ request, generate, begin }, { server, server_model }, base, take) {
  const abort = new AbortController();
  /** @type {Take} */
  const emit = (event) => {
    if (!abort.signal.aborted) take(event);
  };
  // The server doesn't return logits.
  const { logits: _, ...wanted } = generate;
  const body = JSON.stringify({ request, model: server_model ?? null, ...wanted, begin, stream: true });
  attempt(server, base, body, abort.signal, emit).catch((error) => {
    emit({ event: "failed", is_request: error instanceof Refused && isOfRequest(error.status) });
  });
  return abort;
}

/**
 * @param {string | null | undefined} server
 * @param {string} base
 * @param {string} body
 * @param {AbortSignal} signal
 * @param {Take} emit
 */
async function attempt(server, base, body, signal, emit) {
  if (typeof server !== "string") throw new Error("there is no server");
  const url = new URL(`${server.replace(/\/$/, "")}/api/v1/generate`, base);
  const headers = { "content-type": "application/json", accept: "text/event-stream" };
  const response = await fetch(url, { method: "POST", headers, body, signal });
  if (!response.ok) throw new Refused(response.status);
  if (!response.headers.get("content-type")?.startsWith("text/event-stream")) {
    throw new Error("the answer is not a stream of events");
  }
  if (response.body === null) throw new Error("the answer has no body");
  for await (const event of events(response.body)) {
    if (event.name === "token") emit({ event: "token", token: event.data });
    if (event.name === "problem") throw new Refused(event.data.status);
    if (event.name === "answer") {
      const { finish_reason, usage, variant } = event.data;
      const { prompt_tokens, completion_tokens: tokens } = usage;
      emit({ event: "answered", tokens: [], end: { finish_reason, prompt_tokens, tokens }, variant });
      return;
    }
  }
  throw new Error("the stream ended without an answer");
}

/**
 * The server-sent events of a body.
 *
 * @param {ReadableStream<Uint8Array<ArrayBuffer>>} body
 * @returns {AsyncGenerator<StreamEvent>}
 */
async function* events(body) {
  // Not `for await` over the body: WebKit's streams can't be iterated.
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    text += value.replaceAll("\r", "");
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const event = parse(text.slice(0, end));
      text = text.slice(end + 2);
      if (event) yield event;
    }
  }
}

/**
 * Null for a comment, which only keeps the connection alive.
 *
 * @param {string} text
 * @returns {StreamEvent | null}
 */
function parse(text) {
  let name = "message";
  const data = [];
  for (const line of text.split("\n")) {
    const [, field, value] = /^([^:]*): ?(.*)$/.exec(line) ?? [];
    if (field === "event") name = value;
    if (field === "data") data.push(value);
  }
  if (data.length === 0) return null;
  return /** @type {StreamEvent} */ ({ name, data: JSON.parse(data.join("\n")) });
}
