//! The stream of a run, folded into a record of each cell.
//!
//! Total: any stream gives a record, even one that breaks off, repeats itself, or names cells
//! outside the plan. [`super::wording`] has the words.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use inference_wasm::protocol::CapabilityReport;
use jiff::Timestamp;

use crate::judge::outcome::{Disposition, Outcome, Verdict};
use crate::run::event::{Evidence, RunEvent, RunEventKind};
use crate::spec::cell::{BrowserName, CellId};

/// A run, up to the last event.
#[derive(Debug, Default)]
pub(crate) struct RunRecord {
    pub(crate) started: Option<Started>,
    pub(crate) probes: Vec<Probe>,
    /// In the order of the plan.
    pub(crate) cells: Vec<CellRecord>,
    pub(crate) notes: Vec<String>,
    /// Price of 1000 tokens of the server tier, from the matrix.
    pub(crate) server_cost: Option<f64>,
    pub(crate) finished: Option<Finished>,
    /// Time of the last event.
    pub(crate) last_at: Option<Timestamp>,
    places: HashMap<CellId, usize>,
}

#[derive(Debug, Clone)]
pub(crate) struct Started {
    pub(crate) at: Timestamp,
    pub(crate) version: String,
    pub(crate) matrix: String,
    pub(crate) narrowed_by: Vec<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Probe {
    pub(crate) browser: BrowserName,
    pub(crate) profile: String,
    pub(crate) version: String,
    pub(crate) report: CapabilityReport,
}

#[derive(Debug, Clone)]
pub(crate) struct Finished {
    pub(crate) missed_floors: Vec<String>,
    pub(crate) is_interrupted: bool,
    pub(crate) exit_code: u8,
    pub(crate) duration: Duration,
}

#[derive(Debug, Clone)]
pub(crate) struct CellRecord {
    pub(crate) cell: CellId,
    pub(crate) disposition: Disposition,
    pub(crate) attempts: Vec<AttemptRecord>,
    /// `None` where the stream broke off before.
    pub(crate) verdict: Option<Verdict>,
}

#[derive(Debug, Clone)]
pub(crate) struct AttemptRecord {
    /// Counts from 1.
    pub(crate) attempt: u32,
    pub(crate) outcome: Outcome,
    pub(crate) evidence: Evidence,
    pub(crate) duration: Duration,
}

/// The state of a cell as reports count and colour it: its verdict, with unsupported and not run
/// kept apart, or unsettled where the stream broke off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Standing {
    Unexpected,
    UnexpectedPass,
    Flaky,
    Inconclusive,
    Unsettled,
    Expected,
    Unsupported,
    NotRun,
}

impl Standing {
    /// All of them, those that need attention first.
    pub(crate) const ALL: [Self; 8] = [
        Self::Unexpected,
        Self::UnexpectedPass,
        Self::Flaky,
        Self::Inconclusive,
        Self::Unsettled,
        Self::Expected,
        Self::Unsupported,
        Self::NotRun,
    ];

    /// Whether a reader must look at the cell, since the run is not as expected.
    pub(crate) fn wants_attention(self) -> bool {
        match self {
            Self::Unexpected
            | Self::UnexpectedPass
            | Self::Flaky
            | Self::Inconclusive
            | Self::Unsettled => true,
            Self::Expected | Self::Unsupported | Self::NotRun => false,
        }
    }

    /// Whether the product came to an outcome.
    pub(crate) fn has_run(self) -> bool {
        match self {
            Self::Unexpected | Self::UnexpectedPass | Self::Flaky | Self::Expected => true,
            Self::Inconclusive | Self::Unsettled | Self::Unsupported | Self::NotRun => false,
        }
    }
}

/// The number of cells in each state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tally(pub(crate) BTreeMap<Standing, u32>);

impl Tally {
    pub(crate) fn of<'a>(cells: impl IntoIterator<Item = &'a CellRecord>) -> Self {
        let mut tally = Self::default();
        for cell in cells {
            *tally.0.entry(cell.standing()).or_default() += 1;
        }
        tally
    }

    pub(crate) fn get(&self, standing: Standing) -> u32 {
        self.0.get(&standing).copied().unwrap_or(0)
    }

    pub(crate) fn total(&self) -> u32 {
        self.0.values().sum()
    }

    pub(crate) fn ran(&self) -> u32 {
        self.sum(Standing::has_run)
    }

    pub(crate) fn sum(&self, which: impl Fn(Standing) -> bool) -> u32 {
        self.0.iter().filter(|(standing, _)| which(**standing)).map(|(_, count)| count).sum()
    }
}

impl CellRecord {
    pub(crate) fn standing(&self) -> Standing {
        match (&self.verdict, &self.disposition) {
            // Known from the start.
            (None | Some(Verdict::NotRun { .. }), Disposition::Unsupported { .. }) => {
                Standing::Unsupported
            }
            (None, Disposition::Unavailable { .. }) | (Some(Verdict::NotRun { .. }), _) => {
                Standing::NotRun
            }
            (None, _) => Standing::Unsettled,
            (Some(Verdict::Expected), _) => Standing::Expected,
            (Some(Verdict::Unexpected), _) => Standing::Unexpected,
            (Some(Verdict::UnexpectedPass), _) => Standing::UnexpectedPass,
            (Some(Verdict::Flaky), _) => Standing::Flaky,
            (Some(Verdict::Inconclusive), _) => Standing::Inconclusive,
        }
    }

    /// The attempt that decides the verdict: the last failure, else the last outcome of the product,
    /// else the last.
    pub(crate) fn telling_attempt(&self) -> Option<&AttemptRecord> {
        let last = |which: &dyn Fn(&Outcome) -> bool| {
            self.attempts.iter().rev().find(|attempt| which(&attempt.outcome))
        };
        last(&|outcome| !outcome.is_infrastructure() && !matches!(outcome, Outcome::Pass { .. }))
            .or_else(|| last(&|outcome| !outcome.is_infrastructure()))
            .or_else(|| self.attempts.last())
    }

    /// The sum over all attempts.
    pub(crate) fn duration(&self) -> Duration {
        self.attempts
            .iter()
            .fold(Duration::ZERO, |sum, attempt| sum.saturating_add(attempt.duration))
    }
}

impl RunRecord {
    /// The record of a whole stream.
    #[cfg(test)]
    pub(crate) fn of<'a>(events: impl IntoIterator<Item = &'a RunEvent>) -> Self {
        let mut record = Self::default();
        events.into_iter().for_each(|event| record.event(event));
        record
    }

    /// Takes one event.
    pub(crate) fn event(&mut self, event: &RunEvent) {
        self.last_at = Some(event.at);
        match &event.kind {
            RunEventKind::RunStarted {
                version,
                matrix,
                narrowed_by,
                cells,
                server_cost_per_1k_tokens,
                log_version: _,
            } => {
                self.server_cost = *server_cost_per_1k_tokens;
                self.started = Some(Started {
                    at: event.at,
                    version: version.clone(),
                    matrix: matrix.clone(),
                    narrowed_by: narrowed_by.clone(),
                });
                for planned in cells {
                    self.cell_mut(&planned.cell).disposition = planned.disposition.clone();
                }
            }
            RunEventKind::Probed { browser, profile, version, report } => self.probes.push(Probe {
                browser: *browser,
                profile: profile.clone(),
                version: version.clone(),
                report: (**report).clone(),
            }),
            RunEventKind::AttemptStarted { .. } | RunEventKind::Progress { .. } => {}
            RunEventKind::AttemptFinished { cell, attempt, outcome, evidence, duration } => {
                self.cell_mut(cell).attempts.push(AttemptRecord {
                    attempt: *attempt,
                    outcome: outcome.clone(),
                    evidence: (**evidence).clone(),
                    duration: *duration,
                });
            }
            RunEventKind::CellFinished { cell, disposition, verdict } => {
                let cell = self.cell_mut(cell);
                cell.disposition = disposition.clone();
                cell.verdict = Some(verdict.clone());
            }
            RunEventKind::Note { message } => self.notes.push(message.clone()),
            RunEventKind::RunFinished {
                missed_floors,
                interrupted,
                exit_code,
                duration,
                // Counted from the cells, so that numbers can't contradict each other.
                summary: _,
            } => {
                self.finished = Some(Finished {
                    missed_floors: missed_floors.clone(),
                    is_interrupted: *interrupted,
                    exit_code: *exit_code,
                    duration: *duration,
                });
            }
        }
    }

    pub(crate) fn cell(&self, id: &CellId) -> Option<&CellRecord> {
        self.places.get(id).and_then(|place| self.cells.get(*place))
    }

    pub(crate) fn tally(&self) -> Tally {
        Tally::of(&self.cells)
    }

    /// As the run measured it, else from the first to the last event.
    pub(crate) fn duration(&self) -> Duration {
        match (&self.finished, &self.started, self.last_at) {
            (Some(finished), ..) => finished.duration,
            (None, Some(started), Some(last)) => {
                Duration::try_from(last.duration_since(started.at)).unwrap_or_default()
            }
            (None, ..) => Duration::ZERO,
        }
    }

    /// A cell outside the plan is taken as one that must pass.
    fn cell_mut(&mut self, id: &CellId) -> &mut CellRecord {
        let place = *self.places.entry(id.clone()).or_insert_with(|| {
            self.cells.push(CellRecord {
                cell: id.clone(),
                disposition: Disposition::Run,
                attempts: Vec::new(),
                verdict: None,
            });
            self.cells.len() - 1
        });
        &mut self.cells[place]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn every_state_of_a_cell_is_distinguished() {
        let events = sample::run(
            "chrome/wasm/tierproof/m/a: pass
             chrome/wasm/tierproof/m/b: mismatch
             chrome/wasm/tierproof/m/c: known-failure pass
             chrome/wasm/tierproof/m/d: known-failure hung
             chrome/wasm/tierproof/m/e: mismatch pass
             chrome/wasm/tierproof/m/f: infrastructure infrastructure
             chrome/wasm/tierproof/m/g: unsupported no such backend
             chrome/wasm/tierproof/m/h: unavailable not fetched
             chrome/wasm/tierproof/m/i:
             chrome/wasm/tierproof/m/j: infrastructure pass",
        );
        let record = RunRecord::of(&events);
        let standings: Vec<_> = record.cells.iter().map(CellRecord::standing).collect();
        assert_eq!(
            standings,
            [
                Standing::Expected,
                Standing::Unexpected,
                Standing::UnexpectedPass,
                Standing::Expected,
                Standing::Flaky,
                Standing::Inconclusive,
                Standing::Unsupported,
                Standing::NotRun,
                Standing::NotRun,
                Standing::Expected,
            ]
        );
        let tally = record.tally();
        assert_eq!((tally.total(), tally.ran()), (10, 6));
        let telling = |place: usize| record.cells[place].telling_attempt().unwrap();
        assert_eq!(telling(4).outcome.name(), "mismatch");
        assert_eq!(telling(9).outcome.name(), "pass");
    }

    #[test]
    fn the_tally_matches_the_dispatcher() {
        let events = sample::mixed();
        let tally = RunRecord::of(&events).tally();
        let Some(RunEventKind::RunFinished { summary, .. }) =
            events.last().map(|event| &event.kind)
        else {
            panic!("no end")
        };
        assert_eq!(tally.ran(), summary.ran());
        for (standing, count) in [
            (Standing::Expected, summary.expected),
            (Standing::Unexpected, summary.unexpected),
            (Standing::UnexpectedPass, summary.unexpected_passes),
            (Standing::Flaky, summary.flaky),
            (Standing::Inconclusive, summary.inconclusive),
            (Standing::Unsupported, summary.unsupported),
            (Standing::NotRun, summary.not_run),
        ] {
            assert_eq!(tally.get(standing), count, "{standing:?}");
        }
    }

    #[test]
    fn a_stream_may_begin_and_end_anywhere() {
        let events = sample::mixed();
        for from in 0..events.len() {
            let record = RunRecord::of(&events[from..]);
            assert!(record.tally().total() <= RunRecord::of(&events).tally().total());
        }
        for to in 0..events.len() {
            let record = RunRecord::of(&events[..to]);
            assert!(record.finished.is_none());
            assert_eq!(record.started.is_some(), to > 0);
        }
    }
}
