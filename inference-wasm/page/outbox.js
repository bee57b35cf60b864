// The one place where events get their numbers, and the one way they leave the page: in order,
// without gaps, one request at a time, each event delivered until the host has said so.
//
// A request takes some milliseconds of a processor that the engine's threads want. So events gather
// for a moment, unless one says that it can't wait; for a longer one where the page's address asks
// for it, as in `?gather=500`: a benchmark does, since with a thread for each core a request stops
// all of them.

// More than a busy second of events, and well below any limit on a request body.
const BATCH = 256;
// Between the starts of two requests, where nothing else is asked for. Nobody reads faster, and no
// deadline is that short.
const GATHER_MS = 50;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2000;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class Outbox {
  #url;
  #gatherMs = Number(new URLSearchParams(location.search).get("gather") ?? GATHER_MS);
  #seq = 0;
  #waiting = [];
  #isSending = false;
  // When the last request began.
  #sentAt = -Infinity;
  // Whether what waits can't wait longer, and who is told when that comes to be.
  #isUrgent = false;
  #hurry = () => {};

  constructor(url) {
    this.#url = url;
  }

  // Takes an event: the id of the command that caused it, or null, its kind as JSON text, and
  // whether somebody waits for it, as for the end of a command.
  add(command, kind, isUrgent = false) {
    const head = JSON.stringify({ seq: this.#seq, at_ms: performance.now(), command });
    this.#seq += 1;
    this.#waiting.push(`${head.slice(0, -1)},"kind":${kind}}`);
    if (isUrgent) {
      this.#isUrgent = true;
      this.#hurry();
    }
    if (!this.#isSending) this.#send();
  }

  async #gather() {
    // Whatever is added in this turn goes along in any case.
    await null;
    const ms = this.#sentAt + this.#gatherMs - performance.now();
    if (ms > 0 && !this.#isUrgent) {
      await Promise.race([pause(ms), new Promise((resolve) => (this.#hurry = resolve))]);
    }
    this.#isUrgent = false;
    this.#sentAt = performance.now();
  }

  async #send() {
    this.#isSending = true;
    while (this.#waiting.length > 0) {
      await this.#gather();
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
