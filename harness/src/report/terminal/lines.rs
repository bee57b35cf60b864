//! The lines for an event, with colours, which are removed where they are not wanted.

use owo_colors::{OwoColorize, Style};

use crate::judge::outcome::{Outcome, Verdict};
use crate::report::record::{AttemptRecord, CellRecord, RunRecord, Standing};
use crate::report::wording::{first_line, reason, shortened, spoken};
use crate::run::event::{RunEvent, RunEventKind, StepEvidence};

/// Width of the first column: the longest word, `unexpected pass`.
const WORD_WIDTH: usize = 15;

pub(super) fn style(standing: Standing) -> Style {
    match standing {
        Standing::Unexpected | Standing::UnexpectedPass => Style::new().red().bold(),
        Standing::Flaky | Standing::Inconclusive | Standing::Unsettled => {
            Style::new().yellow().bold()
        }
        Standing::Expected => Style::new().green(),
        Standing::Unsupported | Standing::NotRun => Style::new().dimmed(),
    }
}

/// The lines for an event, which the record already contains.
pub(super) fn of_event(event: &RunEvent, record: &RunRecord, is_verbose: bool) -> Vec<String> {
    match &event.kind {
        RunEventKind::RunStarted { version, matrix, narrowed_by, .. } => {
            started(version, matrix, narrowed_by, record)
        }
        RunEventKind::Probed { browser, profile, version, .. } => {
            vec![format!("{} {browser} {version} (profile `{profile}`)", column("probed").dimmed())]
        }
        RunEventKind::AttemptStarted { cell, attempt } if is_verbose => {
            vec![format!("{} {cell} (attempt {attempt})", column("started").dimmed())]
        }
        RunEventKind::Progress { cell, phase } if is_verbose => {
            vec![format!("{} {cell}: {}", column("").dimmed(), harmless(phase))]
        }
        RunEventKind::AttemptFinished { cell, attempt, outcome, .. } => {
            let attempt = record
                .cell(cell)
                .and_then(|cell| cell.attempts.last())
                .filter(|_| is_verbose)
                .map(steps)
                .unwrap_or_default()
                .into_iter()
                .chain(trouble(&cell.to_string(), *attempt, outcome));
            attempt.collect()
        }
        RunEventKind::CellFinished { cell, verdict, .. } => match record.cell(cell) {
            Some(record) if is_verbose || !matches!(verdict, Verdict::NotRun { .. }) => {
                settled(record)
            }
            _ => Vec::new(),
        },
        RunEventKind::Note { message } => {
            let mut lines =
                vec![format!("{} {}", column("note").bold(), harmless(first_line(message)))];
            lines.extend(indented(message).skip(1));
            lines
        }
        // The end is printed when the stream ends, with or without this event.
        RunEventKind::AttemptStarted { .. }
        | RunEventKind::Progress { .. }
        | RunEventKind::RunFinished { .. } => Vec::new(),
    }
}

fn started(version: &str, matrix: &str, narrowed_by: &[String], record: &RunRecord) -> Vec<String> {
    use crate::judge::outcome::Disposition;
    let count = |which: fn(&Disposition) -> bool| {
        record.cells.iter().filter(|cell| which(&cell.disposition)).count()
    };
    let parts = [
        (count(|d| matches!(d, Disposition::Run)), "to run"),
        (count(|d| matches!(d, Disposition::KnownFailure { .. })), "to run as known failures"),
        (count(|d| matches!(d, Disposition::Unsupported { .. })), "unsupported"),
        (count(|d| matches!(d, Disposition::Unavailable { .. })), "unavailable"),
    ];
    let parts: Vec<_> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    let mut lines = vec![format!(
        "{} {version}: {matrix}: {} cells: {}",
        "tierproof".bold(),
        record.cells.len(),
        if parts.is_empty() { "none to run".to_owned() } else { parts.join(", ") }
    )];
    if !narrowed_by.is_empty() {
        lines.push(format!("narrowed by {}", narrowed_by.join(" ")));
    }
    lines
}

/// A settled cell, with its full message if it needs attention.
fn settled(cell: &CellRecord) -> Vec<String> {
    let standing = cell.standing();
    let reason = reason(cell);
    let word = column(standing.word());
    let mut line = format!("{} {}", word.style(style(standing)), cell.cell);
    if !cell.attempts.is_empty() {
        let duration = spoken(cell.duration());
        line = format!("{line}  {}", duration.dimmed());
    }
    if standing.wants_attention() {
        let mut lines = vec![line];
        lines.extend(indented(&reason));
        return lines;
    }
    if !reason.is_empty() {
        line = format!("{line}  {}", harmless(first_line(&reason)).dimmed());
    }
    vec![line]
}

/// Trouble is printed at once, since the next attempt may take minutes.
fn trouble(cell: &str, attempt: u32, outcome: &Outcome) -> Option<String> {
    outcome.is_infrastructure().then(|| {
        let message = outcome.message();
        let message = harmless(first_line(&message));
        format!("{} {cell} (attempt {attempt}): {message}", column("trouble").yellow())
    })
}

fn steps(attempt: &AttemptRecord) -> Vec<String> {
    let steps = attempt.evidence.steps.iter().map(step);
    let messages =
        attempt.evidence.page_messages.iter().map(|message| format!("page: {}", harmless(message)));
    steps.chain(messages).map(|line| format!("{} {line}", column(""))).collect()
}

fn step(step: &StepEvidence) -> String {
    let mut parts = Vec::new();
    if !step.generated_ids.is_empty() {
        parts.push(format!("{} tokens", step.generated_ids.len()));
    }
    if let Some(text) = &step.text {
        parts.push(format!("`{}`", shortened(&harmless(text), 60)));
    }
    if let Some(rate) = step.timings.and_then(|timings| timings.decode_rate()) {
        parts.push(format!("{rate:.1} tokens/s"));
    }
    parts.extend(step.notes.iter().map(|note| harmless(note)));
    let case = step.case.as_deref().map(|case| format!(" {case}")).unwrap_or_default();
    format!("{}{case}: {}", step.step, parts.join(", "))
}

pub(super) fn column(word: &str) -> String {
    format!("{word:>WORD_WIDTH$}")
}

pub(super) fn indented(text: &str) -> impl Iterator<Item = String> {
    text.lines().map(|line| format!("{:WORD_WIDTH$} {}", "", harmless(line)))
}

/// Text from a page or a driver, without control characters.
pub(super) fn harmless(text: &str) -> String {
    text.chars()
        .map(|c| if c == '\t' { ' ' } else { c })
        .map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c })
        .collect()
}
