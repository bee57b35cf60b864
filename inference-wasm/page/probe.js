// What this browser can do, in the shape of the protocol's `CapabilityReport`. Asks and reports;
// what follows from it is decided elsewhere. Every question that a browser may leave unanswered
// has a time limit, and no answer is a "no" with a reason where the report has room for one.

import { hasFeature, hasWebAssembly } from "./features.js";
import { webgl2 } from "./probe-webgl2.js";
import { within } from "./time.js";

// How long each of them may take.
export const LIMITS = { adapterMs: 10000, storageMs: 3000, workerMs: 5000 };

export async function probe({ adapterMs, storageMs, workerMs } = LIMITS) {
  const worker = askWorker(workerMs);
  const gpu = webgpu(adapterMs);
  const stored = storage(storageMs);
  return {
    user_agent: told(() => navigator.userAgent) ?? "",
    secure_context: isSecureContext,
    cross_origin_isolated: globalThis.crossOriginIsolated === true,
    hardware_concurrency: told(() => navigator.hardwareConcurrency),
    device_memory_gib: told(() => navigator.deviceMemory),
    wasm: await wasm(worker),
    webgpu: await gpu,
    webgl2: { ...webgl2(), in_worker: (await worker).webgl2 },
    storage: await stored,
  };
}

// What `ask` gives; null if that is nothing or an error.
function told(ask) {
  try {
    return ask() ?? null;
  } catch {
    return null;
  }
}

// What only a worker can say: whether it gets a WebGL2 context, and whether it sees a memory
// that is shared with it. A worker that does not answer can do neither.
async function askWorker(ms) {
  let worker;
  try {
    worker = new Worker(new URL("./probe-worker.js", import.meta.url), { type: "module" });
    const answer = new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = (event) => {
        // A "no", not an error of the page.
        event.preventDefault();
        reject(new Error("the probe's worker failed"));
      };
    });
    const memory = sharedMemory();
    try {
      worker.postMessage({ memory });
    } catch {
      // Not to be shared, then; the other question still stands.
      worker.postMessage({ memory: null });
    }
    const { webgl2, hasWritten } = await within(ms, "the probe's worker", answer);
    const arrived = memory !== null && new Int32Array(memory.buffer)[0] === 1;
    return { webgl2, sharesMemory: hasWritten && arrived };
  } catch {
    return { webgl2: false, sharesMemory: false };
  } finally {
    worker?.terminate();
  }
}

function sharedMemory() {
  try {
    return new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  } catch {
    return null;
  }
}

async function wasm(worker) {
  return {
    present: hasWebAssembly(),
    simd128: hasFeature("simd128"),
    relaxed_simd: hasFeature("relaxed_simd"),
    threads: hasFeature("threads") && (await worker).sharesMemory,
    exceptions: hasFeature("exceptions"),
    memory64: hasFeature("memory64"),
  };
}

async function webgpu(ms) {
  if (!navigator.gpu) return { present: false, adapter: null, reason: "absent" };
  try {
    const request = navigator.gpu.requestAdapter();
    const adapter = await within(ms, "requestAdapter()", request);
    if (!adapter) return { present: true, adapter: null, reason: "adapter-null" };
    return { present: true, adapter: describeAdapter(adapter), reason: null };
  } catch (error) {
    return { present: true, adapter: null, reason: String(error?.message ?? error) };
  }
}

function describeAdapter(adapter) {
  const info = adapter.info ?? {};
  const limits = {};
  // The limits are getters of the prototype, which `Object.entries` does not see.
  for (const name in adapter.limits) {
    const value = adapter.limits[name];
    if (typeof value === "number") limits[name] = value;
  }
  return {
    vendor: info.vendor ?? "",
    architecture: info.architecture ?? "",
    device: info.device ?? "",
    description: info.description ?? "",
    // It moved from the adapter to its info.
    is_fallback: info.isFallbackAdapter ?? adapter.isFallbackAdapter ?? null,
    features: [...adapter.features].sort(),
    limits,
  };
}

async function storage(ms) {
  const value = (what, ask) => within(ms, what, Promise.resolve().then(ask)).catch(() => null);
  const answers = (what, ask) =>
    within(ms, what, Promise.resolve().then(ask)).then(() => true, () => false);
  const [opfs, cache, indexed_db, estimate, persisted] = await Promise.all([
    answers("OPFS", tryOpfs),
    answers("the Cache API", tryCache),
    answers("IndexedDB", tryIndexedDb),
    value("estimate()", () => navigator.storage.estimate()),
    // Not persist(): Firefox asks the user first, and never settles.
    value("persisted()", () => navigator.storage.persisted()),
  ]);
  return { opfs, cache, indexed_db, quota_bytes: estimate?.quota ?? null, persisted: persisted ?? null };
}

const NAME = "tierproof-probe";

async function tryOpfs() {
  const root = await navigator.storage.getDirectory();
  await root.getFileHandle(NAME, { create: true });
  await root.removeEntry(NAME);
}

async function tryCache() {
  const cache = await caches.open(NAME);
  await cache.match("/");
  await caches.delete(NAME);
}

async function tryIndexedDb() {
  const settled = (request) =>
    new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  (await settled(indexedDB.open(NAME))).close();
  await settled(indexedDB.deleteDatabase(NAME));
}
