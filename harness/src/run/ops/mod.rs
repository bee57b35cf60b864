//! The op suite on pages, without a matrix: holds one backend, and tells what came of several.
//!
//! What an op is held to, and how far it may be off, is the engine's
//! [`ops_suite`](inference_wasm::engine::ops_suite); whether the answer came from the backend that
//! it is filed under is checked here as it is in a run.

mod table;

use inference_wasm::protocol::{
    Action, BackendName, CapabilityReport, Finished, OpsReport, OpsRequest, SeededFault,
};
use serde::Serialize;

use crate::drive::page::Page;
use crate::judge::outcome::Outcome;
use crate::judge::proof::{self, Demand, MissingProof};
use crate::run::exit::Exit;
use crate::run::{Conversation, End, Watch, unexpected_error};
use crate::spec::adapter::AdapterDemand;
use crate::spec::bundle::BundleChoice;
use crate::spec::cell::BrowserName;
use crate::spec::matrix::Timeouts;

pub use table::render;

/// What holds for all backends.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Only cases like this.
    pub filter: Option<String>,
    /// A defect to build in.
    pub fault: Option<SeededFault>,
    /// The bundle that the page was told to load.
    pub bundle: BundleChoice,
    /// Deadlines.
    pub timeouts: Timeouts,
}

/// A browser and a backend, and what came of the suite there.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Held {
    /// The browser, or `native`.
    pub browser: BrowserName,
    /// The backend.
    pub backend: BackendName,
    /// What came.
    #[serde(flatten)]
    pub result: HeldResult,
}

/// What came of the suite on one browser and backend.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum HeldResult {
    /// It ran to its end.
    Held {
        /// Counts, distances and failures.
        report: Box<OpsReport>,
        /// What the tier proof lacks, a sentence each; empty where it is whole.
        missing_proof: Vec<String>,
    },
    /// The browser can't have the backend. No pass.
    Unsupported {
        /// Why.
        reason: String,
    },
    /// It began and did not come to its end, by the product's fault.
    Broken {
        /// What became of it.
        message: String,
    },
    /// Our own trouble.
    Trouble {
        /// What went wrong.
        message: String,
    },
}

impl HeldResult {
    /// What an attempt that came to no report means.
    pub(crate) fn of_outcome(outcome: &Outcome) -> Self {
        let message = outcome.message();
        if outcome.is_infrastructure() {
            Self::Trouble { message }
        } else {
            Self::Broken { message }
        }
    }
}

/// Holds one backend in a page that nothing was asked of before.
///
/// # Errors
/// What became of the attempt; never [`Outcome::Pass`].
pub async fn hold<P: Page>(
    page: &mut P,
    backend: BackendName,
    settings: &Settings,
    probed: Option<&CapabilityReport>,
    progress: &mut dyn FnMut(String),
) -> Result<HeldResult, Box<Outcome>> {
    let mut conversation = Conversation::open(page, settings.timeouts).await?;
    let filter = settings.filter.clone();
    let action = Action::Ops(OpsRequest { backend, filter, fault: settings.fault });
    let watch = Watch { progress, on_token: &mut |_| {}, cancel_after: None };
    let report = match conversation.command(action, watch).await?.1 {
        End::Finished(Finished::Ops(report)) => report,
        End::Finished(_) => {
            let message = "the op suite was answered with the result of another command".to_owned();
            return Err(Box::new(Outcome::PageError { message }));
        }
        End::Failed(error) => return Err(Box::new(unexpected_error(error))),
    };
    // No kernel is called by ops that compute nothing: without a matrix product there is nothing
    // to prove a CPU tier by, and nothing is claimed.
    let adapter = AdapterDemand::default();
    let demand = Demand { backend, bundle: settings.bundle, adapter, probed };
    let missing_proof = match proof::verify(demand, &report.execution) {
        Ok(_) => Vec::new(),
        Err(MissingProof { reasons }) => reasons,
    };
    Ok(HeldResult::Held { report, missing_proof })
}

/// How the command ends: a wrong answer before trouble, and trouble before nothing at all.
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

#[cfg(test)]
mod tests;
