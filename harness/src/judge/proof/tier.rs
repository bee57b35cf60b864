//! Proof that an answer came from the tier of its cell.
//!
//! An engine gathers the evidence, here it is only judged.

use inference_wasm::protocol::{BackendName, BundleName, CapabilityReport, ExecutionReport};
use serde::{Deserialize, Serialize};

use crate::judge::capability::{Hardware, adapter_name};
use crate::spec::adapter::AdapterDemand;
use crate::spec::bundle::{BundleChoice, parse_bundle};

/// Evidence of a tier that was checked.
///
/// Deserializing one trusts the log that it comes from: a replayed run was judged when it ran.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TierProof {
    execution: ExecutionReport,
}

impl TierProof {
    /// The report that was checked.
    pub fn execution(&self) -> &ExecutionReport {
        &self.execution
    }
}

/// The gaps in an execution report that keep it from being a proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingProof {
    /// One sentence each; never empty.
    pub reasons: Vec<String>,
}

/// The tier that an answer has to come from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Demand<'a> {
    /// The backend of the cell.
    pub backend: BackendName,
    /// The bundle that the page has to load; ignored for native cells, which have none.
    pub bundle: BundleChoice,
    /// The adapter that a GPU tier has to compute on.
    pub adapter: AdapterDemand,
    /// The probe of a page under the same launch profile, if there was one.
    pub probed: Option<&'a CapabilityReport>,
}

/// Whether an adapter satisfies a demand.
fn takes(demand: AdapterDemand, hardware: Hardware) -> bool {
    match demand {
        AdapterDemand::Any => true,
        AdapterDemand::Hardware => hardware == Hardware::Gpu,
        AdapterDemand::Software => hardware == Hardware::Software,
    }
}

/// Collects gaps.
#[derive(Default)]
struct Missing(Vec<String>);

impl Missing {
    fn require(&mut self, holds: bool, reason: impl FnOnce() -> String) {
        if !holds {
            self.0.push(reason());
        }
    }
}

/// Checks a report against what was demanded.
pub fn verify(demand: Demand<'_>, report: &ExecutionReport) -> Result<TierProof, MissingProof> {
    let expected = demand.backend;
    let mut missing = Missing::default();
    for (what, found) in [("asked for", report.requested), ("ran", report.actual)] {
        missing.require(found == expected, || {
            format!("backend `{expected}` expected, `{found}` {what}")
        });
    }
    let is_native = match expected {
        BackendName::Cpu | BackendName::Reference => true,
        BackendName::Wasm | BackendName::Webgpu | BackendName::Webgl => false,
    };
    match expected {
        BackendName::Wasm | BackendName::Cpu | BackendName::Reference => {
            verify_cpu(report, &mut missing);
        }
        BackendName::Webgpu | BackendName::Webgl => verify_gpu(demand, report, &mut missing),
    }
    if !is_native {
        verify_bundle(demand.bundle, report, &mut missing);
    }
    let is_in_page = report.target == "wasm32";
    missing.require(is_in_page != is_native, || {
        format!("`{expected}` can't run on target `{}`", report.target)
    });
    verify_canary(expected, report, &mut missing);
    if missing.0.is_empty() {
        Ok(TierProof { execution: report.clone() })
    } else {
        Err(MissingProof { reasons: missing.0 })
    }
}

fn verify_cpu(report: &ExecutionReport, missing: &mut Missing) {
    missing.require(report.kernel_calls > 0, || "no kernel call was counted".to_owned());
    missing.require(report.gpu_dispatches == 0, || {
        format!("{} GPU dispatches on a CPU tier", report.gpu_dispatches)
    });
    missing.require(report.effective_threads > 0, || "no effective thread is reported".to_owned());
}

fn verify_gpu(demand: Demand<'_>, report: &ExecutionReport, missing: &mut Missing) {
    missing.require(report.gpu_dispatches > 0, || "no dispatch or draw was counted".to_owned());
    missing.require(report.limits_sha256.is_some(), || "no hash of features and limits".to_owned());
    missing.require(report.adapter_is_software.is_some(), || {
        "the report does not say whether the adapter is software".to_owned()
    });
    // An empty name will do: Firefox keeps that of a WebGPU adapter to itself.
    let Some(name) = report.adapter.as_deref() else {
        return missing.require(false, || "no adapter or renderer is reported".to_owned());
    };
    let ran = Adapter { name, hardware: Hardware::of_adapter(report.adapter_is_software, name) };
    // A browser may report to the page what it does not report to the engine.
    let seen = demand.probed.map_or(Hardware::Untold, |probed| probed_hardware(demand, probed));
    let hardware = if ran.hardware == Hardware::Untold { seen } else { ran.hardware };
    missing.require(takes(demand.adapter, hardware), || {
        format!("a {} adapter was demanded, it ran on: {ran}", demand.adapter.as_str())
    });
    let Some(probed) = demand.probed else { return };
    if demand.backend == BackendName::Webgl && !probed.webgl2.in_worker {
        missing.require(report.on_main_thread, || {
            "the engine reports that it drew in a worker, where the probe got no WebGL2 context"
                .to_owned()
        });
    }
    let seen = Adapter { name: &probed_name(demand.backend, probed), hardware: seen };
    missing.require(!ran.contradicts(&seen), || {
        format!("the engine reports that it ran on: {ran}; the page's probe found: {seen}")
    });
}

/// The probe's name for the adapter or renderer of a backend; empty if it is not reported.
fn probed_name(backend: BackendName, probed: &CapabilityReport) -> String {
    match backend {
        BackendName::Webgpu => probed.webgpu.adapter.as_ref().map(adapter_name).unwrap_or_default(),
        BackendName::Webgl => probed.webgl2.renderer.clone(),
        BackendName::Wasm | BackendName::Cpu | BackendName::Reference => String::new(),
    }
}

/// The probe's knowledge of the hardware of a backend.
fn probed_hardware(demand: Demand<'_>, probed: &CapabilityReport) -> Hardware {
    let is_fallback = probed.webgpu.adapter.as_ref().and_then(|adapter| adapter.is_fallback);
    let is_fallback = is_fallback.filter(|_| demand.backend == BackendName::Webgpu);
    Hardware::of_adapter(is_fallback, &probed_name(demand.backend, probed))
}

/// An adapter, as engine or probe report it.
struct Adapter<'a> {
    name: &'a str,
    hardware: Hardware,
}

impl Adapter<'_> {
    /// Whether both can't describe one adapter. Names are compared by their words, since engine and
    /// page join the parts of a name differently.
    fn contradicts(&self, other: &Adapter<'_>) -> bool {
        let is_known = |adapter: &Adapter<'_>| adapter.hardware != Hardware::Untold;
        let is_other_kind = is_known(self) && is_known(other) && self.hardware != other.hardware;
        let (ours, theirs) = (words(self.name), words(other.name));
        let has_names = !ours.is_empty() && !theirs.is_empty();
        is_other_kind || has_names && !ours.iter().any(|word| theirs.contains(word))
    }
}

impl std::fmt::Display for Adapter<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.hardware.describe(self.name))
    }
}

fn words(name: &str) -> Vec<String> {
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

/// Checks that the bundle which ran is the one that was demanded, and that it is what its name
/// says.
fn verify_bundle(choice: BundleChoice, report: &ExecutionReport, missing: &mut Missing) {
    let name = report.bundle.strip_suffix("+seeded-faults").unwrap_or(&report.bundle);
    let bundle = match parse_bundle(name) {
        Ok(bundle) => bundle,
        Err(unknown) => return missing.require(false, || unknown.to_string()),
    };
    if let Some(demanded) = choice.bundle {
        missing.require(bundle == demanded, || {
            format!("bundle `{demanded}` expected, `{bundle}` ran")
        });
    }
    let (simd, found) = (bundle.simd(), report.simd);
    missing.require(simd == found, || {
        format!("bundle `{bundle}` has SIMD level {simd}, found {found}")
    });
    // Fewer are possible: on a busy machine one thread finishes before another wakes up. Loading the
    // model has checked that all of them exist.
    let threads = report.effective_threads;
    let most = if bundle == BundleName::Threads { choice.threads } else { 1 };
    missing.require(threads <= most, || {
        format!("bundle `{bundle}` has at most {most} threads here, found {threads}")
    });
}

fn verify_canary(expected: BackendName, report: &ExecutionReport, missing: &mut Missing) {
    let Some(bits) = inference_wasm::engine::canary::expected(expected) else {
        return missing.require(false, || format!("no canary is defined for `{expected}`"));
    };
    missing.require(bits == report.canary.bits, || {
        format!(
            "the canary of `{expected}` is {bits:#010x}, this run's is {:#010x}",
            report.canary.bits
        )
    });
}

#[cfg(test)]
#[path = "tier_tests.rs"]
mod tests;
