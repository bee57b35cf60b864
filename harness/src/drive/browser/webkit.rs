//! WebKitGTK's MiniBrowser, by WebKitWebDriver: the engine of Safari, on Linux.

use serde_json::{Value, json};

use super::vendor::{Executable, Launch, Port, Vendor};
use crate::spec::cell::BrowserName;
use crate::spec::launch::Variant;

pub(crate) const VENDOR: Vendor = Vendor {
    name: BrowserName::Webkit,
    driver: Executable {
        variable: "WEBKIT_WEBDRIVER",
        names: &["WebKitWebDriver"],
        well_known: &["/usr/libexec/webkit2gtk-4.*/WebKitWebDriver"],
        is_well_known_first: false,
    },
    browser: Some(Executable {
        variable: "WEBKIT_MINIBROWSER",
        names: &["MiniBrowser"],
        well_known: &[
            "/usr/lib/*/webkitgtk-6.*/MiniBrowser",
            "/usr/lib/*/webkit2gtk-4.*/MiniBrowser",
            "/usr/libexec/webkitgtk-6.*/MiniBrowser",
            "/usr/libexec/webkit2gtk-4.*/MiniBrowser",
            "/usr/lib/webkitgtk-6.*/MiniBrowser",
            "/usr/lib/webkit2gtk-4.*/MiniBrowser",
        ],
        is_well_known_first: false,
    }),
    // It takes `--port=0` for "no port given".
    port: Port::Given { args: |port| vec![format!("--port={port}")] },
    env,
    needs_display: true,
    max_sessions: None,
    capabilities,
};

/// `navigator.storage` is absent without.
const FEATURES: &str = "--features=+StorageAPI,+StorageAPIEstimate";

/// `SharedArrayBuffer` stays away by default, even where `crossOriginIsolated` is true, and
/// threads with it.
const SHARED_MEMORY: (&str, &str) = ("JSC_useSharedArrayBuffer", "1");

fn env(variant: Variant) -> &'static [(&'static str, &'static str)] {
    match variant {
        Variant::Default
        | Variant::WithoutWebgpu
        | Variant::WithoutWebgl
        | Variant::WithoutGpu
        | Variant::CrashableGpu => &[SHARED_MEMORY],
        // No flag reaches WebAssembly.
        Variant::WithoutWasm => &[SHARED_MEMORY, ("JSC_useWasm", "0")],
    }
}

fn capabilities(launch: &Launch<'_>) -> Value {
    let features = match launch.profile.variant {
        // WebGPU is always off.
        Variant::Default
        | Variant::WithoutWebgpu
        | Variant::WithoutWasm
        | Variant::CrashableGpu => FEATURES.to_owned(),
        Variant::WithoutWebgl | Variant::WithoutGpu => format!("{FEATURES},-WebGL"),
    };
    let mut options = json!({
        "args": [
            // Without it the browser refuses to be driven.
            "--automation",
            features,
        ],
    });
    if let Some(binary) = launch.browser {
        options["binary"] = json!(binary);
    }
    json!({ "webkitgtk:browserOptions": options })
}
