// Faults of storage, in every place where a page can keep weights: the origin private file system,
// Cache Storage, IndexedDB.
//
// params: { fault, store, value, times, armed }. Damage to stored data is real, done by `trigger`, and
// only under the name `store`. Failures of storage are imitated.

// Smaller entries are metadata of shards.
const SHARD_AT_LEAST = 4096;

// The interfaces to these places, in the client's order of preference.
const INTERFACES = [
  [navigator, "storage"],
  [globalThis, "caches"],
  [globalThis, "indexedDB"],
];

export function install({ fault, store, value, times = 1, armed = true }, scope, report) {
  if (scope !== "page") return {};
  let struck = 0;

  function strikes(what) {
    if (!armed || struck >= times) return false;
    struck += 1;
    report(`${what}, strike ${struck}`);
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
          strikes("persist() says no");
          return false;
        };
      }
      break;
    case "storage-absent":
      for (const [target, name] of INTERFACES.slice(0, value ?? INTERFACES.length)) {
        Object.defineProperty(target, name, {
          configurable: true,
          get() {
            strikes(`${name} is not there`);
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
      if (arm) struck = 0;
      if (!strike) return;
      if (fault === "stored-byte-flipped") await damage(flipped, "a byte of", times);
      if (fault === "shard-evicted") await damage(() => null, "evicted", times);
      if (fault === "all-evicted") await damage(() => null, "evicted", Infinity, 0);
    },
  };

  // Lets writes succeed up to this many bytes, over all places.
  function limitWrites(room) {
    let left = room;
    const refuse = (bytes) => {
      left -= bytes;
      return left < 0 && strikes(`no room for ${bytes} bytes`);
    };
    const error = () => new DOMException("The quota has been exceeded.", "QuotaExceededError");
    wrapWrites(async (bytes, write) => {
      if (refuse(bytes.size ?? bytes.byteLength ?? 0)) throw error();
      return write(bytes);
    });
  }

  function shortenWrites() {
    wrapWrites(async (bytes, write) => {
      const size = bytes.size ?? bytes.byteLength ?? 0;
      if (size < SHARD_AT_LEAST || !strikes(`half of ${size} bytes is written`)) return write(bytes);
      return write(bytes.slice(0, size >> 1));
    });
  }

  // `around(bytes, write)` wraps everything that writes bytes. IndexedDB accepts a value or throws, so
  // a refusal there is thrown at once, as browsers do for an open transaction.
  function wrapWrites(around) {
    const writable = globalThis.FileSystemWritableFileStream?.prototype;
    if (writable) {
      const write = writable.write;
      writable.write = function (data) {
        const isParams = data?.type === "write";
        const bytes = isParams ? data.data : data;
        if (bytes?.size === undefined && bytes?.byteLength === undefined) return write.call(this, data);
        return around(bytes, (shorter) => write.call(this, isParams ? { ...data, data: shorter } : shorter));
      };
    }
    const cache = globalThis.Cache?.prototype;
    if (cache) {
      const put = cache.put;
      cache.put = async function (request, response) {
        const { status, statusText, headers } = response;
        const body = await response.blob();
        return around(body, (shorter) =>
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
        let result;
        let failure;
        // Runs to its first `await`; `around` never awaits before it writes or throws.
        around(found.bytes, (shorter) => {
          result = put.call(this, found.with(shorter), ...key);
        }).catch((error) => (failure = error));
        if (result === undefined) throw new DOMException("The quota has been exceeded.", "QuotaExceededError");
        return result;
      };
    }
  }

  function hang() {
    const never = () => {
      strikes("storage does not answer");
      return new Promise(() => {});
    };
    if (navigator.storage) navigator.storage.getDirectory = never;
    if (globalThis.caches) caches.open = never;
    if (globalThis.indexedDB) {
      IDBFactory.prototype.open = () => {
        strikes("storage does not answer");
        return new EventTarget();
      };
    }
  }

  // Replaces stored entries of at least this many bytes, `most` of them at most, with the results of
  // `change`; `null` removes an entry.
  async function damage(change, what, most, atLeast = SHARD_AT_LEAST) {
    let done = 0;
    for (const walk of [walkFiles, walkCaches, walkDatabases]) {
      done += await walk(store, change, most - done, atLeast);
    }
    if (done > 0) report(`${what} ${done} stored entries`);
  }
}

async function flipped(blob) {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  bytes[bytes.length >> 1] ^= 0x01;
  return new Blob([bytes]);
}

async function walkFiles(store, change, most, atLeast) {
  let root;
  try {
    root = await navigator.storage.getDirectory();
  } catch {
    return 0;
  }
  const walk = async (folder, isOurs = () => true) => {
    let done = 0;
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

async function walkCaches(store, change, most, atLeast) {
  if (!globalThis.caches) return 0;
  let done = 0;
  for (const name of (await caches.keys()).filter((name) => name.includes(store))) {
    const cache = await caches.open(name);
    for (const request of await cache.keys()) {
      if (done >= most) return done;
      const response = await cache.match(request);
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

const settled = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

// The bytes in an entry of a database: the entry itself, or one of its fields.
function bytesOf(entry) {
  const isBytes = (value) => value instanceof Blob || value instanceof ArrayBuffer || ArrayBuffer.isView(value);
  if (isBytes(entry)) return { bytes: entry, with: (bytes) => bytes };
  for (const [name, value] of Object.entries(entry ?? {})) {
    if (isBytes(value)) return { bytes: value, with: (bytes) => ({ ...entry, [name]: bytes }) };
  }
  return null;
}

async function walkDatabases(store, change, most, atLeast) {
  if (!globalThis.indexedDB?.databases) return 0;
  let done = 0;
  for (const { name } of await indexedDB.databases()) {
    if (!name.includes(store)) continue;
    const database = await settled(indexedDB.open(name));
    for (const entries of database.objectStoreNames) {
      const read = database.transaction(entries).objectStore(entries);
      const keys = await settled(read.getAllKeys());
      for (const key of keys) {
        if (done >= most) break;
        const place = () => database.transaction(entries, "readwrite").objectStore(entries);
        const entry = await settled(place().get(key));
        const found = bytesOf(entry);
        const size = found?.bytes.size ?? found?.bytes.byteLength ?? 0;
        if (size < atLeast) continue;
        const changed = await change(new Blob([found?.bytes ?? ""]));
        if (changed === null) {
          await settled(place().delete(key));
        } else {
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
