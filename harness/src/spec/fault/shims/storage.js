// Faults of storage, in every place where a page can keep weights: the origin private file system,
// Cache Storage and IndexedDB.
//
// params: { fault, store, value, times, armed }. A trigger really damages what is stored under the name
// `store`. Failures of the interfaces are simulated.

/** @import { ShimHandle, ShimParams } from "../../../../../inference-wasm/types/page.d.ts" */

/** @typedef {Blob | ArrayBuffer | ArrayBufferView<ArrayBuffer>} Bytes */
/** @typedef {(blob: Blob) => Blob | null | Promise<Blob | null>} Change */

/**
 * Goes through the stored entries of at least `atLeast` bytes, at most `most` of them, and replaces
 * each by its changed version, or removes it where that is null. Resolves to their number.
 *
 * @typedef {(store: string, change: Change, most: number, atLeast: number) => Promise<number>} Walk
 */

/**
 * Called in place of a write of bytes.
 *
 * @template T
 * @typedef {(bytes: Bytes, write: (bytes: Bytes) => Promise<T> | T) => Promise<T>} Around
 */

// Smaller entries are notes about shards, not shards.
const SHARD_AT_LEAST = 4096;

// The interfaces of the places, the client's first choice first.
/** @type {[object, string][]} */
const INTERFACES = [
  [navigator, "storage"],
  [globalThis, "caches"],
  [globalThis, "indexedDB"],
];

/** @param {Bytes} bytes */
const sizeOf = (bytes) => (bytes instanceof Blob ? bytes.size : (bytes.byteLength ?? 0));

/**
 * @param {ShimParams} params
 * @param {"page" | "worker"} scope
 * @param {(detail: string) => void} report
 * @returns {ShimHandle}
 */
export function install({ fault, store = "", value, times = 1, armed = true }, scope, report) {
  if (scope !== "page") return {};
  let injections = 0;

  /**
   * Whether the fault is injected now. Counts and reports it if so.
   *
   * @param {string} what
   */
  function injects(what) {
    if (!armed || injections >= times) return false;
    injections += 1;
    report(`${what}, injection ${injections}`);
    return true;
  }

  switch (fault) {
    case "quota-exceeded":
      limitWrites(value ?? 0);
      break;
    case "short-write":
      shortenWrites();
      break;
    case "persistence-denied":
      if (navigator.storage) {
        navigator.storage.persist = async () => {
          injects("persist() is denied");
          return false;
        };
      }
      break;
    case "storage-absent":
      for (const [target, name] of INTERFACES.slice(0, value ?? INTERFACES.length)) {
        Object.defineProperty(target, name, {
          configurable: true,
          get() {
            injects(`${name} is not there`);
            return undefined;
          },
        });
      }
      break;
    case "storage-hangs":
      hang();
      break;
  }

  return {
    async trigger({ arm, strike }) {
      if (arm !== undefined) armed = arm;
      if (arm) injections = 0;
      if (!strike) return;
      if (fault === "stored-byte-flipped") await damage(flipped, "a byte of", times);
      if (fault === "shard-evicted") await damage(() => null, "evicted", times);
      if (fault === "all-evicted") await damage(() => null, "evicted", Infinity, 0);
    },
  };

  /**
   * Refuses writes once `room` bytes are full, over all places together.
   *
   * @param {number} room
   */
  function limitWrites(room) {
    let left = room;
    const refuses = (/** @type {number} */ bytes) => {
      left -= bytes;
      return left < 0 && injects(`no room for ${bytes} bytes`);
    };
    const error = () => new DOMException("The quota has been exceeded.", "QuotaExceededError");
    wrapWrites(async (bytes, write) => {
      if (refuses(sizeOf(bytes))) throw error();
      return write(bytes);
    });
  }

  function shortenWrites() {
    wrapWrites(async (bytes, write) => {
      const size = sizeOf(bytes);
      if (size < SHARD_AT_LEAST || !injects(`half of ${size} bytes is written`)) return write(bytes);
      return write(half(bytes, size));
    });
  }

  /**
   * Wraps every call that writes bytes. IndexedDB returns a request or throws, so a refusal is thrown
   * at once there, as browsers do for an open transaction.
   *
   * @param {Around<unknown>} around
   */
  function wrapWrites(around) {
    const writable = globalThis.FileSystemWritableFileStream?.prototype;
    if (writable) {
      const write = writable.write;
      writable.write = async function (data) {
        const params = isWriteParams(data) ? data : null;
        const bytes = params === null ? data : params.data;
        if (!isBytes(bytes)) return write.call(this, data);
        await around(bytes, (shorter) =>
          write.call(this, params === null ? shorter : { ...params, data: shorter }),
        );
      };
    }
    const cache = globalThis.Cache?.prototype;
    if (cache) {
      const put = cache.put;
      cache.put = async function (request, response) {
        const { status, statusText, headers } = response;
        const body = await response.blob();
        await around(body, (shorter) =>
          put.call(this, request, new Response(shorter, { status, statusText, headers })),
        );
      };
    }
    const store = globalThis.IDBObjectStore?.prototype;
    if (store) {
      const put = store.put;
      store.put = function (entry, ...key) {
        const found = bytesOf(entry);
        if (!found) return put.call(this, entry, ...key);
        /** @type {IDBRequest<IDBValidKey> | undefined} */
        let result;
        // `around` writes or throws before its first `await`, so this is synchronous.
        around(found.bytes, (shorter) => {
          result = put.call(this, found.with(shorter), ...key);
        }).catch(() => {});
        if (result === undefined) throw new DOMException("The quota has been exceeded.", "QuotaExceededError");
        return result;
      };
    }
  }

  function hang() {
    const never = () => {
      injects("storage does not answer");
      /** @type {Promise<never>} */
      const pending = new Promise(() => {});
      return pending;
    };
    if (navigator.storage) navigator.storage.getDirectory = never;
    if (globalThis.caches) caches.open = never;
    if (globalThis.indexedDB) {
      IDBFactory.prototype.open = () => {
        injects("storage does not answer");
        return /** @type {IDBOpenDBRequest} */ (new EventTarget());
      };
    }
  }

  /**
   * Changes or removes stored entries in all places, and reports how many.
   *
   * @param {Change} change
   * @param {string} what
   * @param {number} most
   */
  async function damage(change, what, most, atLeast = SHARD_AT_LEAST) {
    let done = 0;
    for (const walk of [walkFiles, walkCaches, walkDatabases]) {
      done += await walk(store, change, most - done, atLeast);
    }
    if (done > 0) report(`${what} ${done} stored entries`);
  }
}

/** @param {Blob} blob */
async function flipped(blob) {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  bytes[bytes.length >> 1] ^= 0x01;
  return new Blob([bytes]);
}

/** @type {Walk} */
async function walkFiles(store, change, most, atLeast) {
  let root;
  try {
    root = await navigator.storage.getDirectory();
  } catch {
    return 0;
  }
  /**
   * @param {FileSystemDirectoryHandle} folder
   * @param {(name: string) => boolean} isOurs
   */
  const walk = async (folder, isOurs = () => true) => {
    let done = 0;
    /** @type {(FileSystemDirectoryHandle | FileSystemFileHandle)[]} */
    const entries = [];
    for await (const entry of folder.values()) if (isOurs(entry.name)) entries.push(entry);
    entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const entry of entries) {
      if (done >= most) break;
      if (entry.kind === "directory") {
        done += await walk(entry);
        continue;
      }
      const file = await entry.getFile();
      if (file.size < atLeast) continue;
      const changed = await change(file);
      if (changed === null) {
        await folder.removeEntry(entry.name);
      } else {
        const writable = await entry.createWritable();
        await writable.write(changed);
        await writable.close();
      }
      done += 1;
    }
    return done;
  };
  return walk(root, (name) => name.includes(store));
}

/** @type {Walk} */
async function walkCaches(store, change, most, atLeast) {
  if (!globalThis.caches) return 0;
  let done = 0;
  for (const name of (await caches.keys()).filter((name) => name.includes(store))) {
    const cache = await caches.open(name);
    for (const request of await cache.keys()) {
      if (done >= most) return done;
      const response = /** @type {Response} */ (await cache.match(request));
      const blob = await response.clone().blob();
      if (blob.size < atLeast) continue;
      const changed = await change(blob);
      if (changed === null) await cache.delete(request);
      else await cache.put(request, new Response(changed, { headers: response.headers }));
      done += 1;
    }
  }
  return done;
}

/**
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
const settled = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

/**
 * @param {unknown} value
 * @returns {value is Bytes}
 */
function isBytes(value) {
  return value instanceof Blob || value instanceof ArrayBuffer || ArrayBuffer.isView(value);
}

/**
 * @param {FileSystemWriteChunkType} data
 * @returns {data is WriteParams}
 */
function isWriteParams(data) {
  return typeof data === "object" && "type" in data && data.type === "write";
}

/**
 * The first half of some bytes, by which `size` is their number.
 *
 * @param {Bytes} bytes
 * @param {number} size
 */
function half(bytes, size) {
  if (bytes instanceof Blob || bytes instanceof ArrayBuffer) return bytes.slice(0, size >> 1);
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + (size >> 1));
}

/**
 * The bytes in an entry of a database: the entry itself, or one of its fields. `with` makes the same
 * entry of other bytes.
 *
 * @param {unknown} entry
 * @returns {{ bytes: Bytes, with: (bytes: Bytes) => unknown } | null}
 */
function bytesOf(entry) {
  if (isBytes(entry)) return { bytes: entry, with: (bytes) => bytes };
  for (const [name, value] of Object.entries(entry ?? {})) {
    if (isBytes(value)) return { bytes: value, with: (bytes) => ({ ...Object(entry), [name]: bytes }) };
  }
  return null;
}

/** @type {Walk} */
async function walkDatabases(store, change, most, atLeast) {
  if (!globalThis.indexedDB?.databases) return 0;
  let done = 0;
  for (const { name } of await indexedDB.databases()) {
    if (!name?.includes(store)) continue;
    const database = await settled(indexedDB.open(name));
    for (const entries of database.objectStoreNames) {
      const read = database.transaction(entries).objectStore(entries);
      const keys = await settled(read.getAllKeys());
      for (const key of keys) {
        if (done >= most) break;
        const place = () => database.transaction(entries, "readwrite").objectStore(entries);
        const entry = await settled(place().get(key));
        const found = bytesOf(entry);
        const size = found === null ? 0 : sizeOf(found.bytes);
        if (size < atLeast) continue;
        const changed = await change(new Blob([found?.bytes ?? ""]));
        if (changed === null) {
          await settled(place().delete(key));
        } else if (found !== null) {
          const isBlob = found.bytes instanceof Blob;
          const bytes = isBlob ? changed : await changed.arrayBuffer();
          const inline = place().keyPath !== null;
          await settled(inline ? place().put(found.with(bytes)) : place().put(found.with(bytes), key));
        }
        done += 1;
      }
    }
    database.close();
  }
  return done;
}
