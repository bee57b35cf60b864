// The places where a browser keeps bytes between visits, with one interface: named entries of bytes,
// all under the name of the store. If the browser refuses a call, its error is thrown as it is. If it
// refuses silently, the size of what can be read back shows it.

/** @import { Place as PlaceName } from "../../types/protocol.d.ts" */
/** @import { Entries } from "../../types/page.d.ts" */

// A call that has not returned by then never will.
const HUNG_MS = 4000;

/** @implements {Entries} */
class Opfs {
  /** @param {string} store */
  constructor(store) {
    this.store = store;
  }

  async #folder() {
    const root = await navigator.storage.getDirectory();
    return root.getDirectoryHandle(this.store, { create: true });
  }

  async names() {
    /** @type {Map<string, number>} */
    const found = new Map();
    for await (const [name, handle] of (await this.#folder()).entries()) {
      if (handle.kind !== "file") continue;
      const file = await /** @type {FileSystemFileHandle} */ (handle).getFile();
      found.set(name, file.size);
    }
    return found;
  }

  /** @param {string} name */
  async read(name) {
    try {
      return await (await (await this.#folder()).getFileHandle(name)).getFile();
    } catch (error) {
      if (/** @type {DOMException} */ (error)?.name === "NotFoundError") return null;
      throw error;
    }
  }

  /**
   * @param {string} name
   * @param {Blob} blob
   */
  async write(name, blob) {
    const handle = await (await this.#folder()).getFileHandle(name, { create: true });
    const writable = await handle.createWritable();
    try {
      await writable.write(blob);
      await writable.close();
    } catch (error) {
      // Otherwise the file stays locked. A failure of this call adds nothing.
      await writable.abort?.().catch(() => {});
      throw error;
    }
  }

  /** @param {string} name */
  async remove(name) {
    await (await this.#folder()).removeEntry(name);
  }
}

/** @implements {Entries} */
class CacheStorage {
  /** @param {string} store */
  constructor(store) {
    this.store = store;
  }

  /**
   * The key of an entry. Nothing is ever fetched from it. It doesn't depend on the page's address,
   * which may change from visit to visit.
   *
   * @param {string} name
   */
  #url(name) {
    return new URL(`/${encodeURIComponent(this.store)}/${encodeURIComponent(name)}`, location.origin);
  }

  async names() {
    const cache = await caches.open(this.store);
    /** @type {Map<string, number>} */
    const found = new Map();
    for (const request of await cache.keys()) {
      const name = decodeURIComponent(new URL(request.url).pathname.split("/").pop() ?? "");
      const blob = await (await cache.match(request))?.blob();
      if (blob) found.set(name, blob.size);
    }
    return found;
  }

  /** @param {string} name */
  async read(name) {
    const response = await (await caches.open(this.store)).match(this.#url(name));
    return response ? response.blob() : null;
  }

  /**
   * @param {string} name
   * @param {Blob} blob
   */
  async write(name, blob) {
    await (await caches.open(this.store)).put(this.#url(name), new Response(blob));
  }

  /** @param {string} name */
  async remove(name) {
    await (await caches.open(this.store)).delete(this.#url(name));
  }
}

const ENTRIES = "entries";

/** @implements {Entries} */
class IndexedDb {
  /** @param {string} store */
  constructor(store) {
    this.store = store;
  }

  /** @returns {Promise<IDBDatabase>} */
  async #open() {
    const request = indexedDB.open(this.store, 1);
    return new Promise((resolve, reject) => {
      request.onupgradeneeded = () => request.result.createObjectStore(ENTRIES);
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  }

  /**
   * Runs `use` in a transaction of its own and resolves to the result of the request that it returns,
   * once the transaction is complete: only then has a write happened.
   *
   * @template T
   * @param {IDBTransactionMode} mode
   * @param {(entries: IDBObjectStore) => IDBRequest<T>} use
   * @returns {Promise<T>}
   */
  async #transact(mode, use) {
    const database = await this.#open();
    try {
      return await new Promise((resolve, reject) => {
        const transaction = database.transaction(ENTRIES, mode);
        const request = use(transaction.objectStore(ENTRIES));
        transaction.oncomplete = () => resolve(request.result);
        transaction.onabort = () => reject(transaction.error ?? request.error);
        transaction.onerror = () => reject(transaction.error ?? request.error);
      });
    } finally {
      database.close();
    }
  }

  async names() {
    const keys = await this.#transact("readonly", (entries) => entries.getAllKeys());
    /** @type {Map<string, number>} */
    const found = new Map();
    for (const key of keys) {
      const name = /** @type {string} */ (key);
      found.set(name, (await this.read(name))?.size ?? 0);
    }
    return found;
  }

  /** @param {string} name */
  async read(name) {
    const bytes = await this.#transact("readonly", (entries) => entries.get(name));
    return bytes === undefined ? null : new Blob([bytes]);
  }

  /**
   * @param {string} name
   * @param {Blob} blob
   */
  async write(name, blob) {
    // Not the Blob itself, which WebKit's database in a private window refuses.
    const bytes = await blob.arrayBuffer();
    await this.#transact("readwrite", (entries) => entries.put(bytes, name));
  }

  /** @param {string} name */
  async remove(name) {
    await this.#transact("readwrite", (entries) => entries.delete(name));
  }
}

/**
 * One place, whose calls run one at a time, so that a call for a device that is gone doesn't interfere
 * with one for the next device.
 */
export class Place {
  #entries;
  /** @type {Promise<unknown>} */
  #last = Promise.resolve();
  /**
   * When the current call began.
   *
   * @type {number | null}
   */
  #since = null;

  /** @param {Entries} entries */
  constructor(entries) {
    this.#entries = entries;
  }

  // A call has not returned, so none after it will either.
  get isHung() {
    return this.#since !== null && performance.now() - this.#since > HUNG_MS;
  }

  names() {
    return this.#next(() => this.#entries.names());
  }

  /** @param {string} name */
  read(name) {
    return this.#next(() => this.#entries.read(name));
  }

  /**
   * Resolves to the number of bytes that can be read back. A browser may silently write fewer.
   *
   * @param {string} name
   * @param {Blob} blob
   */
  write(name, blob) {
    return this.#next(async () => {
      await this.#entries.write(name, blob);
      return (await this.#entries.read(name))?.size ?? 0;
    });
  }

  /** @param {string} name */
  remove(name) {
    return this.#next(() => this.#entries.remove(name));
  }

  /**
   * Removes matching entries, before any later call runs.
   *
   * @param {(name: string) => boolean} isMeant
   */
  removeAll(isMeant) {
    return this.#next(async () => {
      for (const name of (await this.#entries.names()).keys()) {
        if (isMeant(name)) await this.#entries.remove(name);
      }
    });
  }

  /**
   * @template T
   * @param {() => Promise<T>} call
   * @returns {Promise<T>}
   */
  #next(call) {
    const result = this.#last.then(async () => {
      this.#since = performance.now();
      try {
        return await call();
      } finally {
        this.#since = null;
      }
    });
    this.#last = result.catch(() => {});
    return result;
  }
}

/**
 * Every place that a browser may have, the first choice first.
 *
 * @param {string} store
 * @returns {Map<PlaceName, Place>}
 */
export function places(store) {
  /** @type {[PlaceName, Entries][]} */
  const all = [
    ["opfs", new Opfs(store)],
    ["cache-storage", new CacheStorage(store)],
    ["indexed-db", new IndexedDb(store)],
  ];
  return new Map(all.map(([name, entries]) => [name, new Place(entries)]));
}
