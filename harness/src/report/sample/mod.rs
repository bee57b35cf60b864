//! Streams of runs for tests, from a compact description.
//!
//! One line a cell, `CELL: ATTEMPTS`, an attempt by the name of its outcome; before them
//! `known-failure`, instead of them `unsupported WHY` or `unavailable WHY`. Besides:
//! `floor: WHY`, `note: WHAT`, and `interrupted`. Times are made up and the same each time.

mod evidence;
mod large;

use std::time::Duration;

use inference_wasm::protocol::{BackendName, EngineErrorKind};
use jiff::Timestamp;

use crate::judge::outcome::{Disposition, Outcome, Verdict, judge};
use crate::judge::proof::MissingProof;
use crate::plan::PlannedCell;
use crate::run::event::{LOG_VERSION, RunEvent, RunEventKind, Summary};
use crate::run::exit::Exit;
use crate::spec::cell::{BrowserName, CellId};

pub(crate) use large::large;

/// A cell with the outcomes of its attempts.
pub(crate) struct Script {
    pub(crate) planned: PlannedCell,
    pub(crate) attempts: Vec<Outcome>,
}

/// The stream of a described run.
pub(crate) fn run(description: &str) -> Vec<RunEvent> {
    let mut scripts = Vec::new();
    let (mut floors, mut notes, mut is_interrupted) = (Vec::new(), Vec::new(), false);
    for line in description.lines().map(str::trim).filter(|line| !line.is_empty()) {
        match line.split_once(':') {
            Some(("floor", floor)) => floors.push(floor.trim().to_owned()),
            Some(("note", note)) => notes.push(note.trim().to_owned()),
            Some((cell, attempts)) => scripts.push(script(cell, attempts.trim())),
            None if line == "interrupted" => is_interrupted = true,
            None => panic!("not understood: {line}"),
        }
    }
    stream(&scripts, floors, notes, is_interrupted)
}

/// A run with one cell of each kind, on two browsers.
pub(crate) fn mixed() -> Vec<RunEvent> {
    run("chrome/wasm/tierproof/scribe-low-Q8_0/tokens/greedy: pass
         chrome/wasm/tierproof/scribe-low-Q4_0/tokens/greedy: mismatch
         chrome/wasm/tierproof/scribe-low-Q4_0/logits/teacher-forced: logits
         chrome/wasm/tierproof/scribe-low-Q8_0/lifecycle/cancel: infrastructure pass
         chrome/webgpu/tierproof/scribe-low-Q8_0/tokens/greedy: unsupported this browser has no WebGPU adapter
         firefox/wasm/tierproof/scribe-low-Q8_0/tokens/greedy: hung
         firefox/wasm/tierproof/scribe-low-Q8_0/lifecycle/cancel: known-failure panicked
         firefox/wasm/tierproof/scribe-low-Q4_0/lifecycle/cancel: known-failure pass
         firefox/wasm/tierproof/scribe-low-Q4_0/tokens/greedy: panicked pass
         firefox/wasm/tierproof/scribe-low-F16/tokens/greedy: infrastructure infrastructure
         firefox/webgpu/tierproof/scribe-low-Q8_0/tokens/greedy: unsupported this browser has no WebGPU adapter
         webkit/wasm/tierproof/scribe-low-Q8_0/tokens/greedy: unavailable WebKitWebDriver is not installed: run `tierproof setup`
         note: the driver of `chrome` had to be killed")
}

/// The stream of scripted cells.
pub(crate) fn stream(
    scripts: &[Script],
    missed_floors: Vec<String>,
    notes: Vec<String>,
    is_interrupted: bool,
) -> Vec<RunEvent> {
    let mut clock = Clock { events: Vec::new(), ms: 0 };
    clock.push(
        0,
        RunEventKind::RunStarted {
            log_version: LOG_VERSION,
            version: "0.1.0".to_owned(),
            matrix: "matrices/default.toml".to_owned(),
            narrowed_by: Vec::new(),
            cells: scripts.iter().map(|script| script.planned.clone()).collect(),
            server_cost_per_1k_tokens: None,
        },
    );
    for browser in BrowserName::ALL {
        if scripts.iter().any(|s| s.planned.cell.browser == browser && !s.attempts.is_empty()) {
            clock.push(900, evidence::probed(browser));
        }
    }
    for message in notes {
        clock.push(1, RunEventKind::Note { message });
    }
    let mut summary = Summary::default();
    for script in scripts {
        let PlannedCell { cell, disposition } = &script.planned;
        for (number, outcome) in (1..).zip(&script.attempts) {
            clock.attempt(cell, number, outcome);
        }
        let verdict = judge(disposition, &script.attempts);
        summary.count(disposition, &verdict);
        let (cell, disposition) = (cell.clone(), disposition.clone());
        clock.push(1, RunEventKind::CellFinished { cell, disposition, verdict });
    }
    let exit_code = Exit::of_run(&summary, &missed_floors, is_interrupted).code();
    let duration = Duration::from_millis(clock.ms);
    clock.push(
        0,
        RunEventKind::RunFinished {
            summary,
            missed_floors,
            interrupted: is_interrupted,
            exit_code,
            duration,
        },
    );
    clock.events
}

struct Clock {
    events: Vec<RunEvent>,
    ms: u64,
}

impl Clock {
    fn push(&mut self, ms: u64, kind: RunEventKind) {
        self.ms += ms;
        let at = Timestamp::from_millisecond(1_780_000_000_000 + self.ms as i64).unwrap();
        self.events.push(RunEvent { seq: self.events.len() as u64, at, kind });
    }

    fn attempt(&mut self, cell: &CellId, attempt: u32, outcome: &Outcome) {
        let cell = cell.clone();
        self.push(5, RunEventKind::AttemptStarted { cell: cell.clone(), attempt });
        for phase in ["session", "load", "2 generate"] {
            self.push(1, RunEventKind::Progress { cell: cell.clone(), phase: phase.to_owned() });
        }
        let duration = match outcome {
            Outcome::Hung { silent_for, .. } => *silent_for + Duration::from_millis(1500),
            _ => Duration::from_millis(400 + 37 * (self.events.len() as u64 % 41)),
        };
        let evidence = Box::new(evidence::of(&cell, outcome));
        let outcome = outcome.clone();
        self.push(
            duration.as_millis() as u64,
            RunEventKind::AttemptFinished { cell, attempt, outcome, evidence, duration },
        );
    }
}

/// One described cell.
pub(crate) fn script(cell: &str, attempts: &str) -> Script {
    let cell: CellId = cell.parse().unwrap();
    let (first, rest) = attempts.split_once(' ').unwrap_or((attempts, ""));
    let (disposition, names) = match first {
        "unsupported" => (Disposition::Unsupported { reason: rest.to_owned() }, ""),
        "unavailable" => (Disposition::Unavailable { reason: rest.to_owned() }, ""),
        "known-failure" => (
            Disposition::KnownFailure {
                reason: "cancelling loses the last token".to_owned(),
                link: "https://example.org/issues/7".to_owned(),
            },
            rest,
        ),
        _ => (Disposition::Run, attempts),
    };
    let attempts = names.split_whitespace().map(|name| outcome(name, &cell)).collect();
    Script { planned: PlannedCell { cell, disposition }, attempts }
}

/// An outcome by name, as the cell's backend would bring it.
fn outcome(name: &str, cell: &CellId) -> Outcome {
    let text = str::to_owned;
    match name {
        "pass" => Outcome::Pass { proof: Box::new(evidence::proof(cell.backend)) },
        "mismatch" => Outcome::Mismatch(Box::new(evidence::tokens_mismatch())),
        "logits" => Outcome::Mismatch(Box::new(evidence::logits_mismatch())),
        "backend-mismatch" => Outcome::BackendMismatch(MissingProof {
            reasons: vec![
                text("no dispatch or draw was counted"),
                text("the canary of `webgpu` is 0x3f8ccccd, this run's is 0x3f8cccce"),
            ],
        }),
        "engine-error" => Outcome::EngineError {
            error: EngineErrorKind::ShardCorrupt,
            message: text(
                "shard 3 of `scribe-mid-Q4_0`: SHA-256 expected `9f86d081`, found `60303ae2`",
            ),
        },
        "page-error" => Outcome::PageError { message: text("TypeError: e.data is null") },
        "panicked" => Outcome::Panicked {
            message: text(
                "index out of bounds: the len is 64 but the index is 64\nsession.rs:212:19",
            ),
        },
        "device-lost" => Outcome::DeviceLost { reason: text("destroyed") },
        "out-of-memory" => Outcome::OutOfMemory { message: text("memory.grow failed at 2.0 GiB") },
        "hung" => Outcome::Hung { phase: text("decode"), silent_for: Duration::from_secs(20) },
        "timed-out" => Outcome::TimedOut { phase: text("load"), limit: Duration::from_mins(1) },
        "browser-crashed" => Outcome::BrowserCrashed { message: text("the tab is gone: SIGSEGV") },
        "infrastructure" => Outcome::Infrastructure {
            phase: text("session"),
            message: text("geckodriver: connection refused"),
        },
        _ => panic!("no outcome `{name}`"),
    }
}

/// Verdicts and dispositions in the order of the stream, for assertions.
pub(crate) fn verdicts(events: &[RunEvent]) -> Vec<(CellId, Verdict)> {
    events
        .iter()
        .filter_map(|event| match &event.kind {
            RunEventKind::CellFinished { cell, verdict, .. } => {
                Some((cell.clone(), verdict.clone()))
            }
            _ => None,
        })
        .collect()
}

/// Backends that have adapters.
fn is_gpu(backend: BackendName) -> bool {
    matches!(backend, BackendName::Webgpu | BackendName::Webgl)
}
