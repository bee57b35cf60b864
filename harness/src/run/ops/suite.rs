//! The op suite on one backend, and how the command ends for the results of several.
//!
//! What an op is compared with, and how far it may be off, is up to the engine's
//! [`ops_suite`](inference_wasm::engine::ops_suite); whether the results came from the backend that
//! they are filed under is checked here, as in a run.

use inference_wasm::protocol::{
    Action, BackendName, CapabilityReport, Finished, OpsReport, OpsRequest, SeededFault,
};
use serde::Serialize;

use crate::drive::page::Page;
use crate::judge::outcome::{Failed, Outcome};
use crate::judge::proof::{self, Demand, MissingProof};
use crate::run::conversation::{Conversation, Watch, wrong_result};
use crate::run::exit::Exit;
use crate::spec::adapter::AdapterDemand;
use crate::spec::bundle::BundleChoice;
use crate::spec::cell::BrowserName;
use crate::spec::matrix::Timeouts;

/// The settings for all backends.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Only cases that match this filter.
    pub filter: Option<String>,
    /// A defect to build in.
    pub fault: Option<SeededFault>,
    /// The bundle that the page loads.
    pub bundle: BundleChoice,
    /// Deadlines.
    pub timeouts: Timeouts,
}

/// A browser and a backend, with the result of the suite there.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Held {
    /// The browser, or `native`.
    pub browser: BrowserName,
    /// The backend.
    pub backend: BackendName,
    /// The result.
    #[serde(flatten)]
    pub result: HeldResult,
}

/// The result of the suite on one browser and backend.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum HeldResult {
    /// It ran to its end.
    Held {
        /// Counts, distances and failures.
        report: Box<OpsReport>,
        /// What the tier proof lacks, a sentence each; empty if it is complete.
        missing_proof: Vec<String>,
    },
    /// The browser does not have the backend. Not a pass.
    Unsupported {
        /// Why.
        reason: String,
    },
    /// The suite did not reach its end, through a failure of the product.
    Broken {
        /// How it ended.
        message: String,
    },
    /// Infrastructure trouble.
    Trouble {
        /// What went wrong.
        message: String,
    },
}

impl HeldResult {
    /// The result of an attempt that ended without a report.
    pub(crate) fn of_outcome(outcome: &Outcome) -> Self {
        let message = outcome.message();
        if outcome.is_infrastructure() {
            Self::Trouble { message }
        } else {
            Self::Broken { message }
        }
    }
}

/// Runs the suite on one backend, in a fresh page.
///
/// # Errors
/// How the attempt ended instead.
pub async fn hold<P: Page>(
    page: &mut P,
    backend: BackendName,
    settings: &Settings,
    probed: Option<&CapabilityReport>,
    progress: &mut dyn FnMut(String),
) -> Result<HeldResult, Failed> {
    let mut conversation = Conversation::open(page, settings.timeouts).await?;
    let filter = settings.filter.clone();
    let action = Action::Ops(OpsRequest { backend, filter, fault: settings.fault });
    let watch = Watch { progress, on_token: &mut |_| {}, cancel_after: None };
    let report = match conversation.command(action, watch).await?.1.finished()? {
        Finished::Ops(report) => report,
        other => return Err(wrong_result("the op suite", &other)),
    };
    // Without a matrix product no kernel is called, so that nothing proves a CPU tier; then the
    // proof is reported as missing.
    let adapter = AdapterDemand::default();
    let demand = Demand { backend, bundle: settings.bundle, adapter, probed };
    let missing_proof = match proof::verify(demand, &report.execution) {
        Ok(_) => Vec::new(),
        Err(MissingProof { reasons }) => reasons,
    };
    Ok(HeldResult::Held { report, missing_proof })
}

/// How the command ends. A wrong answer takes precedence over trouble, and trouble over no result.
pub fn exit(all: &[Held]) -> Exit {
    let any = |holds: fn(&HeldResult) -> bool| all.iter().any(|held| holds(&held.result));
    let is_wrong = any(|result| match result {
        HeldResult::Held { report, missing_proof } => {
            report.failed() > 0 || !missing_proof.is_empty()
        }
        HeldResult::Broken { .. } => true,
        HeldResult::Unsupported { .. } | HeldResult::Trouble { .. } => false,
    });
    if is_wrong {
        return Exit::Unexpected;
    }
    if any(|result| matches!(result, HeldResult::Trouble { .. })) {
        return Exit::Setup;
    }
    let has_passed =
        any(|result| matches!(result, HeldResult::Held { report, .. } if report.passed() > 0));
    if has_passed { Exit::Expected } else { Exit::NothingRan }
}
