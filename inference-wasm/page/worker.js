// The engine in a worker, where the page's main thread stays alive while it computes.

import { Engine } from "./engine.js";

const engine = new Engine((message) => postMessage(message));

addEventListener("error", (event) => {
  // Reported here, once, with the location as this thread knows it.
  event.preventDefault();
  const source = `${event.filename}:${event.lineno}:${event.colno}`;
  postMessage({ type: "error", message: event.message, source });
});
addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  postMessage({ type: "rejection", reason: String(event.reason) });
});

addEventListener("message", ({ data }) => engine.take(data));
