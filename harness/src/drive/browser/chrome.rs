//! Chromium and what is made of it, by chromedriver.

use serde_json::{Value, json};

use super::vendor::{Executable, Launch, Port, Vendor, trailing_port};
use crate::spec::cell::BrowserName;
use crate::spec::launch::{Gpu, Variant};

pub(crate) const VENDOR: Vendor = Vendor {
    name: BrowserName::Chrome,
    driver: Executable {
        variable: "CHROMEDRIVER",
        names: &["chromedriver"],
        well_known: &[
            "/usr/lib/chromium/chromedriver",
            "/usr/lib/chromium-browser/chromedriver",
            "/snap/bin/chromium.chromedriver",
        ],
        is_well_known_first: false,
    },
    browser: Some(Executable {
        variable: "CHROME",
        names: &["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"],
        well_known: &[
            "/usr/lib/chromium/chromium",
            "/usr/lib/chromium-browser/chromium-browser",
            "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
            "/Applications/Chromium.app/Contents/MacOS/Chromium",
        ],
        // `chromium` on a Debian PATH is a shell script, which adds flags of its own.
        is_well_known_first: true,
    }),
    // "ChromeDriver was started successfully on port 35071."
    port: Port::Chosen {
        args: &["--port=0"],
        parse: |line| line.contains("started successfully on port").then(|| trailing_port(line))?,
    },
    env: |_| &[],
    needs_display: false,
    max_sessions: None,
    capabilities,
};

/// Without it `requestAdapter()` is null wherever there is only a software adapter. No flag that
/// names WebGPU switches it off, `--disable-features=WebGPU` for one, but the lack of this one does.
const WEBGPU: &str = "--enable-unsafe-webgpu";

fn backends(variant: Variant) -> &'static [&'static str] {
    match variant {
        Variant::Default => &[WEBGPU],
        Variant::WithoutWebgpu => &[],
        // `--disable-webgl` and `--disable-3d-apis` leave it on in an OffscreenCanvas.
        Variant::WithoutWebgl | Variant::WithoutGpu => {
            &[WEBGPU, "--disable-gpu", "--disable-software-rasterizer"]
        }
        // `--noexpose-wasm` has no effect.
        Variant::WithoutWasm => &[WEBGPU, "--js-flags=--jitless"],
        // After two crashes a page gets no GPU any more, after three the browser has none.
        Variant::CrashableGpu => {
            &[WEBGPU, "--disable-domain-blocking-for-3d-apis", "--disable-gpu-process-crash-limit"]
        }
    }
}

/// What headless Chromium needs to take the machine's own GPU. With ANGLE on Vulkan, WebGL2 and
/// WebGPU go through one driver.
fn gpu(gpu: Gpu) -> &'static [&'static str] {
    match gpu {
        Gpu::Any => &[],
        Gpu::Hardware => &[
            // Server GPUs are on no list of known ones.
            "--ignore-gpu-blocklist",
            // It keeps the driver from the devices that it opens late.
            "--disable-gpu-sandbox",
            "--use-angle=vulkan",
            "--enable-features=Vulkan",
            "--use-vulkan=native",
            // There is no display to make one on.
            "--disable-vulkan-surface",
        ],
    }
}

fn capabilities(launch: &Launch<'_>) -> Value {
    let mut args = vec![
        // No welcome page in front of ours.
        "--no-first-run",
        // Containers give /dev/shm 64 MB, which a model's shared memory outgrows.
        "--disable-dev-shm-usage",
        // A window that is covered by another would get its timers, and so our heartbeat,
        // throttled.
        "--disable-background-timer-throttling",
        "--disable-backgrounding-occluded-windows",
        "--disable-renderer-backgrounding",
    ];
    args.extend(backends(launch.profile.variant));
    args.extend(gpu(launch.profile.gpu));
    if !launch.profile.is_headed {
        // The same browser without a window; the old headless mode was another one.
        args.push("--headless=new");
    }
    if launch.is_unsandboxed {
        // Chromium refuses to start as root with its sandbox, and user namespaces, which it is
        // made of, are mostly forbidden in containers.
        args.push("--no-sandbox");
    }
    let mut options = json!({ "args": args });
    if let Some(binary) = launch.browser {
        options["binary"] = json!(binary);
    }
    json!({
        "browserName": "chrome",
        // Console lines, for evidence.
        "goog:loggingPrefs": { "browser": "ALL" },
        "goog:chromeOptions": options,
    })
}
