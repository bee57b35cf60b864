// One attempt at the server tier: a request, and the events of its answer as they come.

// Statuses that blame the request, and yet may be others the next time: too slow, too many.
const NOT_OF_THE_REQUEST = [408, 429];

const isOfRequest = (status) =>
  status >= 400 && status < 500 && !NOT_OF_THE_REQUEST.includes(status);

// What the server says instead of an answer.
class Refused extends Error {
  constructor(status) {
    super(`HTTP ${status}`);
    this.status = status;
  }
}

// Asks, and hands every `ServerEvent` to `take`. Gives an `AbortController`; nothing comes once it
// has aborted.
export function askServer({ request, generate, begin }, { server, server_model }, base, take) {
  const abort = new AbortController();
  const tell = (event) => abort.signal.aborted || take(event);
  // The server gives no logits.
  const { logits: _, ...wanted } = generate;
  const body = JSON.stringify({ request, model: server_model ?? null, ...wanted, begin, stream: true });
  attempt(server, base, body, abort.signal, tell).catch((error) => {
    tell({ event: "failed", is_request: error instanceof Refused && isOfRequest(error.status) });
  });
  return abort;
}

async function attempt(server, base, body, signal, tell) {
  if (typeof server !== "string") throw new Error("there is no server");
  const url = new URL(`${server.replace(/\/$/, "")}/api/v1/generate`, base);
  const headers = { "content-type": "application/json", accept: "text/event-stream" };
  const response = await fetch(url, { method: "POST", headers, body, signal });
  if (!response.ok) throw new Refused(response.status);
  if (!response.headers.get("content-type")?.startsWith("text/event-stream")) {
    throw new Error("the answer is no stream of events");
  }
  for await (const { name, data } of events(response.body)) {
    if (name === "token") tell({ event: "token", token: data });
    if (name === "problem") throw new Refused(data.status);
    if (name === "answer") {
      const { finish_reason, usage, variant } = data;
      const { prompt_tokens, completion_tokens: tokens } = usage;
      tell({ event: "answered", tokens: [], end: { finish_reason, prompt_tokens, tokens }, variant });
      return;
    }
  }
  throw new Error("the stream ended without an answer");
}

// Server-sent events of a body, each with its name and its data, which is JSON.
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

// Null for a comment, which only keeps the connection alive.
function parse(text) {
  let name = "message";
  const data = [];
  for (const line of text.split("\n")) {
    const [, field, value] = /^([^:]*): ?(.*)$/.exec(line) ?? [];
    if (field === "event") name = value;
    if (field === "data") data.push(value);
  }
  return data.length > 0 ? { name, data: JSON.parse(data.join("\n")) } : null;
}
