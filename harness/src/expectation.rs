//! What is expected of a cell before anything runs.
//!
//! Pure: a cell and what is known of this machine go in, a [`Disposition`] comes out. How a
//! browser is found and probed is not known here.
//!
//! The first of these that applies decides:
//! 1. the browser can't have the backend by its nature, or can't exist on this platform;
//! 2. the engine has no such backend yet;
//! 3. the browser's probe report lacks what the backend needs;
//! 4. the browser is not installed, or the model not fetched (both are told);
//! 5. the matrix lists it as a known failure;
//! 6. it runs.
//!
//! What no command can mend comes before what a command can, and both before what only a change
//! of code can: nobody shall install a browser for a cell that still won't run.

use std::collections::BTreeMap;

use inference_wasm::protocol::{BackendName, CapabilityReport};

use crate::cell::{BrowserName, CellId};
use crate::matrix::Matrix;
use crate::outcome::Disposition;

/// What is known of this machine.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Safari can exist here.
    pub is_macos: bool,
    /// Browsers that can't be driven now, each with the command that mends it. `native` needs
    /// none and is never looked up.
    pub missing_browsers: BTreeMap<BrowserName, String>,
    /// What probed browsers can do; a browser that was not probed is taken to be able.
    pub reports: BTreeMap<BrowserName, CapabilityReport>,
}

/// What is expected of a cell.
pub fn disposition(cell: &CellId, matrix: &Matrix, facts: &Facts) -> Disposition {
    let unsupported = unsupported_platform(cell.browser, facts.is_macos)
        .or_else(|| unsupported_pair(cell))
        .or_else(|| unsupported_by_report(cell.backend, facts.reports.get(&cell.browser)));
    if let Some(reason) = unsupported {
        return Disposition::Unsupported { reason };
    }
    if let Some(reason) = unavailable(cell, matrix, facts) {
        return Disposition::Unavailable { reason };
    }
    match matrix.known_failure(cell) {
        Some(known) => {
            Disposition::KnownFailure { reason: known.reason.clone(), link: known.link.clone() }
        }
        None => Disposition::Run,
    }
}

fn unsupported_platform(browser: BrowserName, is_macos: bool) -> Option<String> {
    (browser == BrowserName::Safari && !is_macos)
        .then(|| "Safari exists on macOS only; `webkit` is its engine on Linux".to_owned())
}

/// Why no machine can run a cell: the browser can't have the backend, or the engine hasn't it.
pub(crate) fn unsupported_pair(cell: &CellId) -> Option<String> {
    use BackendName::{Cpu, Reference, Wasm, Webgl, Webgpu};
    use BrowserName::{Chrome, Firefox, Native, Safari, Webkit};
    let CellId { browser, backend, engine, .. } = cell;
    match (browser, backend) {
        (Native, Webgpu | Webgl | Wasm) => {
            Some(format!("`native` is no page: `{backend}` exists in browsers only"))
        }
        (Chrome | Firefox | Webkit | Safari, Cpu | Reference) => {
            Some(format!("`{backend}` exists natively only: use browser `native`"))
        }
        (Webkit, Webgpu) => Some("WebKitGTK has no WebGPU".to_owned()),
        (Chrome | Firefox | Webkit | Safari, Webgpu | Webgl) => {
            Some(format!("engine `{engine}` has no `{backend}` backend yet"))
        }
        (Chrome | Firefox | Webkit | Safari, Wasm) | (Native, Cpu | Reference) => None,
    }
}

fn unsupported_by_report(
    backend: BackendName,
    report: Option<&CapabilityReport>,
) -> Option<String> {
    let report = report?;
    match backend {
        BackendName::Wasm if !report.wasm.present => {
            Some("the probe found no WebAssembly in this browser".to_owned())
        }
        BackendName::Wasm if !report.wasm.simd128 => {
            Some("the probe found no WebAssembly SIMD in this browser".to_owned())
        }
        BackendName::Webgpu if report.webgpu.adapter.is_none() => {
            let reason = report.webgpu.reason.as_deref().unwrap_or("no adapter");
            Some(format!("the probe found no WebGPU adapter in this browser: {reason}"))
        }
        BackendName::Webgl if !report.webgl2.present => {
            let reason = report.webgl2.reason.as_deref().unwrap_or("no context");
            Some(format!("the probe found no WebGL2 in this browser: {reason}"))
        }
        BackendName::Wasm
        | BackendName::Webgpu
        | BackendName::Webgl
        | BackendName::Cpu
        | BackendName::Reference => None,
    }
}

fn unavailable(cell: &CellId, matrix: &Matrix, facts: &Facts) -> Option<String> {
    let browser =
        facts.missing_browsers.get(&cell.browser).filter(|_| cell.browser != BrowserName::Native);
    let browser = browser.map(|mend| format!("{} can't be driven: run `{mend}`", cell.browser));
    let is_present = matrix.models.get(&cell.model).is_some_and(|model| model.is_present);
    let model = (!is_present).then(|| {
        let name = &cell.model;
        format!("model `{name}` is not here: run `tierproof models fetch {name}`")
    });
    let reasons: Vec<_> = browser.into_iter().chain(model).collect();
    (!reasons.is_empty()).then(|| reasons.join("; "))
}
