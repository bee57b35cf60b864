// Makes the device look weaker, or the browser report less, than is true.
//
// params: { fault }. Reports the first read of a changed property.

/** @import { ShimHandle, ShimParams } from "../../../../../inference-wasm/types/page.d.ts" */

// The information about an adapter in a browser that hides it.
const NAMELESS = { vendor: "", architecture: "", device: "", description: "" };

/**
 * @param {ShimParams} params
 * @param {"page" | "worker"} scope
 * @param {(detail: string) => void} report
 * @returns {ShimHandle}
 */
export function install({ fault }, scope, report) {
  let isReported = false;

  /**
   * Replaces the value of a property.
   *
   * @param {object | undefined} target
   * @param {string} name
   * @param {unknown} value
   */
  function give(target, name, value) {
    if (!target) return;
    Object.defineProperty(target, name, {
      configurable: true,
      get() {
        if (!isReported) report(`${name} was asked for, in ${scope}`);
        isReported = true;
        return value;
      },
    });
  }

  const navigator = globalThis.navigator;
  switch (fault) {
    case "few-cores":
      give(navigator, "hardwareConcurrency", 1);
      break;
    case "low-memory":
      give(navigator, "deviceMemory", 0.25);
      break;
    case "low-battery":
      give(navigator, "getBattery", async () =>
        Object.assign(new EventTarget(), {
          level: 0.05,
          charging: false,
          chargingTime: Infinity,
          dischargingTime: 1200,
        }),
      );
      break;
    case "metered":
      give(
        navigator,
        "connection",
        Object.assign(new EventTarget(), {
          effectiveType: "3g",
          type: "cellular",
          saveData: true,
          downlink: 0.7,
          rtt: 400,
        }),
      );
      break;
    case "masked":
      give(navigator, "userAgent", "Mozilla/5.0");
      give(navigator, "userAgentData", undefined);
      give(navigator, "deviceMemory", undefined);
      give(navigator, "hardwareConcurrency", undefined);
      give(navigator, "connection", undefined);
      give(navigator, "getBattery", undefined);
      give(globalThis.GPUAdapter?.prototype, "info", NAMELESS);
      maskRenderer();
      break;
  }
  return {};

  // Hides the renderer: removes the extension, and gives every device the same names.
  function maskRenderer() {
    const prototype = globalThis.WebGL2RenderingContext?.prototype;
    if (!prototype) return;
    /**
     * @typedef {object} Context
     * @property {(name: string) => unknown} getExtension
     * @property {(name: number) => unknown} getParameter
     * @property {number} RENDERER
     * @property {number} VENDOR
     */
    const gl = /** @type {Context} */ (/** @type {unknown} */ (prototype));
    const { getExtension, getParameter } = gl;
    gl.getExtension = function (name) {
      return name === "WEBGL_debug_renderer_info" ? null : getExtension.call(this, name);
    };
    gl.getParameter = function (name) {
      const isName = name === this.RENDERER || name === this.VENDOR;
      return isName ? "Masked" : getParameter.call(this, name);
    };
  }
}
