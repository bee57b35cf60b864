//! The evidence of an attempt: as a table for the page, and on one line for `JUnit`.

use inference_wasm::protocol::ExecutionReport;
use serde::Serialize;

use super::record::AttemptRecord;
use super::wording::shortened;
use crate::judge::capability::Hardware;
use crate::judge::outcome::Outcome;
use crate::judge::proof::{AbsenceProof, ClientProof, FaultProof, Proof};

/// Characters shown of a value.
const VALUE_LIMIT: usize = 2000;

/// A proof, or the unproven claims of an attempt that failed.
#[derive(Debug, Serialize)]
pub(super) struct ProofTable {
    title: &'static str,
    /// Label and value.
    rows: Vec<(&'static str, String)>,
}

impl ProofTable {
    /// `None` where an attempt failed before any engine reported how it ran.
    pub(super) fn of(attempt: &AttemptRecord) -> Option<Self> {
        let (title, rows) = if let Outcome::Pass { proof } = &attempt.outcome {
            match &**proof {
                Proof::Tier(proof) => ("Tier proof", rows(proof.execution())),
                Proof::Absence(proof) => ("Absence proof", absence_rows(proof)),
                Proof::Client(proof) => ("Proof of tiers and faults", client_rows(proof)),
            }
        } else {
            let mut claimed = attempt.evidence.steps.iter().rev();
            let claimed = claimed.find_map(|step| step.execution.as_ref())?;
            ("Execution report (claimed, not proven)", rows(claimed))
        };
        Some(Self { title, rows })
    }
}

fn absence_rows(proof: &AbsenceProof) -> Vec<(&'static str, String)> {
    let refusals = proof.refusals().iter();
    let refusals = refusals.map(|refusal| format!("{}: {}", refusal.asked, refusal.message));
    vec![
        ("Switched off", proof.backend().to_string()),
        ("Launch profile", proof.launch().to_owned()),
        ("The page's probe", proof.probe().to_owned()),
        ("The engine's refusals", shortened(&refusals.collect::<Vec<_>>().join("; "), VALUE_LIMIT)),
        ("Computed", "nothing".to_owned()),
    ]
}

fn client_rows(proof: &ClientProof) -> Vec<(&'static str, String)> {
    let tiers = proof.tiers().map(|(step, tier)| format!("{step}: {tier}"));
    let faults = proof.faults().iter().map(|fault| {
        let FaultProof { fault, nature, strikes } = fault;
        format!("{fault} ({nature}): {}", strikes.join("; "))
    });
    let mut listed = vec![("Answered by", tiers.collect::<Vec<_>>().join(", "))];
    listed.extend(faults.map(|fault| ("Fault", shortened(&fault, VALUE_LIMIT))));
    listed.extend(proof.execution().into_iter().flat_map(rows));
    listed
}

fn rows(execution: &ExecutionReport) -> Vec<(&'static str, String)> {
    let mut rows = vec![
        ("Requested", execution.requested.to_string()),
        ("Ran", execution.actual.to_string()),
        ("Target", execution.target.clone()),
        ("Bundle", bundle(execution)),
        ("SIMD", execution.simd.to_string()),
        ("Active threads", execution.effective_threads.to_string()),
        ("Ran in", thread(execution).to_owned()),
        ("CPU kernel calls", execution.kernel_calls.to_string()),
        ("GPU dispatches", execution.gpu_dispatches.to_string()),
    ];
    if let Some(adapter) = &execution.adapter {
        let hardware = Hardware::of_adapter(execution.adapter_is_software, adapter);
        rows.push(("Adapter", hardware.describe(adapter)));
        rows.push(("Hardware", hardware.meaning().to_owned()));
    }
    if let Some(hash) = &execution.limits_sha256 {
        rows.push(("Features and limits, SHA-256", shortened(hash, 16)));
    }
    rows.push(("Canary", format!("{:#010x}", execution.canary.bits)));
    rows
}

/// The bundle that ran, and the reason for it.
fn bundle(execution: &ExecutionReport) -> String {
    let ExecutionReport { bundle, bundle_reason, .. } = execution;
    if bundle_reason.is_empty() { bundle.clone() } else { format!("{bundle} ({bundle_reason})") }
}

/// The thread or process of the engine.
fn thread(execution: &ExecutionReport) -> &'static str {
    match (execution.target.as_str(), execution.on_main_thread) {
        ("wasm32", true) => "the page's main thread",
        ("wasm32", false) => "a worker",
        _ => "a native process",
    }
}

/// A proof on one line.
pub(super) fn in_a_line(proof: &Proof) -> String {
    match proof {
        Proof::Tier(proof) => tier_in_a_line(proof.execution()),
        Proof::Client(proof) => {
            let tiers: Vec<_> = proof.tiers().map(|(_, tier)| tier.as_str()).collect();
            let faults = proof.faults().iter().map(|fault| fault.fault.as_str());
            let faults: Vec<_> = faults.collect();
            let faults = if faults.is_empty() {
                "no planned fault".to_owned()
            } else {
                format!("faults: {}", faults.join(", "))
            };
            format!("answered by {}; {faults}", tiers.join(", "))
        }
        Proof::Absence(proof) => {
            let (backend, launch, probe) = (proof.backend(), proof.launch(), proof.probe());
            let asked = proof.refusals().len();
            format!(
                "{backend} off by profile {launch}, probe: {probe}, {asked} requests, all \
                 refused, nothing computed"
            )
        }
    }
}

fn tier_in_a_line(execution: &ExecutionReport) -> String {
    let mut parts = vec![
        format!("{} ran on {}", execution.actual, execution.target),
        format!("{} kernel calls", execution.kernel_calls),
        format!("{} dispatches", execution.gpu_dispatches),
        format!("bundle {}", bundle(execution)),
        format!("simd {}", execution.simd),
        format!("{} threads", execution.effective_threads),
        format!("canary {:#010x}", execution.canary.bits),
    ];
    if let Some(adapter) = &execution.adapter {
        let hardware = Hardware::of_adapter(execution.adapter_is_software, adapter);
        parts.push(format!("adapter {}", hardware.describe(adapter)));
    }
    if execution.on_main_thread {
        parts.push("on the main thread".to_owned());
    }
    parts.join(", ")
}
