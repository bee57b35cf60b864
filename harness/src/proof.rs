//! Tier proof: the evidence that a result came from the tier it is filed under.
//!
//! A [`TierProof`] can only be made by [`verify`], and a pass can only be made with a proof, so
//! that a pass without one does not compile. How an engine gathers the evidence is its own
//! business; here it is only judged.

use inference_wasm::protocol::{BackendName, ExecutionReport};
use serde::{Deserialize, Serialize};

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

/// Checks a report against the backend that the cell is filed under.
pub fn verify(expected: BackendName, report: &ExecutionReport) -> Result<TierProof, MissingProof> {
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
            require(report.adapter.is_some(), "no adapter or renderer is named".to_owned());
            require(report.limits_sha256.is_some(), "no hash of features and limits".to_owned());
            require(
                report.adapter_is_software.is_some(),
                "it is not said whether the adapter is software".to_owned(),
            );
        }
    }
    let in_page = report.target == "wasm32";
    let native = matches!(expected, BackendName::Cpu | BackendName::Reference);
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
