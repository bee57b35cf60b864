// A weaker device, or a browser that reveals less.
//
// params: { fault, value }. Reports when the page reads a value that was replaced.

// The adapter's names in a browser that masks them.
const NAMELESS = { vendor: "", architecture: "", device: "", description: "" };

export function install({ fault }, scope, report) {
  let isReported = false;

  // Replaces a property, and reports its first use.
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

  // A masked renderer: the extension is missing, and the rest is the same on every device.
  function maskRenderer() {
    const gl = globalThis.WebGL2RenderingContext?.prototype;
    if (!gl) return;
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
