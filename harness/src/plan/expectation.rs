//! What is expected of a cell before anything runs.
//!
//! Pure: a cell and what is known of this machine go in, a [`Disposition`] comes out. How a
//! browser is found and probed is not known here.
//!
//! The first of these that applies decides:
//! 1. the browser or the engine can't have the backend by its nature, the browser can't exist on
//!    this platform, or the engine can't be judged yet;
//! 2. the scenario wants the backend switched off, or a fault that can't be had there;
//! 3. the browser's probe report lacks what the backend needs;
//! 4. the browser is not installed, or the model not fetched (both are told);
//! 5. the matrix lists it as a known failure;
//! 6. it runs.
//!
//! What no command can mend comes before what a command can: nobody shall install a browser for a
//! cell that still won't run.

use std::collections::BTreeMap;

use inference_wasm::protocol::{
    BackendName, CapabilityReport, WasmReport, WebGl2Report, WebGpuReport,
};

use crate::judge::outcome::Disposition;
use crate::spec::bundle::BundleChoice;
use crate::spec::cell::{BrowserName, CellId};
use crate::spec::matrix::Matrix;
use crate::spec::scenario::ClientScenario;

/// What is known of this machine.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Safari can exist here.
    pub is_macos: bool,
    /// Browsers that can't be driven now, each with the command that mends it. `native` needs
    /// none and is never looked up.
    pub missing_browsers: BTreeMap<BrowserName, String>,
    /// What probed browsers can do, as they are launched for the cells in question; a browser that
    /// was not probed is taken to be able.
    pub reports: BTreeMap<BrowserName, CapabilityReport>,
}

/// What is expected of a cell.
pub fn disposition(cell: &CellId, matrix: &Matrix, facts: &Facts) -> Disposition {
    let unsupported = unsupported_platform(cell.browser, facts.is_macos)
        .or_else(|| cell.unsupported_pair())
        .or_else(|| matrix.engines.get(&cell.engine)?.unsupported(cell.backend))
        .or_else(|| unsupported_launch(cell, matrix))
        .or_else(|| matrix.client(cell)?.unsupported(cell.browser, cell.backend))
        .or_else(|| unsupported_by_probe(cell, matrix, facts.reports.get(&cell.browser)));
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

/// Why a backend can't be switched off from outside.
fn unsupported_launch(cell: &CellId, matrix: &Matrix) -> Option<String> {
    if !matrix.is_without_backend(cell) {
        return None;
    }
    match cell.browser {
        BrowserName::Safari => {
            Some("safaridriver takes no flags: no backend can be switched off".to_owned())
        }
        BrowserName::Native => Some("`native` has no browser to switch a backend off".to_owned()),
        BrowserName::Chrome | BrowserName::Firefox | BrowserName::Webkit => None,
    }
}

/// Why the probe rules a cell out.
fn unsupported_by_probe(
    cell: &CellId,
    matrix: &Matrix,
    report: Option<&CapabilityReport>,
) -> Option<String> {
    if matrix.client(cell).is_some_and(ClientScenario::has_launch_fault) {
        // What the browser lacks is the fault; that it does is seen in the attempt.
        return None;
    }
    if !matrix.is_without_backend(cell) {
        return unsupported_by_report(cell.backend, matrix.bundle, report);
    }
    match cell.backend {
        // Whether it is off indeed is seen in the attempt: if not, that is trouble of ours.
        BackendName::Webgpu | BackendName::Webgl => {
            lacks_wasm(&report?.wasm, matrix.bundle).map(|lacks| not_found(&lacks))
        }
        BackendName::Wasm | BackendName::Cpu | BackendName::Reference => None,
    }
}

/// Why a browser can't have a backend, by its probe.
pub(crate) fn unsupported_by_report(
    backend: BackendName,
    bundle: BundleChoice,
    report: Option<&CapabilityReport>,
) -> Option<String> {
    let report = report?;
    let lacks = match backend {
        BackendName::Cpu | BackendName::Reference => return None,
        BackendName::Wasm => None,
        BackendName::Webgpu => lacks_webgpu(&report.webgpu),
        BackendName::Webgl => lacks_webgl(&report.webgl2),
    };
    // The engine is one module on every tier, so a GPU does not help where it can't run.
    let lacks = lacks.or_else(|| lacks_wasm(&report.wasm, bundle));
    lacks.map(|lacks| not_found(&lacks))
}

fn not_found(lacks: &str) -> String {
    format!("the probe found {lacks} in this browser")
}

fn lacks_wasm(report: &WasmReport, bundle: BundleChoice) -> Option<String> {
    if !report.present {
        return Some("no WebAssembly".to_owned());
    }
    bundle.obstacle(report).map(|what| format!("no WebAssembly {what}"))
}

fn lacks_webgpu(report: &WebGpuReport) -> Option<String> {
    let reason = report.reason.as_deref().unwrap_or("no adapter");
    report.adapter.is_none().then(|| format!("no WebGPU adapter ({reason})"))
}

/// Mantissa bits of an `f32`. Fewer in a shader, and no sum of ours is right.
const HIGHP_BITS: u32 = 23;

fn lacks_webgl(report: &WebGl2Report) -> Option<String> {
    if !report.present {
        let reason = report.reason.as_deref().unwrap_or("no context");
        return Some(format!("no WebGL2 ({reason})"));
    }
    if !report.float_readback {
        return Some("no WebGL2 that renders to float textures and reads them back".to_owned());
    }
    let bits = report.highp_bits.unwrap_or(0);
    (bits < HIGHP_BITS)
        .then(|| format!("WebGL2 whose `highp` has {bits} bits of mantissa, {HIGHP_BITS} needed,"))
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
    use inference_wasm::protocol::WebGpuAdapter;

    use super::*;
    use crate::spec::matrix::tests::parse;

    /// Everything is taken away at once, then given back piece by piece, so that the table shows
    /// which reason hides which.
    #[test]
    fn the_first_reason_that_applies_decides() {
        let matrix = parse(
            r#"
browsers = ["chrome", "firefox", "webkit", "safari", "native"]
backends = ["webgpu", "webgl", "wasm", "cpu", "reference"]
models = ["scribe-low-F16", "smollm2-135m"]
scenarios = ["tokens/greedy", "load/*", "backend/*"]
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
            ("chrome/webgpu/F16/tokens", &bare, "run"),
            (
                "chrome/webgpu/smollm2/load",
                &nothing,
                "unsupported: the probe found no WebGPU adapter (no adapter) in this browser",
            ),
            ("firefox/webgl/F16/tokens", &bare, "run"),
            (
                "firefox/webgl/F16/tokens",
                &able,
                "unsupported: the probe found no WebGL2 (no context) in this browser",
            ),
            ("webkit/webgpu/F16/tokens", &missing, "unsupported: WebKitGTK has no WebGPU"),
            ("webkit/webgl/F16/tokens", &bare, "run"),
            ("safari/webgpu/F16/tokens", &mac, "run"),
            ("chrome/webgpu/F16/backend", &able, "run"),
            ("chrome/wasm/F16/backend", &probed(&CapabilityReport::default()), "run"),
            ("webkit/webgpu/F16/backend", &bare, "unsupported: WebKitGTK has no WebGPU"),
            (
                "safari/webgl/F16/backend",
                &mac,
                "unsupported: safaridriver takes no flags: no backend can be switched off",
            ),
            (
                "native/cpu/F16/backend",
                &bare,
                "unsupported: `native` has no browser to switch a backend off",
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
                .replace("/load", "/load/missing-shard")
                .replace("/backend", "/backend/disabled");
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

    #[test]
    fn a_cell_of_an_engine_that_can_not_be_judged_is_unsupported() {
        let matrix = parse(
            r#"
browsers = ["chrome"]
backends = ["webgl", "wasm"]
engines = ["peer"]
models = ["scribe-low-F16"]
scenarios = ["tokens/greedy"]
tolerance = [{ name = "t", mean_kld = 1, max_kld = 1, max_abs = 1, flip_margin = 1, reason = "test" }]
"#,
        )
        .unwrap();
        for (backend, expected) in [
            ("webgl", "`peer` does not run on `webgl`: it has none"),
            ("wasm", "`peer` can't be judged yet"),
        ] {
            let cell = format!("chrome/{backend}/peer/scribe-low-F16/tokens/greedy");
            let found = disposition(&cell.parse().unwrap(), &matrix, &Facts::default());
            assert_eq!(found, Disposition::Unsupported { reason: expected.to_owned() });
        }
    }

    /// A probe in which a backend and the module have all that they need, less one thing at a time.
    #[test]
    fn a_probe_report_tells_what_a_backend_lacks() {
        use BackendName::{Cpu, Wasm, Webgl, Webgpu};
        type Change = fn(&mut CapabilityReport);
        let whole = CapabilityReport {
            wasm: WasmReport { present: true, simd128: true, ..WasmReport::default() },
            webgpu: WebGpuReport {
                present: true,
                adapter: Some(WebGpuAdapter::default()),
                reason: None,
            },
            webgl2: WebGl2Report {
                present: true,
                float_readback: true,
                highp_bits: Some(23),
                ..WebGl2Report::default()
            },
            ..CapabilityReport::default()
        };
        let matrix = parse(
            r#"
browsers = ["firefox"]
backends = ["webgpu", "webgl", "wasm"]
models = ["scribe-low-F16"]
scenarios = ["tokens/greedy", "backend/disabled"]
tolerance = [{ name = "t", mean_kld = 1, max_kld = 1, max_abs = 1, flip_margin = 1, reason = "test" }]
"#,
        )
        .unwrap();
        let table: [(BackendName, Change, &str); 10] = [
            (Webgpu, |_| {}, ""),
            (Webgl, |_| {}, ""),
            (Wasm, |_| {}, ""),
            (
                Webgpu,
                |report| {
                    report.webgpu.adapter = None;
                    report.webgpu.reason = Some("adapter-null".to_owned());
                },
                "no WebGPU adapter (adapter-null)",
            ),
            (Webgpu, |report| report.wasm.present = false, "no WebAssembly"),
            (Webgl, |report| report.wasm.simd128 = false, "no WebAssembly SIMD"),
            (
                Webgl,
                |report| {
                    report.webgl2.present = false;
                    report.webgl2.reason = Some("no display".to_owned());
                },
                "no WebGL2 (no display)",
            ),
            (
                Webgl,
                |report| report.webgl2.float_readback = false,
                "no WebGL2 that renders to float textures and reads them back",
            ),
            (
                Webgl,
                |report| report.webgl2.highp_bits = Some(16),
                "WebGL2 whose `highp` has 16 bits of mantissa, 23 needed,",
            ),
            (Cpu, |report| *report = CapabilityReport::default(), ""),
        ];
        for (backend, change, lacks) in table {
            let mut report = whole.clone();
            change(&mut report);
            let cell = |scenario: &str| -> CellId {
                format!("firefox/{backend}/tierproof/scribe-low-F16/{scenario}").parse().unwrap()
            };
            let tokens = cell("tokens/greedy");
            let expected = format!("the probe found {lacks} in this browser");
            let found = unsupported_by_probe(&tokens, &matrix, Some(&report));
            assert_eq!(found, (!lacks.is_empty()).then_some(expected.clone()), "{backend}");
            assert_eq!(unsupported_by_probe(&tokens, &matrix, None), None);
            // What is to be off can't be missed, the module can.
            let found = unsupported_by_probe(&cell("backend/disabled"), &matrix, Some(&report));
            let misses = lacks.contains("WebAssembly").then_some(expected);
            assert_eq!(found, misses, "{backend}");
        }
    }
}
