// Probes the browser and reports in the shape of the protocol's `CapabilityReport`. It makes no
// decisions. Every question that a browser may leave unanswered has a time limit; a missing answer
// counts as "no", with a reason where the report has a field for it.

import { hasFeature, hasWebAssembly } from "./features.js";
import { webgl2 } from "./probe-webgl2.js";
import { within } from "./time.js";

/** @import { CapabilityReport, StorageReport, WasmReport } from "../types/protocol.d.ts" */
/** @import { WebGpuAdapter, WebGpuReport } from "../types/protocol.d.ts" */
/** @import { FromProbeWorker } from "../types/page.d.ts" */

/** @typedef {{ webgl2: boolean, sharesMemory: boolean }} WorkerAnswer */

// How long each of the questions may take.
export const LIMITS = { adapterMs: 10000, storageMs: 3000, workerMs: 5000 };

/** @returns {Promise<CapabilityReport>} */
export async function probe({ adapterMs, storageMs, workerMs } = LIMITS) {
  const worker = askWorker(workerMs);
  const gpu = webgpu(adapterMs);
  const stored = storage(storageMs);
  return {
    user_agent: attempt(() => navigator.userAgent) ?? "",
    secure_context: isSecureContext,
    cross_origin_isolated: globalThis.crossOriginIsolated === true,
    hardware_concurrency: attempt(() => navigator.hardwareConcurrency),
    device_memory_gib: attempt(() => navigator.deviceMemory),
    wasm: await wasm(worker),
    webgpu: await gpu,
    webgl2: { ...webgl2(), in_worker: (await worker).webgl2 },
    storage: await stored,
  };
}

/**
 * The result of `ask`, or null if it is undefined or throws.
 *
 * @template T
 * @param {() => T} ask
 */
function attempt(ask) {
  try {
    return ask() ?? null;
  } catch {
    return null;
  }
}

/**
 * Finds out what only a worker can: whether it gets a WebGL2 context, and whether it sees a shared
 * memory. If the worker does not answer, both answers are negative.
 *
 * @param {number} ms
 * @returns {Promise<WorkerAnswer>}
 */
async function askWorker(ms) {
  /** @type {Worker | undefined} */
  let worker;
  try {
    const started = new Worker(new URL("./probe-worker.js", import.meta.url), { type: "module" });
    worker = started;
    /** @type {Promise<FromProbeWorker>} */
    const answer = new Promise((resolve, reject) => {
      started.onmessage = ({ data }) => resolve(data);
      started.onerror = (event) => {
        // This means "no"; it is not an error of the page.
        event.preventDefault();
        reject(new Error("the probe's worker failed"));
      };
    });
    const memory = sharedMemory();
    try {
      worker.postMessage({ memory });
    } catch {
      // The memory can't be shared. The other question remains.
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

/**
 * @param {Promise<WorkerAnswer>} worker
 * @returns {Promise<WasmReport>}
 */
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

/**
 * @param {number} ms
 * @returns {Promise<WebGpuReport>}
 */
async function webgpu(ms) {
  if (!navigator.gpu) return { present: false, adapter: null, reason: "absent" };
  try {
    const request = navigator.gpu.requestAdapter();
    const adapter = await within(ms, "requestAdapter()", request);
    if (!adapter) return { present: true, adapter: null, reason: "adapter-null" };
    return { present: true, adapter: describeAdapter(adapter), reason: null };
  } catch (error) {
    const { message = error } = /** @type {{ message?: unknown }} */ (error ?? {});
    return { present: true, adapter: null, reason: String(message ?? error) };
  }
}

/**
 * @param {GPUAdapter} adapter
 * @returns {WebGpuAdapter}
 */
function describeAdapter(adapter) {
  /** @type {Partial<GPUAdapterInfo>} */
  const info = adapter.info ?? {};
  /** @type {Record<string, number>} */
  const limits = {};
  // The limits are getters of the prototype, which `Object.entries` does not list.
  for (const name in adapter.limits) {
    const value = /** @type {Record<string, unknown>} */ (/** @type {unknown} */ (adapter.limits))[name];
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

/**
 * @param {number} ms
 * @returns {Promise<StorageReport>}
 */
async function storage(ms) {
  /**
   * @template T
   * @param {string} what
   * @param {() => Promise<T>} ask
   */
  const value = (what, ask) => within(ms, what, Promise.resolve().then(ask)).catch(() => null);
  const answers = (/** @type {string} */ what, /** @type {() => Promise<void>} */ ask) =>
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
  (await settled(indexedDB.open(NAME))).close();
  await settled(indexedDB.deleteDatabase(NAME));
}
