// The places where a browser keeps bytes between visits, behind one interface: entries with a name
// and bytes, all of them under the name of the store. `read` gives a Blob or null, `names` the
// entries with their sizes. What a browser says about a refusal is thrown as it comes; what it does
// not say shows in the size of what can be read back.

// A call that has not come back for so long will not.
const HUNG_MS = 4000;

class Opfs {
  constructor(store) {
    this.store = store;
  }

  async #folder() {
    const root = await navigator.storage.getDirectory();
    return root.getDirectoryHandle(this.store, { create: true });
  }

  async names() {
    const found = new Map();
    for await (const [name, handle] of (await this.#folder()).entries()) {
      if (handle.kind === "file") found.set(name, (await handle.getFile()).size);
    }
    return found;
  }

  async read(name) {
    try {
      return await (await (await this.#folder()).getFileHandle(name)).getFile();
    } catch (error) {
      if (error?.name === "NotFoundError") return null;
      throw error;
    }
  }

  async write(name, blob) {
    const handle = await (await this.#folder()).getFileHandle(name, { create: true });
    const writable = await handle.createWritable();
    try {
      await writable.write(blob);
      await writable.close();
    } catch (error) {
      // Or the file stays locked. Its own failure says nothing new.
      await writable.abort?.().catch(() => {});
      throw error;
    }
  }

  async remove(name) {
    await (await this.#folder()).removeEntry(name);
  }
}

class CacheStorage {
  constructor(store) {
    this.store = store;
  }

  // Keys of a cache are addresses; nothing is ever fetched from these. They don't depend on the
  // page's own, which may change from visit to visit.
  #url(name) {
    return new URL(`/${encodeURIComponent(this.store)}/${encodeURIComponent(name)}`, location.origin);
  }

  async names() {
    const cache = await caches.open(this.store);
    const found = new Map();
    for (const request of await cache.keys()) {
      const name = decodeURIComponent(new URL(request.url).pathname.split("/").pop());
      const blob = await (await cache.match(request))?.blob();
      if (blob) found.set(name, blob.size);
    }
    return found;
  }

  async read(name) {
    const response = await (await caches.open(this.store)).match(this.#url(name));
    return response ? response.blob() : null;
  }

  async write(name, blob) {
    await (await caches.open(this.store)).put(this.#url(name), new Response(blob));
  }

  async remove(name) {
    await (await caches.open(this.store)).delete(this.#url(name));
  }
}

const ENTRIES = "entries";

class IndexedDb {
  constructor(store) {
    this.store = store;
  }

  async #open() {
    const request = indexedDB.open(this.store, 1);
    return new Promise((resolve, reject) => {
      request.onupgradeneeded = () => request.result.createObjectStore(ENTRIES);
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  }

  // Runs `use` in a transaction of its own; what it gives is the request whose result is wanted.
  // A write is done when its transaction is, not when its request is.
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
    const found = new Map();
    for (const name of keys) found.set(name, (await this.read(name))?.size ?? 0);
    return found;
  }

  async read(name) {
    const bytes = await this.#transact("readonly", (entries) => entries.get(name));
    return bytes === undefined ? null : new Blob([bytes]);
  }

  async write(name, blob) {
    // Not the Blob itself: a database of WebKit's in a private window takes none.
    const bytes = await blob.arrayBuffer();
    await this.#transact("readwrite", (entries) => entries.put(bytes, name));
  }

  async remove(name) {
    await this.#transact("readwrite", (entries) => entries.delete(name));
  }
}

// One place, whose calls come one after the other: what was begun for a device that is gone does not
// get in the way of what is begun for the next one.
export class Place {
  #entries;
  #last = Promise.resolve();
  // When the call at work began.
  #since = null;

  constructor(entries) {
    this.#entries = entries;
  }

  // A call has not come back: nothing that is behind it will either.
  get isHung() {
    return this.#since !== null && performance.now() - this.#since > HUNG_MS;
  }

  names() {
    return this.#next(() => this.#entries.names());
  }

  read(name) {
    return this.#next(() => this.#entries.read(name));
  }

  // The bytes that can be read back afterwards; a browser may write fewer and say nothing.
  write(name, blob) {
    return this.#next(async () => {
      await this.#entries.write(name, blob);
      return (await this.#entries.read(name))?.size ?? 0;
    });
  }

  remove(name) {
    return this.#next(() => this.#entries.remove(name));
  }

  // Removes every entry whose name `isMeant`, before anything else is done.
  removeAll(isMeant) {
    return this.#next(async () => {
      for (const name of (await this.#entries.names()).keys()) {
        if (isMeant(name)) await this.#entries.remove(name);
      }
    });
  }

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

// Every place that this browser may have, by the names of the protocol, the first choice first.
export function places(store) {
  return new Map([
    ["opfs", new Place(new Opfs(store))],
    ["cache-storage", new Place(new CacheStorage(store))],
    ["indexed-db", new Place(new IndexedDb(store))],
  ]);
}
