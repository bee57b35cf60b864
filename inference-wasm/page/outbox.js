// Numbers the page's events and delivers them to the host: in order, without gaps, one request at a
// time, each until the host has acknowledged it.
//
// A request costs a few milliseconds of a processor that the engine's threads could use, so events
// are gathered for a moment unless one is urgent. The page's address can ask for a longer interval,
// as in `?gather=500`. A benchmark does: with a thread for each core, a request stops all of them.

// More than a busy second of events, and well below any limit on a request body.
const BATCH = 256;
// The time between the starts of two requests unless the address says otherwise. Shorter than any
// deadline, and than anyone notices.
const GATHER_MS = 50;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2000;

/** @param {number} ms */
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class Outbox {
  #url;
  #gatherMs = Number(new URLSearchParams(location.search).get("gather") ?? GATHER_MS);
  #seq = 0;
  /**
   * Events as JSON text.
   *
   * @type {string[]}
   */
  #waiting = [];
  #isSending = false;
  // When the last request began.
  #sentAt = -Infinity;
  // An event that must not wait is among those waiting.
  #isUrgent = false;
  /**
   * Ends the current gathering early.
   *
   * @type {(value?: undefined) => void}
   */
  #hurry = () => {};

  /** @param {URL} url */
  constructor(url) {
    this.#url = url;
  }

  /**
   * Queues an event.
   *
   * @param {number | null} command the id of the command that caused it
   * @param {string} kind a `PageEventKind` as JSON text
   * @param {boolean} isUrgent whether the host waits for it, as for the end of a command
   */
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
    // Events added in this turn go along in any case.
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

  /**
   * Resolves to whether the host took the batch. After a network error or a 5xx the same batch with
   * the same numbers is sent again: if only the answer was lost, the host recognises the numbers.
   *
   * @param {string} body
   */
  async #deliver(body) {
    for (let ms = FIRST_PAUSE_MS; ; ms = Math.min(2 * ms, LONGEST_PAUSE_MS)) {
      try {
        const headers = { "content-type": "application/json" };
        const response = await fetch(this.#url, { method: "POST", headers, body });
        if (response.ok) return true;
        if (response.status < 500) {
          // The host refuses this page. Sending more would only leave a gap.
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
