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
//! What no command can mend comes before what a command can: nobody shall install a browser for a
//! cell that still won't run.

use std::collections::BTreeMap;

use inference_wasm::protocol::{BackendName, CapabilityReport};

use crate::bundle::BundleChoice;
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
        .or_else(|| {
            unsupported_by_report(cell.backend, matrix.bundle, facts.reports.get(&cell.browser))
        });
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
        (Chrome | Firefox | Webkit | Safari, Webgl) => {
            Some(format!("engine `{engine}` has no `{backend}` backend yet"))
        }
        (Chrome | Firefox | Safari, Webgpu)
        | (Chrome | Firefox | Webkit | Safari, Wasm)
        | (Native, Cpu | Reference) => None,
    }
}

fn unsupported_by_report(
    backend: BackendName,
    bundle: BundleChoice,
    report: Option<&CapabilityReport>,
) -> Option<String> {
    let report = report?;
    match backend {
        BackendName::Wasm if !report.wasm.present => {
            Some("the probe found no WebAssembly in this browser".to_owned())
        }
        BackendName::Wasm => {
            let what = bundle.obstacle(&report.wasm)?;
            Some(format!("the probe found no WebAssembly {what} in this browser"))
        }
        BackendName::Webgpu if report.webgpu.adapter.is_none() => {
            let reason = report.webgpu.reason.as_deref().unwrap_or("no adapter");
            Some(format!("the probe found no WebGPU adapter in this browser: {reason}"))
        }
        BackendName::Webgl if !report.webgl2.present => {
            let reason = report.webgl2.reason.as_deref().unwrap_or("no context");
            Some(format!("the probe found no WebGL2 in this browser: {reason}"))
        }
        BackendName::Webgpu | BackendName::Webgl | BackendName::Cpu | BackendName::Reference => {
            None
        }
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

#[cfg(test)]
mod tests {
    use inference_wasm::protocol::{WasmReport, WebGl2Report, WebGpuReport};

    use super::*;
    use crate::matrix::tests::parse;

    /// Everything is taken away at once, then given back piece by piece, so that the table shows
    /// which reason hides which.
    #[test]
    fn the_first_reason_that_applies_decides() {
        let matrix = parse(
            r#"
browsers = ["chrome", "firefox", "webkit", "safari", "native"]
backends = ["webgpu", "webgl", "wasm", "cpu", "reference"]
models = ["scribe-low-F16", "smollm2-135m"]
scenarios = ["tokens/greedy", "load/*"]
known-failure = [{ when = { scenarios = ["load/*"] }, reason = "leaks", link = "https://x.y/1", expires = 2027-01-01 }]
tolerance = [{ name = "t", mean_kld = 1, max_kld = 1, max_abs = 1, flip_margin = 1, reason = "test" }]
"#,
        )
        .unwrap();
        let capable = CapabilityReport {
            wasm: WasmReport { present: true, simd128: true, ..WasmReport::default() },
            ..CapabilityReport::default()
        };
        let mut scalar = capable.clone();
        scalar.wasm.simd128 = false;
        let bare = Facts::default();
        let missing = Facts {
            missing_browsers: BrowserName::ALL
                .map(|name| (name, format!("tierproof setup --browser {name}")))
                .into(),
            ..Facts::default()
        };
        let probed = |report: &CapabilityReport| Facts {
            reports: BrowserName::ALL.map(|name| (name, report.clone())).into(),
            ..Facts::default()
        };
        let nothing =
            Facts { reports: probed(&CapabilityReport::default()).reports, ..missing.clone() };
        let mac = Facts { is_macos: true, ..Facts::default() };
        let (able, scalar) = (probed(&capable), probed(&scalar));

        for (cell, facts, expected) in [
            ("chrome/wasm/F16/tokens", &bare, "run"),
            ("chrome/wasm/F16/tokens", &able, "run"),
            ("native/cpu/F16/tokens", &missing, "run"),
            ("native/reference/F16/tokens", &nothing, "run"),
            ("safari/wasm/F16/tokens", &mac, "run"),
            ("chrome/wasm/F16/load", &able, "known failure: leaks https://x.y/1"),
            (
                "chrome/wasm/F16/load",
                &missing,
                "unavailable: chrome can't be driven: run `tierproof setup --browser chrome`",
            ),
            (
                "chrome/wasm/smollm2/tokens",
                &able,
                "unavailable: model `smollm2-135m` is not here: run `tierproof models fetch smollm2-135m`",
            ),
            (
                "native/cpu/smollm2/load",
                &missing,
                "unavailable: model `smollm2-135m` is not here: run `tierproof models fetch smollm2-135m`",
            ),
            (
                "firefox/wasm/smollm2/load",
                &missing,
                "unavailable: firefox can't be driven: run `tierproof setup --browser firefox`; model `smollm2-135m` is not here: run `tierproof models fetch smollm2-135m`",
            ),
            (
                "chrome/wasm/smollm2/load",
                &nothing,
                "unsupported: the probe found no WebAssembly in this browser",
            ),
            (
                "chrome/wasm/F16/load",
                &scalar,
                "unsupported: the probe found no WebAssembly SIMD in this browser",
            ),
            (
                "chrome/webgpu/smollm2/load",
                &nothing,
                "unsupported: engine `tierproof` has no `webgpu` backend yet",
            ),
            (
                "firefox/webgl/F16/tokens",
                &able,
                "unsupported: engine `tierproof` has no `webgl` backend yet",
            ),
            ("webkit/webgpu/F16/tokens", &missing, "unsupported: WebKitGTK has no WebGPU"),
            (
                "webkit/webgl/F16/tokens",
                &bare,
                "unsupported: engine `tierproof` has no `webgl` backend yet",
            ),
            (
                "safari/webgpu/F16/tokens",
                &mac,
                "unsupported: engine `tierproof` has no `webgpu` backend yet",
            ),
            (
                "safari/wasm/F16/load",
                &nothing,
                "unsupported: Safari exists on macOS only; `webkit` is its engine on Linux",
            ),
            (
                "safari/cpu/F16/tokens",
                &bare,
                "unsupported: Safari exists on macOS only; `webkit` is its engine on Linux",
            ),
            (
                "native/wasm/F16/tokens",
                &bare,
                "unsupported: `native` is no page: `wasm` exists in browsers only",
            ),
            (
                "native/webgpu/F16/tokens",
                &bare,
                "unsupported: `native` is no page: `webgpu` exists in browsers only",
            ),
            (
                "chrome/cpu/F16/tokens",
                &bare,
                "unsupported: `cpu` exists natively only: use browser `native`",
            ),
            (
                "webkit/reference/F16/load",
                &missing,
                "unsupported: `reference` exists natively only: use browser `native`",
            ),
        ] {
            let id = cell
                .replace("/F16/", "/tierproof/scribe-low-F16/")
                .replace("/smollm2/", "/tierproof/smollm2-135m/")
                .replace("/tokens", "/tokens/greedy")
                .replace("/load", "/load/missing-shard");
            let found = match disposition(&id.parse().unwrap(), &matrix, facts) {
                Disposition::Run => "run".to_owned(),
                Disposition::KnownFailure { reason, link } => {
                    format!("known failure: {reason} {link}")
                }
                Disposition::Unsupported { reason } => format!("unsupported: {reason}"),
                Disposition::Unavailable { reason } => format!("unavailable: {reason}"),
            };
            assert_eq!(found, expected, "{cell}");
        }
    }

    /// The engine has no GPU backend yet, so no disposition shows these.
    #[test]
    fn a_probe_report_tells_of_missing_gpus() {
        let mut report = CapabilityReport {
            webgpu: WebGpuReport {
                reason: Some("adapter-null".to_owned()),
                ..WebGpuReport::default()
            },
            webgl2: WebGl2Report {
                reason: Some("no context".to_owned()),
                ..WebGl2Report::default()
            },
            ..CapabilityReport::default()
        };
        let reason = |backend, report: &CapabilityReport| {
            unsupported_by_report(backend, BundleChoice::default(), Some(report))
        };
        assert_eq!(
            reason(BackendName::Webgpu, &report).unwrap(),
            "the probe found no WebGPU adapter in this browser: adapter-null"
        );
        assert_eq!(
            reason(BackendName::Webgl, &report).unwrap(),
            "the probe found no WebGL2 in this browser: no context"
        );
        report.webgpu.adapter = Some(inference_wasm::protocol::WebGpuAdapter::default());
        report.webgl2.present = true;
        assert_eq!(reason(BackendName::Webgpu, &report), None);
        assert_eq!(reason(BackendName::Webgl, &report), None);
        let choice = BundleChoice::default();
        assert_eq!(unsupported_by_report(BackendName::Wasm, choice, None), None);
    }
}
