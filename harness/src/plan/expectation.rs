//! What is expected of a cell before anything runs.
//!
//! Pure: a cell and the facts about this machine go in, a [`Disposition`] comes out. Finding and
//! probing browsers is done elsewhere.
//!
//! The first of these that applies decides:
//! 1. the browser or the engine never has the backend, the browser does not exist on this platform,
//!    or the engine can't be judged yet;
//! 2. the scenario switches the backend off, or injects a fault, in a way that is impossible there;
//! 3. the browser's probe report lacks something that the backend needs;
//! 4. the browser is not installed, or the model is not fetched (both are reported);
//! 5. the matrix lists it as a known failure;
//! 6. it runs.
//!
//! Reasons that no command can fix come first, so that no user installs a browser for a cell that
//! still won't run.

use std::collections::BTreeMap;

use inference_wasm::protocol::{
    BackendName, CapabilityReport, WasmReport, WebGl2Report, WebGpuReport,
};

use crate::judge::outcome::Disposition;
use crate::spec::bundle::BundleChoice;
use crate::spec::cell::{BrowserName, CellId};
use crate::spec::matrix::Matrix;
use crate::spec::scenario::ClientScenario;

/// The facts about this machine that expectations depend on.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// This is macOS, the only platform that has Safari.
    pub is_macos: bool,
    /// Browsers that can't be driven now, each with the command that fixes it. `native` needs no
    /// browser and is never looked up.
    pub missing_browsers: BTreeMap<BrowserName, String>,
    /// The reports of probed browsers, launched as the cells in question need them. A browser that
    /// was not probed is assumed to be capable.
    pub reports: BTreeMap<BrowserName, CapabilityReport>,
}

/// Decides what is expected of a cell.
pub fn disposition(cell: &CellId, matrix: &Matrix, facts: &Facts) -> Disposition {
    let unsupported = unsupported_platform(cell.browser, facts.is_macos)
        .or_else(|| cell.unsupported_pair())
        .or_else(|| matrix.engines.get(&cell.engine)?.unsupported(cell.backend))
        .or_else(|| unsupported_launch(cell, matrix))
        .or_else(|| matrix.client(cell)?.unsupported(cell.browser, cell.backend))
        .or_else(|| {
            unsupported_by_probe(Launched::of(cell, matrix), facts.reports.get(&cell.browser))
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

/// What decides whether a cell can run in a browser that was probed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Launched<'a> {
    /// The backend under test.
    pub(crate) backend: BackendName,
    /// The scenario switches that backend off.
    pub(crate) is_without_backend: bool,
    /// The scenario of the hybrid client, if it is one.
    pub(crate) client: Option<&'a ClientScenario>,
    /// The bundle that pages load.
    pub(crate) bundle: BundleChoice,
}

impl<'a> Launched<'a> {
    fn of(cell: &CellId, matrix: &'a Matrix) -> Self {
        Self {
            backend: cell.backend,
            is_without_backend: matrix.is_without_backend(cell),
            client: matrix.client(cell),
            bundle: matrix.bundle,
        }
    }
}

/// Why the probe rules a cell out; `None` if it does not.
pub(crate) fn unsupported_by_probe(
    launched: Launched<'_>,
    report: Option<&CapabilityReport>,
) -> Option<String> {
    let Launched { backend, is_without_backend, client, bundle } = launched;
    if client.is_some_and(ClientScenario::has_launch_fault) {
        // The missing capability is the fault itself; the attempt proves that it is missing.
        return None;
    }
    if !is_without_backend {
        return unsupported_by_report(backend, bundle, report);
    }
    match backend {
        // The attempt proves that the backend is off; if it is not, the harness is in trouble.
        BackendName::Webgpu | BackendName::Webgl => {
            lacks_wasm(&report?.wasm, bundle).map(|lacks| not_found(&lacks))
        }
        BackendName::Wasm | BackendName::Cpu | BackendName::Reference => None,
    }
}

/// Why a browser can't have a backend, according to its probe.
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
    // The engine is one WebAssembly module on every tier, so a GPU alone is not enough.
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

/// Mantissa bits of an `f32`. With fewer bits in a shader, no sum of the engine is right.
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
    let browser =
        browser.map(|command| format!("{} can't be driven: run `{command}`", cell.browser));
    let is_present = matrix.models.get(&cell.model).is_some_and(|model| model.is_present);
    let model = (!is_present).then(|| {
        let name = &cell.model;
        format!("model `{name}` is not on this machine: run `tierproof models fetch {name}`")
    });
    let reasons: Vec<_> = browser.into_iter().chain(model).collect();
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

#[cfg(test)]
mod tests {
    use inference_wasm::protocol::WebGpuAdapter;

    use super::*;
    use crate::spec::matrix::tests::parse;

    /// Removes everything, then restores it piece by piece, to show which reason hides which.
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
                "unavailable: model `smollm2-135m` is not on this machine: run `tierproof models fetch smollm2-135m`",
            ),
            (
                "native/cpu/smollm2/load",
                &missing,
                "unavailable: model `smollm2-135m` is not on this machine: run `tierproof models fetch smollm2-135m`",
            ),
            (
                "firefox/wasm/smollm2/load",
                &missing,
                "unavailable: firefox can't be driven: run `tierproof setup --browser firefox`; model `smollm2-135m` is not on this machine: run `tierproof models fetch smollm2-135m`",
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
                "unsupported: `native` has no page: `wasm` exists only in browsers",
            ),
            (
                "native/webgpu/F16/tokens",
                &bare,
                "unsupported: `native` has no page: `webgpu` exists only in browsers",
            ),
            (
                "chrome/cpu/F16/tokens",
                &bare,
                "unsupported: `cpu` exists only natively: use browser `native`",
            ),
            (
                "webkit/reference/F16/load",
                &missing,
                "unsupported: `reference` exists only natively: use browser `native`",
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
    fn a_probe_report_shows_what_a_backend_lacks() {
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
            let found = unsupported_by_probe(Launched::of(&tokens, &matrix), Some(&report));
            assert_eq!(found, (!lacks.is_empty()).then_some(expected.clone()), "{backend}");
            assert_eq!(unsupported_by_probe(Launched::of(&tokens, &matrix), None), None);
            // A backend that is switched off can't be missing, but the module can.
            let found = unsupported_by_probe(
                Launched::of(&cell("backend/disabled"), &matrix),
                Some(&report),
            );
            let misses = lacks.contains("WebAssembly").then_some(expected);
            assert_eq!(found, misses, "{backend}");
        }
    }
}
