// The workers that the engine's threads run on. The main thread starts and watches them, for it
// alone is never blocked: the engine's own worker waits for the others while it computes, and
// could not hear that one of them has failed.

const START_MS = 30000;

export class Pool {
  #workers = [];
  #onPanic;
  #onError;

  // `onPanic` takes the event of a panic as JSON text, `onError` a message and a place.
  constructor(onPanic, onError) {
    this.#onPanic = onPanic;
    this.#onError = onError;
  }

  // Starts `count` workers on a module and the memory that it shares. Gives null when all of them
  // wait for work, or why they don't.
  async start(count, share) {
    let timer;
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
      return error.message;
    } finally {
      clearTimeout(timer);
    }
  }

  stop() {
    for (const worker of this.#workers.splice(0)) worker.terminate();
  }

  #startOne(share) {
    const worker = new Worker(new URL("./pool-worker.js", import.meta.url), { type: "module" });
    this.#workers.push(worker);
    return new Promise((resolve, reject) => {
      let isStarted = false;
      const fail = (message, source) => {
        if (isStarted) this.#onError(message, source);
        else reject(new Error(message));
      };
      worker.addEventListener("message", ({ data }) => {
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
