//! The live part below the lines: a line for each running attempt with its phase, and a bar for
//! all cells that will run.

use std::collections::HashMap;
use std::io::{self, Write};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::lines::harmless;
use crate::judge::outcome::Disposition;
use crate::report::record::{RunRecord, Standing};
use crate::run::event::{RunEvent, RunEventKind};
use crate::spec::cell::CellId;

const TICK: Duration = Duration::from_millis(120);

pub(super) struct Live {
    area: MultiProgress,
    all: ProgressBar,
    running: HashMap<CellId, Running>,
    out: Box<dyn Write + Send>,
}

struct Running {
    line: ProgressBar,
    attempt: u32,
}

impl Live {
    pub(super) fn stdout() -> Self {
        Self::on(ProgressDrawTarget::stdout(), anstream::AutoStream::auto(io::stdout()))
    }

    fn on(target: ProgressDrawTarget, out: impl Write + Send + 'static) -> Self {
        let area = MultiProgress::with_draw_target(target);
        let all = area.add(
            ProgressBar::new(0)
                .with_style(template("{elapsed_precise} [{bar:30}] {pos}/{len} cells {msg}")),
        );
        all.enable_steady_tick(Duration::from_secs(1));
        Self { area, all, running: HashMap::new(), out: Box::new(out) }
    }

    /// Prints lines above the live part. They bypass the progress bars, which would pad each line to
    /// the terminal's width and make it hard to copy.
    pub(super) fn print(&mut self, lines: &[String]) -> io::Result<()> {
        let out = &mut self.out;
        self.area.suspend(|| {
            lines.iter().try_for_each(|line| writeln!(out, "{line}")).and_then(|()| out.flush())
        })
    }

    pub(super) fn event(&mut self, event: &RunEvent, record: &RunRecord) {
        match &event.kind {
            RunEventKind::RunStarted { cells, .. } => {
                let runs = |disposition: &Disposition| {
                    matches!(disposition, Disposition::Run | Disposition::KnownFailure { .. })
                };
                let count = cells.iter().filter(|planned| runs(&planned.disposition)).count();
                self.all.set_length(count as u64);
            }
            RunEventKind::AttemptStarted { cell, attempt } => {
                let line = ProgressBar::new_spinner().with_style(template("{spinner} {msg}"));
                let line = self.area.insert_before(&self.all, line);
                line.enable_steady_tick(TICK);
                let running = Running { line, attempt: *attempt };
                running.show(cell, "starting");
                if let Some(stale) = self.running.insert(cell.clone(), running) {
                    stale.line.finish_and_clear();
                }
            }
            RunEventKind::Progress { cell, phase } => {
                if let Some(running) = self.running.get(cell) {
                    running.show(cell, &harmless(phase));
                }
            }
            RunEventKind::AttemptFinished { cell, .. } => self.remove(cell),
            RunEventKind::CellFinished { cell, .. } => {
                self.remove(cell);
                let tally = record.tally();
                let ran = tally.ran() + tally.get(Standing::Inconclusive);
                self.all.set_position(u64::from(ran));
                let red = tally.sum(|s| s.wants_attention() && s != Standing::Unsettled);
                if red > 0 {
                    self.all.set_message(format!("({red} not as expected)"));
                }
            }
            RunEventKind::Probed { .. }
            | RunEventKind::Note { .. }
            | RunEventKind::RunFinished { .. } => {}
        }
    }

    fn remove(&mut self, cell: &CellId) {
        if let Some(running) = self.running.remove(cell) {
            running.line.finish_and_clear();
            self.area.remove(&running.line);
        }
    }

    /// Removes the live part.
    pub(super) fn clear(&mut self) {
        self.running.drain().for_each(|(_, running)| running.line.finish_and_clear());
        self.all.finish_and_clear();
    }
}

impl Running {
    fn show(&self, cell: &CellId, phase: &str) {
        let attempt = match self.attempt {
            1 => String::new(),
            number => format!(" (attempt {number})"),
        };
        self.line.set_message(format!("{cell}{attempt}: {phase}"));
    }
}

/// A constant template; the test below checks it.
fn template(text: &str) -> ProgressStyle {
    ProgressStyle::with_template(text).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn attempts_come_and_go() {
        let mut live = Live::on(ProgressDrawTarget::hidden(), io::sink());
        let mut record = RunRecord::default();
        let mut most = 0;
        for event in sample::mixed() {
            record.event(&event);
            live.event(&event, &record);
            most = most.max(live.running.len());
        }
        assert_eq!(most, 1);
        assert!(live.running.is_empty());
        assert_eq!((live.all.position(), live.all.length()), (9, Some(9)));
        assert_eq!(live.all.message(), "(6 not as expected)");
        live.clear();
        assert!(live.all.is_finished());
    }

    #[test]
    fn templates_are_sound() {
        for text in ["{elapsed_precise} [{bar:30}] {pos}/{len} cells {msg}", "{spinner} {msg}"] {
            assert!(ProgressStyle::with_template(text).is_ok(), "{text}");
        }
    }
}
