//! Tier proof: the evidence that a result came from the tier it is filed under.
//!
//! A [`TierProof`] can only be made by [`verify`], and a pass can only be made with a proof, so
//! that a pass without one does not compile. How an engine gathers the evidence is its own
//! business; here it is only judged.

use inference_wasm::protocol::{BackendName, BundleName, ExecutionReport};
use serde::{Deserialize, Serialize};

use crate::bundle::{BundleChoice, parse_bundle};

/// Evidence that was checked.
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

/// What an execution report lacks to be a proof, one sentence each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingProof {
    /// Never empty.
    pub reasons: Vec<String>,
}

/// What an answer was to come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand {
    /// The backend that the cell is filed under.
    pub backend: BackendName,
    /// The bundle that the page was told to load; natively there is none, and this is ignored.
    pub bundle: BundleChoice,
}

/// Checks a report against what was demanded.
pub fn verify(demand: Demand, report: &ExecutionReport) -> Result<TierProof, MissingProof> {
    let expected = demand.backend;
    let mut reasons = Vec::new();
    let mut require = |holds: bool, reason: String| {
        if !holds {
            reasons.push(reason);
        }
    };
    for (what, found) in [("asked for", report.requested), ("ran", report.actual)] {
        require(found == expected, format!("backend `{expected}` expected, `{found}` {what}"));
    }
    match expected {
        BackendName::Wasm | BackendName::Cpu | BackendName::Reference => {
            require(report.kernel_calls > 0, "no kernel call was counted".to_owned());
            require(
                report.gpu_dispatches == 0,
                format!("{} GPU dispatches on a CPU tier", report.gpu_dispatches),
            );
            require(report.effective_threads > 0, "no effective thread is reported".to_owned());
        }
        BackendName::Webgpu | BackendName::Webgl => {
            require(report.gpu_dispatches > 0, "no dispatch or draw was counted".to_owned());
            // An empty name will do: Firefox keeps the name of a WebGPU adapter to itself.
            require(report.adapter.is_some(), "no adapter or renderer is reported".to_owned());
            require(report.limits_sha256.is_some(), "no hash of features and limits".to_owned());
            require(
                report.adapter_is_software.is_some(),
                "it is not said whether the adapter is software".to_owned(),
            );
        }
    }
    let in_page = report.target == "wasm32";
    let native = matches!(expected, BackendName::Cpu | BackendName::Reference);
    if !native {
        verify_bundle(demand.bundle, report, &mut require);
    }
    require(in_page != native, format!("`{expected}` can't run on target `{}`", report.target));
    match inference_wasm::engine::canary::expected(expected) {
        Some(bits) => require(
            bits == report.canary.bits,
            format!(
                "the canary of `{expected}` is {bits:#010x}, this run's is {:#010x}",
                report.canary.bits
            ),
        ),
        None => require(false, format!("no canary is defined for `{expected}`")),
    }
    if reasons.is_empty() {
        Ok(TierProof { execution: report.clone() })
    } else {
        Err(MissingProof { reasons })
    }
}

/// Checks that the bundle which ran is the one that was demanded, and that it is what its name
/// says.
fn verify_bundle(
    choice: BundleChoice,
    report: &ExecutionReport,
    require: &mut impl FnMut(bool, String),
) {
    let name = report.bundle.strip_suffix("+seeded-faults").unwrap_or(&report.bundle);
    let bundle = match parse_bundle(name) {
        Ok(bundle) => bundle,
        Err(unknown) => return require(false, unknown.to_string()),
    };
    if let Some(demanded) = choice.bundle {
        require(bundle == demanded, format!("bundle `{demanded}` expected, `{bundle}` ran"));
    }
    let (simd, found) = (bundle.simd(), report.simd);
    require(simd == found, format!("bundle `{bundle}` has SIMD level {simd}, found {found}"));
    // Fewer are no lie: on a busy machine one thread is through before another is awake. That all
    // of them stand ready was seen to when the model was loaded.
    let threads = report.effective_threads;
    let most = if bundle == BundleName::Threads { choice.threads } else { 1 };
    require(
        threads <= most,
        format!("bundle `{bundle}` has at most {most} threads here, found {threads}"),
    );
}

#[cfg(test)]
mod tests;
