// A device and a browser that are less, or tell less, than this one.
//
// params: { fault, value }. Reports when somebody asks for what is not what it was.

// What a browser that hides it tells of an adapter.
const NAMELESS = { vendor: "", architecture: "", device: "", description: "" };

export function install({ fault }, scope, report) {
  let isTold = false;

  // A property that gives something else, and says so the first time.
  function give(target, name, value) {
    if (!target) return;
    Object.defineProperty(target, name, {
      configurable: true,
      get() {
        if (!isTold) report(`${name} was asked for, in ${scope}`);
        isTold = true;
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

  // A renderer by no name: the extension is gone, and the rest says the same on every device.
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
