//! The owner of a run's state: everything that happens passes through it, in one order.
//!
//! It does not know about browsers, deadlines or files. It turns the messages of workers into
//! [`RunEvent`]s for the reporters, and settles each planned cell exactly once.

use std::collections::BTreeMap;
use std::time::Instant;

use jiff::Timestamp;

use super::event::{Evidence, RunEvent, RunEventKind, Summary};
use super::exit::Exit;
use crate::judge::outcome::{Disposition, Outcome, Verdict, judge};
use crate::plan::PlannedCell;
use crate::spec::cell::CellId;

/// A message of a worker to the dispatcher.
#[derive(Debug)]
pub(crate) enum WorkerMessage {
    /// Passed on unchanged: a probe, the start of an attempt, its progress, a note.
    Event(Box<RunEventKind>),
    /// An attempt ended.
    Attempt {
        /// The cell.
        cell: CellId,
        /// Counts from 1.
        attempt: u32,
        /// Its outcome.
        outcome: Outcome,
        /// Its evidence.
        evidence: Box<Evidence>,
        /// Its duration.
        duration: std::time::Duration,
    },
    /// The probe showed that a cell can't run.
    Reconsidered {
        /// The cell.
        cell: CellId,
        /// The new expectation.
        disposition: Disposition,
    },
    /// There will be no further attempt at this cell.
    Settled(CellId),
}

struct CellState {
    disposition: Disposition,
    attempts: Vec<Outcome>,
    is_settled: bool,
}

/// A cell, what was expected of it, and its verdict.
pub(crate) type Settled = (CellId, Disposition, Verdict);

/// The state of a run.
pub(crate) struct Dispatcher<'a> {
    cells: BTreeMap<CellId, CellState>,
    summary: Summary,
    settled: Vec<Settled>,
    sink: &'a mut dyn FnMut(&RunEvent),
    next_seq: u64,
    began: Instant,
}

impl<'a> Dispatcher<'a> {
    /// Opens the stream with `started`, which must be [`RunEventKind::RunStarted`], and settles
    /// the cells that will not run.
    pub(crate) fn start(
        cells: &[PlannedCell],
        started: RunEventKind,
        sink: &'a mut dyn FnMut(&RunEvent),
    ) -> Self {
        let mut dispatcher = Self {
            cells: cells
                .iter()
                .map(|planned| {
                    let state = CellState {
                        disposition: planned.disposition.clone(),
                        attempts: Vec::new(),
                        is_settled: false,
                    };
                    (planned.cell.clone(), state)
                })
                .collect(),
            summary: Summary::default(),
            settled: Vec::new(),
            sink,
            next_seq: 0,
            began: Instant::now(),
        };
        dispatcher.emit(started);
        for planned in cells {
            match planned.disposition {
                Disposition::Run | Disposition::KnownFailure { .. } => {}
                Disposition::Unsupported { .. } | Disposition::Unavailable { .. } => {
                    dispatcher.settle(&planned.cell);
                }
            }
        }
        dispatcher
    }

    /// Handles one message.
    pub(crate) fn handle(&mut self, message: WorkerMessage) {
        match message {
            WorkerMessage::Event(kind) => self.emit(*kind),
            WorkerMessage::Attempt { cell, attempt, outcome, evidence, duration } => {
                if let Some(state) = self.cells.get_mut(&cell) {
                    state.attempts.push(outcome.clone());
                }
                self.emit(RunEventKind::AttemptFinished {
                    cell,
                    attempt,
                    outcome,
                    evidence,
                    duration,
                });
            }
            WorkerMessage::Reconsidered { cell, disposition } => {
                if let Some(state) = self.cells.get_mut(&cell) {
                    state.disposition = disposition;
                }
            }
            WorkerMessage::Settled(cell) => self.settle(&cell),
        }
    }

    /// Settles the cells that are still open, closes the stream, and returns how the command ends.
    ///
    /// `floors` lists the floors of the matrix that the verdicts miss.
    pub(crate) fn finish(
        mut self,
        interrupted: bool,
        floors: impl FnOnce(&[Settled]) -> Vec<String>,
    ) -> Exit {
        let open: Vec<_> =
            self.cells.iter().filter(|(_, s)| !s.is_settled).map(|(id, _)| id.clone()).collect();
        for cell in open {
            if !interrupted && let Some(state) = self.cells.get_mut(&cell) {
                // Not a failure of the cell, but not a pass either.
                state.attempts.push(Outcome::Infrastructure {
                    phase: "schedule".to_owned(),
                    message: "no worker reached this cell".to_owned(),
                });
            }
            self.settle(&cell);
        }
        // Floors catch a run that is green because too few cells ran. A red or an interrupted run
        // misses them for a reason that is reported already.
        let is_green = !interrupted && Exit::of_run(&self.summary, &[], false) == Exit::Expected;
        let missed_floors = if is_green { floors(&self.settled) } else { Vec::new() };
        let exit = Exit::of_run(&self.summary, &missed_floors, interrupted);
        self.emit(RunEventKind::RunFinished {
            summary: self.summary,
            missed_floors,
            interrupted,
            exit_code: exit.code(),
            duration: self.began.elapsed(),
        });
        exit
    }

    fn settle(&mut self, cell: &CellId) {
        let Some(state) = self.cells.get_mut(cell).filter(|state| !state.is_settled) else {
            return;
        };
        state.is_settled = true;
        let disposition = state.disposition.clone();
        let verdict = judge(&disposition, &state.attempts);
        self.summary.count(&disposition, &verdict);
        self.settled.push((cell.clone(), disposition.clone(), verdict.clone()));
        self.emit(RunEventKind::CellFinished { cell: cell.clone(), disposition, verdict });
    }

    fn emit(&mut self, kind: RunEventKind) {
        let event = RunEvent { seq: self.next_seq, at: Timestamp::now(), kind };
        self.next_seq += 1;
        (self.sink)(&event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(scenario: &str) -> CellId {
        format!("chrome/wasm/tierproof/scribe-low-Q8_0/{scenario}").parse().expect("a cell id")
    }

    fn run(messages: Vec<WorkerMessage>) -> (Vec<RunEvent>, Exit) {
        let cells = [
            PlannedCell { cell: cell("tokens/greedy"), disposition: Disposition::Run },
            PlannedCell {
                cell: cell("tokens/other"),
                disposition: Disposition::Unsupported { reason: "no such backend".to_owned() },
            },
        ];
        let started = RunEventKind::RunStarted {
            log_version: super::super::event::LOG_VERSION,
            version: "0".to_owned(),
            matrix: "m.toml".to_owned(),
            narrowed_by: Vec::new(),
            cells: cells.to_vec(),
            server_cost_per_1k_tokens: None,
        };
        let mut events = Vec::new();
        let mut sink = |event: &RunEvent| events.push(event.clone());
        let mut dispatcher = Dispatcher::start(&cells, started, &mut sink);
        for message in messages {
            dispatcher.handle(message);
        }
        let exit = dispatcher.finish(false, |_| Vec::new());
        (events, exit)
    }

    fn attempt(outcome: Outcome) -> WorkerMessage {
        WorkerMessage::Attempt {
            cell: cell("tokens/greedy"),
            attempt: 1,
            outcome,
            evidence: Box::default(),
            duration: std::time::Duration::ZERO,
        }
    }

    fn verdicts(events: &[RunEvent]) -> Vec<(&str, String)> {
        events
            .iter()
            .filter_map(|event| match &event.kind {
                RunEventKind::CellFinished { cell, verdict, .. } => {
                    Some((verdict.name(), cell.scenario.clone()))
                }
                _ => None,
            })
            .collect()
    }

    #[test]
    fn each_cell_is_settled_once_and_the_numbers_have_no_gap() {
        let settled = || WorkerMessage::Settled(cell("tokens/greedy"));
        let panicked = Outcome::Panicked { message: "boom".to_owned() };
        let (events, exit) = run(vec![attempt(panicked), settled(), settled()]);
        assert_eq!(
            verdicts(&events),
            [("not-run", "tokens/other".to_owned()), ("unexpected", "tokens/greedy".to_owned())]
        );
        assert_eq!(exit, Exit::Unexpected);
        let seqs: Vec<_> = events.iter().map(|event| event.seq).collect();
        assert_eq!(seqs, (0..events.len() as u64).collect::<Vec<_>>());
    }

    #[test]
    fn a_run_with_an_unreached_cell_is_not_green() {
        let (events, exit) = run(Vec::new());
        assert_eq!(verdicts(&events)[1], ("inconclusive", "tokens/greedy".to_owned()));
        assert_eq!(exit, Exit::Setup);
    }

    #[test]
    fn infrastructure_trouble_alone_is_inconclusive() {
        let trouble =
            Outcome::Infrastructure { phase: "session".to_owned(), message: "no".to_owned() };
        let (events, exit) = run(vec![attempt(trouble)]);
        assert_eq!(verdicts(&events)[1].0, "inconclusive");
        assert_eq!(exit, Exit::Setup);
    }
}
