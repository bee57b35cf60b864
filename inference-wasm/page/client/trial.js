// Whether a thread can have a device for a tier: it asks for one as an engine would, and drops it.

// Null, or a `DeviceFailure`.
export async function tryDevice(tier) {
  if (tier === "webgpu") return tryWebgpu();
  if (tier === "webgl") return tryWebgl();
  // The module runs, or nobody would ask.
  return null;
}

async function tryWebgpu() {
  let adapter;
  try {
    adapter = await navigator.gpu?.requestAdapter();
  } catch {
    // No better than none.
  }
  if (!adapter) return "adapter-null";
  let device;
  try {
    device = await adapter.requestDevice();
  } catch {
    return "device-rejected";
  }
  const isLost = await Promise.race([device.lost.then(() => true), answers(device)]);
  device.destroy();
  return isLost === true ? "born-lost" : null;
}

// A buffer of a device that is lost can't be mapped: `true` then, `false` once the way to the GPU and
// back is done.
async function answers(device) {
  try {
    const buffer = device.createBuffer({ size: 4, usage: GPUBufferUsage.MAP_READ });
    await buffer.mapAsync(GPUMapMode.READ);
    await device.queue.onSubmittedWorkDone();
    return false;
  } catch {
    return true;
  }
}

function tryWebgl() {
  const canvases = [
    () => new OffscreenCanvas(1, 1),
    () => document.createElement("canvas"),
  ];
  for (const canvas of canvases) {
    try {
      if (canvas().getContext("webgl2")) return null;
    } catch {
      // Not in this thread.
    }
  }
  return "adapter-null";
}
