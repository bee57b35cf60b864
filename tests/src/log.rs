//! The log of a run, with queries for tests.

use std::path::Path;

use tierproof::judge::outcome::{Outcome, Verdict};
use tierproof::report::replay;
use tierproof::run::event::{Evidence, RunEvent, RunEventKind};

/// A log that was read back.
#[derive(Debug)]
pub struct RunLog {
    /// Every event of it.
    pub events: Vec<RunEvent>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// The user stopped it.
    pub interrupted: bool,
    /// The exit code.
    pub exit_code: u8,
}

impl RunLog {
    /// Reads `run.jsonl` in the folder of a report.
    ///
    /// # Panics
    /// If it can't be read, or a run did not write it to the end of a line.
    pub fn of(report: &Path) -> Self {
        let log = replay::read(&report.join("run.jsonl")).expect("the log can be read");
        assert!(!log.is_cut_off, "the log's last line is whole");
        Self { events: log.events }
    }

    /// The attempts at cells whose id ends so, in order.
    pub fn attempts(&self, cell: &str) -> Vec<(&Outcome, &Evidence)> {
        let attempts = self.events.iter().filter_map(|event| match &event.kind {
            RunEventKind::AttemptFinished { cell: id, outcome, evidence, .. } => {
                id.to_string().ends_with(cell).then_some((outcome, &**evidence))
            }
            _ => None,
        });
        attempts.collect()
    }

    /// The outcome of the one attempt at the one cell whose id ends so.
    ///
    /// # Panics
    /// If there are none or several.
    #[track_caller]
    pub fn outcome(&self, cell: &str) -> &Outcome {
        match self.attempts(cell)[..] {
            [(outcome, _)] => outcome,
            ref attempts => panic!("expected one attempt at `{cell}`, found {attempts:#?}"),
        }
    }

    /// The verdicts on cells whose id ends so.
    pub fn verdicts(&self, cell: &str) -> Vec<&Verdict> {
        let verdicts = self.events.iter().filter_map(|event| match &event.kind {
            RunEventKind::CellFinished { cell: id, verdict, .. } => {
                id.to_string().ends_with(cell).then_some(verdict)
            }
            _ => None,
        });
        verdicts.collect()
    }

    /// How it ended; `None` if the last event is not an end.
    pub fn end(&self) -> Option<End> {
        match self.events.last()?.kind {
            RunEventKind::RunFinished { interrupted, exit_code, .. } => {
                Some(End { interrupted, exit_code })
            }
            _ => None,
        }
    }
}
