// Scripts of a test, imported before the browser's interfaces that they change are used; see `Shim`
// in the protocol. Outside of tests the list is empty.

/** @import { PageEventKind, Shim } from "../../types/protocol.d.ts" */
/** @import { ShimHandle, ShimModule, ShimParams, ShimTrigger } from "../../types/page.d.ts" */

/**
 * One shim: its handle on this thread, its parameters for workers, and how often it has acted in
 * workers.
 *
 * @typedef {{ shim: ShimHandle, url: string, params: ShimParams, injections: number }} Installed
 */

export class Shims {
  /**
   * By name.
   *
   * @type {Map<string, Installed>}
   */
  #all = new Map();

  /**
   * Imports and installs shims, one after the other.
   *
   * @param {Shim[] | undefined} shims
   * @param {"page" | "worker"} scope
   * @param {string} base
   * @param {(name: string, detail: string) => void} report called each time one acts
   */
  static async install(shims, scope, base, report) {
    const installed = new Shims();
    for (const { name, url, params } of shims ?? []) {
      /** @type {ShimModule} */
      const module = await import(new URL(url, base).href);
      const own = /** @type {ShimParams} */ (params);
      const shim = await module.install(own, scope, (detail) => report(name, detail));
      installed.#all.set(name, { shim: shim ?? {}, url, params: { ...own }, injections: 0 });
    }
    return installed;
  }

  /**
   * The same shims for a new worker, which continues the count of those before it.
   *
   * @returns {Shim[]}
   */
  forWorker() {
    return Array.from(this.#all, ([name, { url, params, injections }]) => {
      return { name, url, params: { ...params, injections } };
    });
  }

  /**
   * Counts that one of them has acted in a worker.
   *
   * @param {string} name
   */
  countInjection(name) {
    const entry = this.#all.get(name);
    if (entry) entry.injections += 1;
  }

  /**
   * Passes an event of the engine on.
   *
   * @param {string} text a `PageEventKind` as JSON text
   */
  event(text) {
    if (this.#all.size === 0) return;
    /** @type {PageEventKind} */
    const kind = JSON.parse(text);
    for (const { shim } of this.#all.values()) shim.event?.(kind);
  }

  /**
   * @param {string} name
   * @param {unknown} params a `ShimTrigger`
   */
  async trigger(name, params) {
    const entry = this.#all.get(name);
    if (!entry) return;
    const action = /** @type {ShimTrigger} */ (params ?? {});
    if (typeof action.arm === "boolean") entry.params.armed = action.arm;
    if (action.arm) entry.injections = 0;
    await entry.shim.trigger?.(action);
  }
}
