//! The event stream of a run, from which every report is made.
//!
//! These types are the contract between the dispatcher, which owns the stream, and the reporters,
//! which are functions of it. `run.jsonl` has one event a line, as a JSON object; replaying it
//! gives the same reports.

use std::time::Duration;

use inference_wasm::client::tier::Tier;
use inference_wasm::protocol::{CapabilityReport, ExecutionReport, FinishReason, Timings};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::judge::compare::Comparison;
use crate::judge::outcome::{Disposition, Outcome, Verdict};
use crate::plan::PlannedCell;
use crate::spec::cell::{BrowserName, CellId};

/// Raised whenever an event changes its shape or its meaning. Readers reject newer logs.
pub const LOG_VERSION: u32 = 3;

/// One thing that happened in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunEvent {
    /// Counts from 0 without gaps.
    pub seq: u64,
    /// Wall-clock time.
    pub at: Timestamp,
    /// What happened.
    pub kind: RunEventKind,
}

/// What can happen in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum RunEventKind {
    /// Always first.
    RunStarted {
        /// The log's format.
        log_version: u32,
        /// Version of tierproof.
        version: String,
        /// Path of the matrix as given.
        matrix: String,
        /// The filter expressions and options that narrowed it, as given.
        narrowed_by: Vec<String>,
        /// Every cell of the plan with what is expected of it.
        cells: Vec<PlannedCell>,
        /// Price of 1000 tokens of the server tier, if the matrix has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        server_cost_per_1k_tokens: Option<f64>,
    },
    /// A browser was probed; once for each launch profile.
    Probed {
        /// The browser.
        browser: BrowserName,
        /// Its launch profile.
        profile: String,
        /// Version of the browser, as its driver reports it.
        version: String,
        /// Its capabilities.
        report: Box<CapabilityReport>,
    },
    /// An attempt begins.
    AttemptStarted {
        /// The cell.
        cell: CellId,
        /// Counts from 1.
        attempt: u32,
    },
    /// An attempt reached another phase; for live views.
    Progress {
        /// The cell.
        cell: CellId,
        /// The phase, with details of the work.
        phase: String,
    },
    /// An attempt ended.
    AttemptFinished {
        /// The cell.
        cell: CellId,
        /// Counts from 1.
        attempt: u32,
        /// Its outcome.
        outcome: Outcome,
        /// Its evidence.
        evidence: Box<Evidence>,
        /// How long it took.
        duration: Duration,
    },
    /// A cell is settled; exactly once for each planned cell.
    CellFinished {
        /// The cell.
        cell: CellId,
        /// The expectation, after the browser was probed.
        disposition: Disposition,
        /// Its verdict.
        verdict: Verdict,
    },
    /// Something that the user should know and that does not belong to a cell.
    Note {
        /// The text.
        message: String,
    },
    /// Always last.
    RunFinished {
        /// The counts of verdicts.
        summary: Summary,
        /// The floors of the matrix that were missed, ready to print.
        missed_floors: Vec<String>,
        /// The user stopped the run.
        interrupted: bool,
        /// The exit code.
        exit_code: u8,
        /// How long the run took.
        duration: Duration,
    },
}

/// The evidence of an attempt.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Evidence {
    /// A record for each step that ended, or for each case of a step with several.
    pub steps: Vec<StepEvidence>,
    /// Version of the browser.
    pub browser_version: Option<String>,
    /// Path of the driver's log, relative to the report.
    pub driver_log: Option<String>,
    /// The last lines of the driver's log, where the outcome is not a pass.
    pub driver_log_tail: Vec<String>,
    /// Messages of the page: errors, rejections, console lines that the page forwarded.
    pub page_messages: Vec<String>,
}

/// The evidence of one step of a scenario, for one case.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct StepEvidence {
    /// The step's number from 1 and its name: `2 generate`.
    pub step: String,
    /// The case of the golden, if the step has one.
    pub case: Option<String>,
    /// The prompt, as the model saw it.
    pub prompt_ids: Vec<u32>,
    /// The ids that were generated.
    pub generated_ids: Vec<u32>,
    /// Their text.
    pub text: Option<String>,
    /// Why generation ended.
    pub finish_reason: Option<FinishReason>,
    /// Timings.
    pub timings: Option<Timings>,
    /// The report of the execution.
    pub execution: Option<ExecutionReport>,
    /// The results of the comparisons.
    pub comparisons: Vec<Comparison>,
    /// The result of a request to the hybrid client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientEvidence>,
    /// Other remarks, a line each: `reused 14 tokens`, `loaded 1.5 MB in 80 ms`.
    pub notes: Vec<String>,
}

/// The result of a request to the hybrid client, as its user and its operator see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientEvidence {
    /// The tier on which it ended; `None` if it reached no tier.
    pub tier: Option<Tier>,
    /// It was answered.
    pub is_answered: bool,
    /// Milliseconds to its end.
    pub latency_ms: u64,
    /// Milliseconds to the first token.
    pub first_token_ms: Option<u64>,
    /// Tokens that the user was shown.
    pub tokens: u32,
    /// Devices that were replaced during the request.
    pub recoveries: u32,
    /// Every step away from the best tier: `webgpu>webgl:adapter-null`.
    pub trail: Vec<String>,
}

/// The counts of verdicts of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Summary {
    /// As expected.
    pub expected: u32,
    /// Failures that the matrix does not list.
    pub unexpected: u32,
    /// Known failures that passed.
    pub unexpected_passes: u32,
    /// Failed and passed.
    pub flaky: u32,
    /// Nothing but infrastructure trouble.
    pub inconclusive: u32,
    /// Unsupported, with a reason.
    pub unsupported: u32,
    /// Not installed, not fetched, or never reached.
    pub not_run: u32,
}

impl Summary {
    /// Cells that ran to an outcome of the product.
    pub fn ran(&self) -> u32 {
        self.expected + self.unexpected + self.unexpected_passes + self.flaky
    }

    /// Counts one settled cell.
    pub fn count(&mut self, disposition: &Disposition, verdict: &Verdict) {
        let counter = match verdict {
            Verdict::Expected => &mut self.expected,
            Verdict::Unexpected => &mut self.unexpected,
            Verdict::UnexpectedPass => &mut self.unexpected_passes,
            Verdict::Flaky => &mut self.flaky,
            Verdict::Inconclusive => &mut self.inconclusive,
            Verdict::NotRun { .. } => match disposition {
                Disposition::Unsupported { .. } => &mut self.unsupported,
                Disposition::Run
                | Disposition::KnownFailure { .. }
                | Disposition::Unavailable { .. } => &mut self.not_run,
            },
        };
        *counter += 1;
    }
}
