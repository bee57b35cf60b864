//! Safari, by the safaridriver that macOS brings.
//!
//! It has no headless mode, one session at a time, and takes no capability of another vendor. A
//! person has to allow it once, with `safaridriver --enable`.

use serde_json::{Value, json};

use super::vendor::{Executable, Launch, Port, Vendor};
use crate::spec::cell::BrowserName;

pub(crate) const VENDOR: Vendor = Vendor {
    name: BrowserName::Safari,
    driver: Executable {
        variable: "SAFARIDRIVER",
        names: &["safaridriver"],
        well_known: &[
            "/usr/bin/safaridriver",
            "/Applications/Safari Technology Preview.app/Contents/MacOS/safaridriver",
        ],
        is_well_known_first: false,
    },
    // The driver belongs to one Safari and starts that.
    browser: None,
    port: Port::Given { args: |port| vec!["-p".to_owned(), port.to_string()] },
    env: |_| &[],
    // macOS has its own.
    needs_display: false,
    max_sessions: Some(1),
    capabilities,
};

fn capabilities(_: &Launch<'_>) -> Value {
    json!({ "browserName": "safari" })
}
