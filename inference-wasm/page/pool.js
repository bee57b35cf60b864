// The workers that the engine's threads run on. The main thread starts and watches them because it is
// never blocked: the engine's own worker waits for the others while it computes, and would not
// notice that one of them has failed.

/** @import { FromPoolWorker, PoolShare } from "../types/page.d.ts" */

const START_MS = 30000;

export class Pool {
  /** @type {Worker[]} */
  #workers = [];
  #onPanic;
  #onError;

  /**
   * @param {(kind: string) => void} onPanic takes the event of a panic as JSON text
   * @param {(message: string, source: string) => void} onError
   */
  constructor(onPanic, onError) {
    this.#onPanic = onPanic;
    this.#onError = onError;
  }

  /**
   * Starts workers on a module and its shared memory. Resolves to null once all of them wait for
   * work, or to the reason why they don't.
   *
   * @param {number} count
   * @param {PoolShare} share
   * @returns {Promise<string | null>}
   */
  async start(count, share) {
    /** @type {number | undefined} */
    let timer;
    /** @type {Promise<never>} */
    const late = new Promise((_, reject) => {
      const message = `the workers of its threads did not start in ${START_MS} ms`;
      timer = setTimeout(() => reject(new Error(message)), START_MS);
    });
    try {
      const starting = Array.from({ length: count }, () => this.#startOne(share));
      await Promise.race([Promise.all(starting), late]);
      return null;
    } catch (error) {
      this.stop();
      return error instanceof Error ? error.message : String(error);
    } finally {
      clearTimeout(timer);
    }
  }

  stop() {
    for (const worker of this.#workers.splice(0)) worker.terminate();
  }

  /**
   * @param {PoolShare} share
   * @returns {Promise<void>}
   */
  #startOne(share) {
    const worker = new Worker(new URL("./pool-worker.js", import.meta.url), { type: "module" });
    this.#workers.push(worker);
    return new Promise((resolve, reject) => {
      let isStarted = false;
      const fail = (/** @type {string} */ message, /** @type {string} */ source) => {
        if (isStarted) this.#onError(message, source);
        else reject(new Error(message));
      };
      worker.addEventListener("message", (/** @type {MessageEvent<FromPoolWorker>} */ { data }) => {
        if (data.type === "panic") this.#onPanic(data.kind);
        if (data.type === "error") fail(data.message, "pool-worker.js");
        if (data.type === "ready") {
          isStarted = true;
          resolve();
        }
      });
      worker.addEventListener("error", (event) => {
        event.preventDefault();
        const message = event.message ?? "the script of a thread could not be loaded";
        fail(message, `${event.filename ?? "pool-worker.js"}:${event.lineno ?? 0}`);
      });
      worker.postMessage(share);
    });
  }
}
