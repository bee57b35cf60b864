//! Chromium and what is made of it, by chromedriver.

use serde_json::{Value, json};

use super::vendor::{Executable, Launch, Port, Vendor, trailing_port};
use crate::cell::BrowserName;

pub(crate) const VENDOR: Vendor = Vendor {
    name: BrowserName::Chrome,
    driver: Executable {
        variable: "CHROMEDRIVER",
        names: &["chromedriver"],
        well_known: &["/usr/lib/chromium/chromedriver", "/usr/lib/chromium-browser/chromedriver"],
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
    env: &[],
    needs_display: false,
    max_sessions: None,
    capabilities,
};

fn capabilities(launch: &Launch<'_>) -> Value {
    let mut args = vec![
        // No welcome page in front of ours.
        "--no-first-run",
        // Containers give /dev/shm 64 MB, which a model's shared memory outgrows.
        "--disable-dev-shm-usage",
        // Without it `requestAdapter()` is null wherever there is only a software adapter.
        "--enable-unsafe-webgpu",
        // A window that is covered by another would get its timers, and so our heartbeat,
        // throttled.
        "--disable-background-timer-throttling",
        "--disable-backgrounding-occluded-windows",
        "--disable-renderer-backgrounding",
    ];
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
