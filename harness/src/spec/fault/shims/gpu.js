// Faults of GPU devices, between the engine and the browser's WebGPU and WebGL2.
//
// params: { fault, at, token, times, value, struck, armed }. `at` is the phase of the injection: with
// `start`, the engine's next call; with `probe`, `load`, `prefill`, `decode` after `token` tokens, or
// its `readback`, as soon as the engine gets there; with `idle`, on `trigger`. Every injection is
// reported. There are at most `times`, including the `struck` ones of earlier workers, and none while
// the fault is not armed.

// The smallest limits that WebGPU guarantees.
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

export function install(params, scope, report) {
  const { fault, at, token = 0, times = 1, value = 0 } = params;
  let { struck = 0, armed = true } = params;
  const devices = new Set();
  const contexts = new Set();
  // The phase that the engine last reported.
  let phase = "start";
  let tokens = 0;

  // Whether the fault is injected now; reports it if so.
  function strikes(what) {
    if (!armed || struck >= times) return false;
    struck += 1;
    report(`${what}, in ${scope}, strike ${struck}`);
    return true;
  }

  // Whether the engine is in the fault's phase.
  function isThere() {
    if (at === "start") return true;
    if (at === "decode" || at === "readback") return phase === "decode" && tokens > token;
    return phase === at;
  }

  function loseAll(restores) {
    for (const device of devices) device.destroy();
    devices.clear();
    for (const { gl, extension } of contexts) {
      if (gl.isContextLost()) continue;
      extension.loseContext();
      // A browser that restores a context does so by itself, a moment later.
      if (restores) setTimeout(() => extension.restoreContext(), 50);
    }
    contexts.clear();
  }

  const isLoss = fault === "device-destroyed" || fault === "context-lost";

  function strikeDevices() {
    if (devices.size + contexts.size === 0) return;
    if (strikes(`${devices.size} devices and ${contexts.size} contexts lost`)) {
      loseAll(fault === "device-destroyed");
    }
  }

  wrapAdapters();
  wrapContexts();
  if (isLoss && at === "load") wrap(UPLOADS, (original, args, target) => {
    const result = original.apply(target, args);
    if (isThere()) strikeDevices();
    return result;
  });
  if (fault === "out-of-memory" && at === "load") {
    wrap([["GPUDevice", "createBuffer"]], (original, args, device) => {
      const buffer = original.apply(device, args);
      if (isThere()) exhaust();
      return buffer;
    });
  }
  if (isLoss && at === "readback") wrap(READBACKS, (original, args, target) => {
    if (isThere()) strikeDevices();
    return original.apply(target, args);
  });
  if (fault === "gpu-hangs") wrap(READBACKS, hang);
  if (fault === "gpu-slow") wrap(READBACKS, delay);
  if (fault === "first-dispatch-wrong") bendReadbacks();

  return {
    // Every event of the engine, before it reaches the page.
    event(kind) {
      if (kind.type === "phase") {
        phase = { prepare: "load", ops: "probe" }[kind.phase] ?? kind.phase;
        tokens = 0;
      } else if (kind.type === "token") {
        tokens += 1;
      } else if (kind.type === "finished" || kind.type === "failed") {
        phase = "idle";
      } else {
        return;
      }
      if (isLoss && ["prefill", "decode", "probe"].includes(at) && isThere()) strikeDevices();
      if (fault === "out-of-memory" && ["prefill", "decode"].includes(at) && isThere()) exhaust();
    },
    trigger({ arm, strike }) {
      if (arm !== undefined) armed = arm;
      if (arm) struck = 0;
      if (!strike) return;
      armed = true;
      if (isLoss) strikeDevices();
    },
  };

  // Devices that are no longer used are included.
  function exhaust() {
    if (devices.size === 0 || !strikes("GPUOutOfMemoryError")) return;
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
      if (fault === "adapter-null" && isThere() && strikes("requestAdapter() gives null")) return null;
      return requestAdapter.apply(this, args);
    };
    const adapter = globalThis.GPUAdapter.prototype;
    const requestDevice = adapter.requestDevice;
    adapter.requestDevice = async function (...args) {
      if (fault === "device-rejected" && isThere() && strikes("requestDevice() rejects")) {
        throw new DOMException("the device could not be made", "OperationError");
      }
      if (fault === "limits-lowered" && args[0]?.requiredLimits) {
        for (const [name, limit] of Object.entries(args[0].requiredLimits)) {
          const lowest = LOWEST_LIMITS[name];
          if (lowest !== undefined && limit > lowest) {
            throw new DOMException(`${name}: ${limit} is more than ${lowest}`, "OperationError");
          }
        }
      }
      const device = await requestDevice.apply(this, args);
      devices.add(device);
      device.lost.then(() => devices.delete(device));
      if (fault === "born-lost" && isThere() && strikes("the device is lost when it comes")) {
        device.destroy();
      }
      return device;
    };
    if (fault === "feature-stripped") hide(adapter, "features", () => new Set());
    if (fault === "limits-lowered") {
      hide(adapter, "limits", (limits) => lowered(limits));
    }
  }

  // Replaces the value of a getter.
  function hide(prototype, name, change) {
    const { get } = Object.getOwnPropertyDescriptor(prototype, name);
    Object.defineProperty(prototype, name, {
      configurable: true,
      enumerable: true,
      get() {
        const found = get.call(this);
        strikes(`${name} of the adapter are others`);
        return change(found);
      },
    });
  }

  function lowered(limits) {
    return new Proxy(limits, {
      get: (target, name) => LOWEST_LIMITS[name] ?? target[name],
    });
  }

  function wrapContexts() {
    for (const kind of ["OffscreenCanvas", "HTMLCanvasElement"]) {
      const prototype = globalThis[kind]?.prototype;
      if (!prototype) continue;
      const getContext = prototype.getContext;
      prototype.getContext = function (type, ...args) {
        const isGl = type === "webgl2";
        if (isGl && fault === "adapter-null" && isThere() && strikes("getContext() gives null")) {
          return null;
        }
        const gl = getContext.call(this, type, ...args);
        // A lost context no longer returns extensions.
        const extension = isGl && gl?.getExtension("WEBGL_lose_context");
        if (extension) contexts.add({ gl, extension });
        return gl;
      };
    }
  }

  // A thread that waits for WebGL hangs. One that waits for WebGPU continues, and its promise never
  // settles.
  function hang(original, args, target) {
    if (!isThere() || !strikes("what is read back never comes")) return original.apply(target, args);
    if (target instanceof GL) for (;;);
    return new Promise(() => {});
  }

  // Delays every readback in its phase, with a single report.
  function delay(original, args, target) {
    const result = original.apply(target, args);
    if (!armed || !isThere()) return result;
    if (struck === 0) strikes(`what is read back comes ${value} ms late`);
    if (!(target instanceof GL)) {
      return result.then(() => new Promise((resolve) => setTimeout(resolve, value)));
    }
    for (const end = performance.now() + value; performance.now() < end; );
    return result;
  }

  // While the result of the first dispatch is checked, readbacks return something else than the
  // device computed.
  function bendReadbacks() {
    const bend = (bytes) => {
      for (let at = 1; at < bytes.length; at += 4) bytes[at] ^= 0x55;
    };
    const buffer = globalThis.GPUBuffer?.prototype;
    if (buffer) {
      const getMappedRange = buffer.getMappedRange;
      buffer.getMappedRange = function (...args) {
        const range = getMappedRange.apply(this, args);
        const isRead = (this.usage & GPUBufferUsage.MAP_READ) !== 0;
        if (isRead && phase === "probe" && strikes("what is read back is bent")) {
          bend(new Uint8Array(range));
        }
        return range;
      };
    }
    wrap([["WebGL2RenderingContext", "readPixels"]], (original, args, target) => {
      original.apply(target, args);
      const into = args.find((arg) => ArrayBuffer.isView(arg));
      // An engine may read a texel that it has cleared, to check whether the GPU is alive.
      const isOfDraws = into?.length > 4;
      if (isOfDraws && phase === "probe" && strikes("what is read back is bent")) {
        bend(new Uint8Array(into.buffer, into.byteOffset, into.byteLength));
      }
    });
  }
}

// Replaces methods that the browser has by calls of `instead(original, arguments, this)`.
function wrap(methods, instead) {
  for (const [kind, name] of methods) {
    const prototype = globalThis[kind]?.prototype;
    const original = prototype?.[name];
    if (!original) continue;
    prototype[name] = function (...args) {
      return instead(original, args, this);
    };
  }
}
