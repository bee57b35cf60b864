// Faults of GPU devices, injected between the engine and the browser's WebGPU and WebGL2.
//
// params: { fault, at, token, times, value, injections, armed }. `at` is when the fault is injected:
// `start` is the engine's next call; `probe`, `load`, `prefill` and `decode` (after `token` tokens) are
// when the engine gets there, `readback` its next read while decoding; `idle` waits for a trigger.
// Every injection is reported. There are at most `times`, of which `injections` happened in earlier
// workers, and none while the fault is not armed.

/** @import { Phase } from "../../../../../inference-wasm/types/protocol.d.ts" */
/** @import { ShimHandle, ShimParams } from "../../../../../inference-wasm/types/page.d.ts" */

/**
 * A method that is wrapped, taken out of its interface.
 *
 * @typedef {(...args: unknown[]) => unknown} Method
 */

/** @typedef {(original: Method, args: unknown[], target: object) => unknown} Instead */

// The lowest limits that WebGPU guarantees.
/** @type {Record<string, number>} */
const LOWEST_LIMITS = {
  maxBufferSize: 268435456,
  maxStorageBufferBindingSize: 134217728,
  maxComputeWorkgroupStorageSize: 16384,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupSizeX: 256,
  maxStorageBuffersPerShaderStage: 8,
};

// The calls by which an engine uploads weights to a device, and reads answers back.
const UPLOADS = [
  ["GPUQueue", "writeBuffer"],
  ["GPUDevice", "createBuffer"],
  ["WebGL2RenderingContext", "texSubImage2D"],
  ["WebGL2RenderingContext", "texStorage2D"],
];
const READBACKS = [
  ["GPUBuffer", "mapAsync"],
  ["WebGL2RenderingContext", "readPixels"],
];

const GL = globalThis.WebGL2RenderingContext ?? class {};

/**
 * @param {ShimParams} params
 * @param {"page" | "worker"} scope
 * @param {(detail: string) => void} report
 * @returns {ShimHandle}
 */
export function install(params, scope, report) {
  const { fault, at, token = 0, times = 1, value = 0 } = params;
  let { injections = 0, armed = true } = params;
  /** @type {Set<GPUDevice>} */
  const devices = new Set();
  /** @type {Set<{ gl: WebGL2RenderingContext, extension: WEBGL_lose_context }>} */
  const contexts = new Set();
  // The stage of the engine, by its last event.
  let phase = "start";
  let tokens = 0;

  /**
   * Whether the fault is injected now. Counts and reports it if so.
   *
   * @param {string} what
   */
  function injects(what) {
    if (!armed || injections >= times) return false;
    injections += 1;
    report(`${what}, in ${scope}, injection ${injections}`);
    return true;
  }

  // Whether the engine has reached `at`.
  function isThere() {
    if (at === "start") return true;
    if (at === "decode" || at === "readback") return phase === "decode" && tokens > token;
    return phase === at;
  }

  /** @param {boolean} restores */
  function loseAll(restores) {
    for (const device of devices) device.destroy();
    devices.clear();
    for (const { gl, extension } of contexts) {
      if (gl.isContextLost()) continue;
      extension.loseContext();
      // A browser restores a context by itself, a moment later.
      if (restores) setTimeout(() => extension.restoreContext(), 50);
    }
    contexts.clear();
  }

  const isLoss = fault === "device-destroyed" || fault === "context-lost";

  function loseDevices() {
    if (devices.size + contexts.size === 0) return;
    if (injects(`${devices.size} devices and ${contexts.size} contexts lost`)) {
      loseAll(fault === "device-destroyed");
    }
  }

  wrapAdapters();
  wrapContexts();
  if (isLoss && at === "load") {
    wrap(UPLOADS, (original, args, target) => {
      const result = original.apply(target, args);
      if (isThere()) loseDevices();
      return result;
    });
  }
  if (fault === "out-of-memory" && at === "load") {
    wrap([["GPUDevice", "createBuffer"]], (original, args, device) => {
      const buffer = original.apply(device, args);
      if (isThere()) exhaust();
      return buffer;
    });
  }
  if (isLoss && at === "readback") {
    wrap(READBACKS, (original, args, target) => {
      if (isThere()) loseDevices();
      return original.apply(target, args);
    });
  }
  if (fault === "gpu-hangs") wrap(READBACKS, hang);
  if (fault === "gpu-slow") wrap(READBACKS, delay);
  if (fault === "first-dispatch-wrong") corruptReadbacks();

  return {
    // Gets every event of the engine before the page does.
    event(kind) {
      if (kind.type === "phase") {
        phase = stageOf(kind.phase);
        tokens = 0;
      } else if (kind.type === "token") {
        tokens += 1;
      } else if (kind.type === "finished" || kind.type === "failed") {
        phase = "idle";
      } else {
        return;
      }
      const isDuring = at === "prefill" || at === "decode";
      if (isLoss && (isDuring || at === "probe") && isThere()) loseDevices();
      if (fault === "out-of-memory" && isDuring && isThere()) exhaust();
    },
    trigger({ arm, strike }) {
      if (arm !== undefined) armed = arm;
      if (arm) injections = 0;
      if (!strike) return;
      armed = true;
      if (isLoss) loseDevices();
    },
  };

  // Reports it to all devices, including those that are not in use any more.
  function exhaust() {
    if (devices.size === 0 || !injects("GPUOutOfMemoryError")) return;
    for (const device of devices) {
      const error = new GPUOutOfMemoryError("no memory left on the device");
      device.dispatchEvent(new GPUUncapturedErrorEvent("uncapturederror", { error }));
    }
  }

  function wrapAdapters() {
    const gpu = globalThis.GPU?.prototype;
    if (!gpu) return;
    const requestAdapter = gpu.requestAdapter;
    gpu.requestAdapter = async function (...args) {
      if (fault === "adapter-null" && isThere() && injects("requestAdapter() returns null")) return null;
      return requestAdapter.apply(this, args);
    };
    const adapter = globalThis.GPUAdapter.prototype;
    const requestDevice = adapter.requestDevice;
    adapter.requestDevice = async function (...args) {
      if (fault === "device-rejected" && isThere() && injects("requestDevice() rejects")) {
        throw new DOMException("the device could not be made", "OperationError");
      }
      if (fault === "limits-lowered" && args[0]?.requiredLimits) {
        for (const [name, limit] of Object.entries(args[0].requiredLimits)) {
          const lowest = LOWEST_LIMITS[name];
          if (lowest !== undefined && limit !== undefined && limit > lowest) {
            throw new DOMException(`${name}: ${limit} is more than ${lowest}`, "OperationError");
          }
        }
      }
      const device = await requestDevice.apply(this, args);
      devices.add(device);
      device.lost.then(() => devices.delete(device));
      if (fault === "born-lost" && isThere() && injects("the device is lost on creation")) {
        device.destroy();
      }
      return device;
    };
    if (fault === "feature-stripped") hide(adapter, "features", () => new Set());
    if (fault === "limits-lowered") {
      hide(adapter, "limits", (limits) => lowered(limits));
    }
  }

  /**
   * Changes the value of a getter.
   *
   * @template {"features" | "limits"} Name
   * @param {GPUAdapter} prototype
   * @param {Name} name
   * @param {(found: GPUAdapter[Name]) => object} change
   */
  function hide(prototype, name, change) {
    const { get } = Object.getOwnPropertyDescriptor(prototype, name) ?? {};
    if (!get) return;
    Object.defineProperty(prototype, name, {
      configurable: true,
      enumerable: true,
      get() {
        const found = get.call(this);
        injects(`the adapter's ${name} are replaced`);
        return change(found);
      },
    });
  }

  /** @param {GPUSupportedLimits} limits */
  function lowered(limits) {
    return new Proxy(limits, {
      get: (target, name) => LOWEST_LIMITS[String(name)] ?? Reflect.get(target, name, target),
    });
  }

  function wrapContexts() {
    const kinds = ["OffscreenCanvas", "HTMLCanvasElement"];
    wrap(kinds.map((kind) => [kind, "getContext"]), (original, args, target) => {
      if (args[0] !== "webgl2") return original.apply(target, args);
      if (fault === "adapter-null" && isThere() && injects("getContext() returns null")) return null;
      const gl = /** @type {WebGL2RenderingContext | null} */ (original.apply(target, args));
      // A lost context doesn't return extensions any more.
      const extension = gl?.getExtension("WEBGL_lose_context");
      if (gl && extension) contexts.add({ gl, extension });
      return gl;
    });
  }

  /**
   * Never completes a read. WebGL blocks the thread that waits; with WebGPU the thread goes on.
   *
   * @type {Instead}
   */
  function hang(original, args, target) {
    if (!isThere() || !injects("a readback never completes")) return original.apply(target, args);
    if (target instanceof GL) for (;;);
    return new Promise(() => {});
  }

  /**
   * Delays every read in the stage, and reports only the first.
   *
   * @type {Instead}
   */
  function delay(original, args, target) {
    const result = original.apply(target, args);
    if (!armed || !isThere()) return result;
    if (injections === 0) injects(`readbacks complete ${value} ms late`);
    if (!(target instanceof GL)) {
      const late = () => new Promise((resolve) => setTimeout(resolve, value));
      return /** @type {Promise<unknown>} */ (result).then(late);
    }
    for (const end = performance.now() + value; performance.now() < end; );
    return result;
  }

  // Changes the bytes that are read back while the first dispatch is compared with the reference.
  function corruptReadbacks() {
    const corrupt = (/** @type {Uint8Array} */ bytes) => {
      for (let at = 1; at < bytes.length; at += 4) bytes[at] ^= 0x55;
    };
    const buffer = globalThis.GPUBuffer?.prototype;
    if (buffer) {
      const getMappedRange = buffer.getMappedRange;
      buffer.getMappedRange = function (...args) {
        const range = getMappedRange.apply(this, args);
        const isRead = (this.usage & GPUBufferUsage.MAP_READ) !== 0;
        if (isRead && phase === "probe" && injects("the bytes of a readback are changed")) {
          corrupt(new Uint8Array(range));
        }
        return range;
      };
    }
    wrap([["WebGL2RenderingContext", "readPixels"]], (original, args, target) => {
      original.apply(target, args);
      const into = /** @type {Float32Array | undefined} */ (args.find(ArrayBuffer.isView));
      // An engine may read a texel that it has cleared, to find out whether the GPU works at all.
      const isOfDraws = into !== undefined && into.length > 4;
      if (isOfDraws && phase === "probe" && injects("the bytes of a readback are changed")) {
        corrupt(new Uint8Array(into.buffer, into.byteOffset, into.byteLength));
      }
    });
  }
}

/**
 * The name that `at` has for a phase.
 *
 * @param {Phase} phase
 */
function stageOf(phase) {
  if (phase === "prepare") return "load";
  return phase === "ops" ? "probe" : phase;
}

/**
 * Replaces methods, given as interface and name, if the browser has them.
 *
 * @param {string[][]} methods
 * @param {Instead} instead
 */
function wrap(methods, instead) {
  for (const [kind, name] of methods) {
    const interfaces = /** @type {Record<string, { prototype: Record<string, Method> } | undefined>} */ (
      /** @type {unknown} */ (globalThis)
    );
    const prototype = interfaces[kind]?.prototype;
    const original = prototype?.[name];
    if (!prototype || !original) continue;
    prototype[name] = function (...args) {
      return instead(original, args, this);
    };
  }
}
