// Finds out whether a thread can get a device for a tier, by requesting one as an engine would and
// dropping it.

/** @import { DeviceFailure, Tier } from "../../types/protocol.d.ts" */

/**
 * @param {Tier} tier
 * @returns {Promise<DeviceFailure | null>}
 */
export async function tryDevice(tier) {
  if (tier === "webgpu") return tryWebgpu();
  if (tier === "webgl") return tryWebgl();
  // The module is running already.
  return null;
}

/** @returns {Promise<DeviceFailure | null>} */
async function tryWebgpu() {
  let adapter;
  try {
    adapter = await navigator.gpu?.requestAdapter();
  } catch {
    // The same as no adapter.
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

/**
 * Resolves to true if the device is lost, which shows in a buffer that can't be mapped, and to false
 * after a round trip to the GPU.
 *
 * @param {GPUDevice} device
 */
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

/** @returns {DeviceFailure | null} */
function tryWebgl() {
  const canvases = [
    () => new OffscreenCanvas(1, 1),
    () => document.createElement("canvas"),
  ];
  for (const canvas of canvases) {
    try {
      if (canvas().getContext("webgl2")) return null;
    } catch {
      // Not on this thread.
    }
  }
  return "adapter-null";
}
