// Scripts of a test, imported before anything that they stand in front of; see `Shim` in the
// protocol. A page without any has an empty list.

export class Shims {
  // By name: what was installed here, what it is installed with elsewhere, and how often it has
  // struck in workers.
  #all = new Map();

  // Imports and installs them, one after the other. `report(name, detail)` hears of every strike.
  static async install(shims, scope, base, report) {
    const installed = new Shims();
    for (const { name, url, params } of shims ?? []) {
      const module = await import(new URL(url, base).href);
      const shim = await module.install(params, scope, (detail) => report(name, detail));
      installed.#all.set(name, { shim: shim ?? {}, url, params: { ...params }, struck: 0 });
    }
    return installed;
  }

  // The same for a worker that is made now: it goes on where those before it have ended.
  forWorker() {
    return Array.from(this.#all, ([name, { url, params, struck }]) => {
      return { name, url, params: { ...params, struck } };
    });
  }

  // One of them has struck in a worker.
  strike(name) {
    const entry = this.#all.get(name);
    if (entry) entry.struck += 1;
  }

  // Hands an event of the engine, as JSON text, to those that want them.
  event(text) {
    if (this.#all.size === 0) return;
    const kind = JSON.parse(text);
    for (const { shim } of this.#all.values()) shim.event?.(kind);
  }

  async trigger(name, params) {
    const entry = this.#all.get(name);
    if (!entry) return;
    if (typeof params?.arm === "boolean") entry.params.armed = params.arm;
    if (params?.arm) entry.struck = 0;
    await entry.shim.trigger?.(params ?? {});
  }
}
