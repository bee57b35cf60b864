//! Firefox, by geckodriver.

use serde_json::{Value, json};

use super::vendor::{Executable, Launch, Port, Vendor, trailing_port};
use crate::spec::cell::BrowserName;
use crate::spec::launch::Variant;

pub(crate) const VENDOR: Vendor = Vendor {
    name: BrowserName::Firefox,
    driver: Executable {
        variable: "GECKODRIVER",
        names: &["geckodriver"],
        well_known: &["{cargo-home}/bin/geckodriver", "/snap/bin/geckodriver"],
        is_well_known_first: false,
    },
    browser: Some(Executable {
        variable: "FIREFOX",
        names: &["firefox", "firefox-esr"],
        well_known: &[
            "/usr/lib/firefox/firefox",
            "/usr/lib/firefox-esr/firefox-esr",
            "/Applications/Firefox.app/Contents/MacOS/firefox",
        ],
        // The names on PATH are scripts or links to these.
        is_well_known_first: true,
    }),
    // "1763692671000	geckodriver	INFO	Listening on 127.0.0.1:41583"
    port: Port::Chosen {
        args: &["--host", "127.0.0.1", "--port", "0"],
        parse: |line| line.contains("Listening on").then(|| trailing_port(line))?,
    },
    env: |_| &[],
    // WebGL has no context on a machine without a display, not even without a window.
    needs_display: true,
    max_sessions: None,
    capabilities,
};

fn capabilities(launch: &Launch<'_>) -> Value {
    let variant = launch.profile.variant;
    // Without a window there is no GPU process. There is a display in any case.
    let is_headed = launch.profile.is_headed || variant == Variant::CrashableGpu;
    let args: &[&str] = if is_headed { &[] } else { &["-headless"] };
    let mut options = json!({
        "args": args,
        "prefs": {
            // Off by default on Linux.
            "dom.webgpu.enabled": !matches!(variant, Variant::WithoutWebgpu | Variant::WithoutGpu),
            // Software adapters are on the blocklist, and they are all that a CI machine has.
            "gfx.webgpu.ignore-blocklist": true,
        },
    });
    let others: &[(&str, Value)] = match variant {
        Variant::Default | Variant::WithoutWebgpu => &[],
        // `webgl.enable-webgl2` leaves it on in an OffscreenCanvas.
        Variant::WithoutWebgl | Variant::WithoutGpu => &[("webgl.disabled", json!(true))],
        Variant::WithoutWasm => &[("javascript.options.wasm", json!(false))],
        Variant::CrashableGpu => &[
            ("layers.gpu-process.enabled", json!(true)),
            ("layers.gpu-process.force-enabled", json!(true)),
            ("layers.gpu-process.allow-software", json!(true)),
            ("layers.gpu-process.max_restarts", json!(100)),
        ],
    };
    for (pref, value) in others {
        options["prefs"][*pref] = value.clone();
    }
    if let Some(binary) = launch.browser {
        options["binary"] = json!(binary);
    }
    json!({ "browserName": "firefox", "moz:firefoxOptions": options })
}
