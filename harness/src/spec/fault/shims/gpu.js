// Faults of GPU devices, between the engine and the browser's WebGPU and WebGL2.
//
// params: { fault, at, token, times, value, struck, armed }. `at` says when it strikes: at `start`, wherever the engine
// next asks; at `probe`, `load`, `prefill`, `decode` behind `token` tokens, and `readback` there,
// when the engine gets there; at `idle`, when it is told to. Every strike is reported, and none
// comes after `times` of them, `struck` by workers before this one included. Nothing strikes that
// is not armed.

// The smallest limits that WebGPU promises.
const LOWEST_LIMITS = {
  maxBufferSize: 268435456,
  maxStorageBufferBindingSize: 134217728,
  maxComputeWorkgroupStorageSize: 16384,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupSizeX: 256,
  maxStorageBuffersPerShaderStage: 8,
};

// What an engine calls to bring weights to a device, and to bring answers back.
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
  // Where the engine is: what it said last.
  let phase = "start";
  let tokens = 0;

  // Whether the fault strikes now; says so if it does.
  function strikes(what) {
    if (!armed || struck >= times) return false;
    struck += 1;
    report(`${what}, in ${scope}, strike ${struck}`);
    return true;
  }

  // Whether the engine is where the fault is to strike.
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
      // A browser that gives a context back does so by itself, a moment later.
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
    // Every event of the engine, before the page hears of it.
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

  // Devices that are not used any more are among them.
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

  // Puts something else in the place of what a getter gives.
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
        // Once it is lost, a context gives no extension any more.
        const extension = isGl && gl?.getExtension("WEBGL_lose_context");
        if (extension) contexts.add({ gl, extension });
        return gl;
      };
    }
  }

  // A thread that waits for WebGL stands still; one that waits for WebGPU goes on, and is never
  // told.
  function hang(original, args, target) {
    if (!isThere() || !strikes("what is read back never comes")) return original.apply(target, args);
    if (target instanceof GL) for (;;);
    return new Promise(() => {});
  }

  // As often as it is there: one report for all of it.
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

  // What comes back while the first dispatch is held against what it must be is not what the
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
      // An engine may read a texel that it has cleared, to know whether the GPU lives at all.
      const isOfDraws = into?.length > 4;
      if (isOfDraws && phase === "probe" && strikes("what is read back is bent")) {
        bend(new Uint8Array(into.buffer, into.byteOffset, into.byteLength));
      }
    });
  }
}

// Calls `instead(original, arguments, this)` in place of methods, where the browser has them.
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
