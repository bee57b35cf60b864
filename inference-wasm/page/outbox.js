// The one place where events get their numbers, and the one way they leave the page: in order,
// without gaps, one request at a time, each event delivered until the host has said so.

// More than a busy second of events, and well below any limit on a request body.
const BATCH = 256;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2000;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class Outbox {
  #url;
  #seq = 0;
  #waiting = [];
  #isSending = false;

  constructor(url) {
    this.#url = url;
  }

  // Takes an event: the id of the command that caused it, or null, and its kind as JSON text.
  add(command, kind) {
    const head = JSON.stringify({ seq: this.#seq, at_ms: performance.now(), command });
    this.#seq += 1;
    this.#waiting.push(`${head.slice(0, -1)},"kind":${kind}}`);
    if (!this.#isSending) this.#send();
  }

  async #send() {
    this.#isSending = true;
    // Whatever is added in this turn goes into the first batch.
    await null;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, BATCH);
      if (!(await this.#deliver(`[${batch.join(",")}]`))) return;
      this.#waiting.splice(0, batch.length);
    }
    this.#isSending = false;
  }

  // Whether the host took the batch. The same batch with the same numbers goes out again after a
  // network error or a 5xx: if only the answer was lost, the host sees numbers that it knows.
  async #deliver(body) {
    for (let ms = FIRST_PAUSE_MS; ; ms = Math.min(2 * ms, LONGEST_PAUSE_MS)) {
      try {
        const headers = { "content-type": "application/json" };
        const response = await fetch(this.#url, { method: "POST", headers, body });
        if (response.ok) return true;
        if (response.status < 500) {
          // The host refuses this page. Sending on would only make a gap.
          console.error(`the host refused events: HTTP ${response.status}`);
          return false;
        }
      } catch {
        // The connection failed; the next round tries again.
      }
      await pause(ms);
    }
  }
}
