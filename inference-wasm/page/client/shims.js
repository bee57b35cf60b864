// Scripts of a test, imported before anything that they stand in front of; see `Shim` in the
// protocol. A page without any has an empty list.

export class Shims {
  #installed = new Map();

  // Imports and installs them, one after the other. `report(name, detail)` hears of every strike.
  static async install(shims, scope, base, report) {
    const all = new Shims();
    for (const { name, url, params } of shims ?? []) {
      const module = await import(new URL(url, base).href);
      const shim = await module.install(params, scope, (detail) => report(name, detail));
      all.#installed.set(name, shim ?? {});
    }
    return all;
  }

  // Hands an event of the engine, as JSON text, to those that want them.
  event(text) {
    if (this.#installed.size === 0) return;
    const kind = JSON.parse(text);
    for (const shim of this.#installed.values()) shim.event?.(kind);
  }

  async trigger(name, params) {
    await this.#installed.get(name)?.trigger?.(params);
  }
}
