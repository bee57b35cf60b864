//! A cell as values: its attempts, their steps and proofs.

use inference_wasm::protocol::FinishReason;
use serde::Serialize;

use super::comparison::{self, ComparisonView};
use crate::judge::compare::Comparison;
use crate::judge::outcome::{Disposition, Outcome};
use crate::report::proof::ProofTable;
use crate::report::record::{AttemptRecord, CellRecord, RunRecord};
use crate::report::wording::{first_line, reason, rerun_command, shortened, spoken};
use crate::run::event::StepEvidence;

/// Characters shown of an outcome's message.
const MESSAGE_LIMIT: usize = 8000;
/// Characters of text shown of a step.
const TEXT_LIMIT: usize = 2000;
/// The same for a step of an attempt that passed.
const PASSED_TEXT_LIMIT: usize = 120;
/// Token ids shown of a prompt or a generation, in attempts that did not pass.
const IDS_LIMIT: usize = 256;
/// Lines shown of a driver's log or of a page's messages.
const LINES_LIMIT: usize = 60;

#[derive(Debug, Serialize)]
pub(super) struct CellView {
    anchor: String,
    key: &'static str,
    word: &'static str,
    browser: &'static str,
    backend: &'static str,
    engine: String,
    model: String,
    scenario: String,
    /// One line.
    reason: String,
    duration: String,
    /// The announced failure.
    known_failure: Option<Known>,
    rerun: String,
    attempts: Vec<AttemptView>,
}

#[derive(Debug, Serialize)]
struct Known {
    reason: String,
    link: String,
    /// Whether the link may be a hyperlink.
    is_web: bool,
}

#[derive(Debug, Serialize)]
struct AttemptView {
    number: u32,
    outcome: &'static str,
    is_pass: bool,
    is_infrastructure: bool,
    message: String,
    duration: String,
    browser_version: Option<String>,
    /// The comparison that failed.
    mismatch: Option<ComparisonView>,
    steps: Vec<StepView>,
    proof: Option<ProofTable>,
    page_messages: Vec<String>,
    driver_log: Option<String>,
    driver_log_tail: Vec<String>,
}

#[derive(Debug, Serialize)]
struct StepView {
    step: String,
    case: String,
    text: Option<String>,
    finish: &'static str,
    prompt_count: usize,
    generated_count: usize,
    /// Empty where the attempt passed.
    prompt_ids: String,
    generated_ids: String,
    first_token: Option<String>,
    prefill_rate: Option<String>,
    decode_rate: Option<String>,
    is_wrong: bool,
    comparisons: Vec<ComparisonView>,
    notes: Vec<String>,
}

pub(super) fn of(record: &RunRecord, cell: &CellRecord, anchor: String) -> CellView {
    let standing = cell.standing();
    let id = &cell.cell;
    CellView {
        anchor,
        key: standing.key(),
        word: standing.word(),
        browser: id.browser.as_str(),
        backend: id.backend.as_str(),
        engine: id.engine.clone(),
        model: id.model.clone(),
        scenario: id.scenario.clone(),
        reason: shortened(first_line(&reason(cell)), 400),
        duration: if cell.attempts.is_empty() { String::new() } else { spoken(cell.duration()) },
        known_failure: match &cell.disposition {
            Disposition::KnownFailure { reason, link } => Some(Known {
                reason: reason.clone(),
                link: link.clone(),
                is_web: link.starts_with("https://") || link.starts_with("http://"),
            }),
            Disposition::Run
            | Disposition::Unsupported { .. }
            | Disposition::Unavailable { .. } => None,
        },
        rerun: rerun_command(record, cell),
        attempts: cell.attempts.iter().map(attempt).collect(),
    }
}

fn attempt(attempt: &AttemptRecord) -> AttemptView {
    let AttemptRecord { outcome, evidence, .. } = attempt;
    let is_pass = matches!(outcome, Outcome::Pass { .. });
    let mismatch = match outcome {
        Outcome::Mismatch(mismatch) => Some(&mismatch.comparison),
        _ => None,
    };
    AttemptView {
        number: attempt.attempt,
        outcome: outcome.name(),
        is_pass,
        is_infrastructure: outcome.is_infrastructure(),
        message: message(outcome),
        duration: spoken(attempt.duration),
        browser_version: evidence.browser_version.clone(),
        mismatch: mismatch.map(comparison::of),
        steps: evidence
            .steps
            .iter()
            .map(|step| {
                let is_wrong = mismatch.is_some_and(|wrong| step.comparisons.contains(wrong));
                step_view(step, is_pass, is_wrong)
            })
            .collect(),
        proof: ProofTable::of(attempt),
        page_messages: tail(&evidence.page_messages),
        driver_log: evidence.driver_log.clone().filter(|path| is_beside(path)),
        driver_log_tail: if is_pass { Vec::new() } else { tail(&evidence.driver_log_tail) },
    }
}

/// Only the first line of a divergence, since a table and a diff show the rest.
fn message(outcome: &Outcome) -> String {
    let message = outcome.message();
    match outcome {
        Outcome::Mismatch(mismatch) if is_divergence(&mismatch.comparison) => {
            first_line(&message).to_owned()
        }
        _ => shortened(&message, MESSAGE_LIMIT),
    }
}

fn is_divergence(comparison: &Comparison) -> bool {
    matches!(comparison, Comparison::Tokens(tokens) if tokens.divergence.is_some())
}

/// Whether a path is below the report, and not an address that a browser would run or fetch.
fn is_beside(path: &str) -> bool {
    !path.contains(':') && !path.starts_with(['/', '\\']) && !path.split('/').any(|p| p == "..")
}

fn tail(lines: &[String]) -> Vec<String> {
    let skipped = lines.len().saturating_sub(LINES_LIMIT);
    lines.iter().skip(skipped).map(|line| shortened(line, TEXT_LIMIT)).collect()
}

fn step_view(step: &StepEvidence, is_pass: bool, is_wrong: bool) -> StepView {
    let limit = if is_pass { PASSED_TEXT_LIMIT } else { TEXT_LIMIT };
    let ids = |ids: &[u32]| if is_pass { String::new() } else { listed(ids) };
    let rate = |rate: Option<f64>| rate.map(|rate| format!("{rate:.1}"));
    StepView {
        step: step.step.clone(),
        case: step.case.clone().unwrap_or_default(),
        text: step.text.as_deref().map(|text| shortened(text, limit)),
        finish: match step.finish_reason {
            None => "",
            Some(FinishReason::Stop) => "stop",
            Some(FinishReason::StopString) => "stop string",
            Some(FinishReason::Length) => "length",
            Some(FinishReason::Cancelled) => "cancelled",
        },
        prompt_count: step.prompt_ids.len(),
        generated_count: step.generated_ids.len(),
        prompt_ids: ids(&step.prompt_ids),
        generated_ids: ids(&step.generated_ids),
        first_token: step
            .timings
            .filter(|timings| timings.first_token_ms > 0.0)
            .map(|timings| format!("{:.0} ms", timings.first_token_ms)),
        prefill_rate: rate(step.timings.and_then(|timings| timings.prefill_rate())),
        decode_rate: rate(step.timings.and_then(|timings| timings.decode_rate())),
        is_wrong,
        comparisons: step.comparisons.iter().map(comparison::of).collect(),
        notes: step.notes.clone(),
    }
}

fn listed(ids: &[u32]) -> String {
    let mut words: Vec<_> = ids.iter().take(IDS_LIMIT).map(u32::to_string).collect();
    if let Some(more) = ids.len().checked_sub(IDS_LIMIT).filter(|more| *more > 0) {
        words.push(format!("… and {more} more in run.jsonl"));
    }
    words.join(" ")
}
