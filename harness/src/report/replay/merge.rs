//! Merges logs into one run: the shards of a matrix, or a run and the rerun of some of its cells.
//!
//! Pure. The rules, in the order in which logs are given:
//!
//! * A cell comes whole from one log: the last in which an attempt of it ended, else the last that
//!   settled it, else the last that planned it. So a rerun replaces the cells that it ran, and a
//!   shard without a cell does not override the one that ran it.
//! * Events keep their times and the order of the logs, with new numbers.
//! * The run has an end only if every log has one. Its counts and exit code are those of the chosen
//!   cells, and its duration is the sum.
//! * A floor that any log missed stays missed, since only the matrix knows what it requires.

use std::collections::HashMap;
use std::time::Duration;

use super::log::Log;
use crate::plan::PlannedCell;
use crate::run::event::{LOG_VERSION, RunEvent, RunEventKind, Summary};
use crate::run::exit::Exit;
use crate::spec::cell::CellId;

/// The stream of all logs. A single log is passed on unchanged.
pub(super) fn merge(logs: &[Log]) -> Vec<RunEvent> {
    let mut kinds: Vec<_> = match logs {
        [] => return Vec::new(),
        [one] => one.events.iter().map(|event| (event.at, event.kind.clone())).collect(),
        many => merged(many),
    };
    let last_at = kinds.last().map(|(at, _)| *at);
    for log in logs {
        let path = log.path.display();
        let mut note = |message: String| {
            if let Some(at) = last_at {
                kinds.push((at, RunEventKind::Note { message }));
            }
        };
        if log.is_cut_off {
            note(format!("the last line of `{path}` is broken and was skipped"));
        }
        if logs.len() > 1 && !log.is_finished() {
            note(format!("`{path}` has no end: its run was killed"));
        }
    }
    (0..).zip(kinds).map(|(seq, (at, kind))| RunEvent { seq, at, kind }).collect()
}

type Dated = (jiff::Timestamp, RunEventKind);

fn merged(logs: &[Log]) -> Vec<Dated> {
    let owners = owners(logs);
    let mut all: Vec<Dated> = Vec::new();
    let mut ends = Vec::new();
    let mut summary = Summary::default();
    let planned = plan(logs, &owners);
    for (index, log) in logs.iter().enumerate() {
        for event in &log.events {
            let is_wanted = match &event.kind {
                RunEventKind::RunStarted { .. } => false,
                RunEventKind::RunFinished { .. } => {
                    ends.push(event);
                    false
                }
                RunEventKind::Probed { .. } => !all.iter().any(|(_, known)| *known == event.kind),
                RunEventKind::Note { .. } => true,
                RunEventKind::AttemptStarted { cell, .. }
                | RunEventKind::Progress { cell, .. }
                | RunEventKind::AttemptFinished { cell, .. }
                | RunEventKind::CellFinished { cell, .. } => owners.get(cell) == Some(&index),
            };
            if !is_wanted {
                continue;
            }
            if let RunEventKind::CellFinished { disposition, verdict, .. } = &event.kind {
                summary.count(disposition, verdict);
            }
            all.push((event.at, event.kind.clone()));
        }
    }
    let mut stream = start(logs, planned);
    stream.append(&mut all);
    if logs.iter().all(Log::is_finished) {
        stream.extend(end(&ends, summary));
    }
    stream
}

/// The log that each cell is taken from.
fn owners(logs: &[Log]) -> HashMap<CellId, usize> {
    // Planned, settled, attempted.
    let mut best: HashMap<CellId, (u8, usize)> = HashMap::new();
    let mut claim = |cell: &CellId, weight: u8, index: usize| {
        let known = best.entry(cell.clone()).or_insert((weight, index));
        *known = (*known).max((weight, index));
    };
    for (index, log) in logs.iter().enumerate() {
        for event in &log.events {
            match &event.kind {
                RunEventKind::RunStarted { cells, .. } => {
                    for planned in cells {
                        claim(&planned.cell, 0, index);
                    }
                }
                RunEventKind::CellFinished { cell, .. } => claim(cell, 1, index),
                RunEventKind::AttemptFinished { cell, .. } => claim(cell, 2, index),
                RunEventKind::Probed { .. }
                | RunEventKind::AttemptStarted { .. }
                | RunEventKind::Progress { .. }
                | RunEventKind::Note { .. }
                | RunEventKind::RunFinished { .. } => {}
            }
        }
    }
    best.into_iter().map(|(cell, (_, index))| (cell, index)).collect()
}

/// Every cell once, in its first position, with the disposition of the chosen log.
fn plan(logs: &[Log], owners: &HashMap<CellId, usize>) -> Vec<PlannedCell> {
    let mut places: HashMap<CellId, usize> = HashMap::new();
    let mut plan: Vec<PlannedCell> = Vec::new();
    for (index, log) in logs.iter().enumerate() {
        for event in &log.events {
            let RunEventKind::RunStarted { cells, .. } = &event.kind else { continue };
            for planned in cells {
                let place = *places.entry(planned.cell.clone()).or_insert(plan.len());
                match plan.get_mut(place) {
                    None => plan.push(planned.clone()),
                    Some(known) if owners.get(&planned.cell) == Some(&index) => {
                        known.disposition = planned.disposition.clone();
                    }
                    Some(_) => {}
                }
            }
        }
    }
    plan
}

fn start(logs: &[Log], plan: Vec<PlannedCell>) -> Vec<Dated> {
    let mut first: Option<(jiff::Timestamp, String, String)> = None;
    let mut narrowings: Vec<String> = Vec::new();
    let (mut notes, mut cost) = (Vec::new(), None);
    for event in logs.iter().flat_map(|log| &log.events) {
        let RunEventKind::RunStarted {
            version,
            matrix,
            narrowed_by,
            server_cost_per_1k_tokens,
            ..
        } = &event.kind
        else {
            continue;
        };
        cost = cost.or(*server_cost_per_1k_tokens);
        for narrowing in narrowed_by {
            if !narrowings.contains(narrowing) {
                narrowings.push(narrowing.clone());
            }
        }
        match &mut first {
            None => first = Some((event.at, version.clone(), matrix.clone())),
            Some((at, known_version, known_matrix)) => {
                *at = (*at).min(event.at);
                for (what, known, other) in
                    [("version", known_version, version), ("matrix", known_matrix, matrix)]
                {
                    if known != other {
                        let message = format!("merged logs differ in {what}: `{known}`, `{other}`");
                        notes.push((event.at, RunEventKind::Note { message }));
                    }
                }
            }
        }
    }
    let Some((at, version, matrix)) = first else { return notes };
    let started = RunEventKind::RunStarted {
        log_version: LOG_VERSION,
        version,
        matrix,
        narrowed_by: narrowings,
        cells: plan,
        server_cost_per_1k_tokens: cost,
    };
    std::iter::once((at, started)).chain(notes).collect()
}

fn end(ends: &[&RunEvent], summary: Summary) -> Option<Dated> {
    let at = ends.iter().map(|event| event.at).max()?;
    let (mut floors, mut is_interrupted, mut total) = (Vec::new(), false, Duration::ZERO);
    for event in ends {
        if let RunEventKind::RunFinished { missed_floors, interrupted, duration, .. } = &event.kind
        {
            floors.extend(missed_floors.iter().cloned());
            is_interrupted |= interrupted;
            total = total.saturating_add(*duration);
        }
    }
    floors.sort();
    floors.dedup();
    let exit_code = Exit::of_run(&summary, &floors, is_interrupted).code();
    let finished = RunEventKind::RunFinished {
        summary,
        missed_floors: floors,
        interrupted: is_interrupted,
        exit_code,
        duration: total,
    };
    Some((at, finished))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::record::{CellRecord, RunRecord, Standing};
    use crate::report::sample;

    const A: &str = "chrome/wasm/tierproof/m/tokens/greedy";
    const B: &str = "firefox/wasm/tierproof/m/tokens/greedy";

    fn log(name: &str, events: Vec<RunEvent>) -> Log {
        Log { path: name.into(), events, is_cut_off: false }
    }

    fn standings(events: &[RunEvent]) -> Vec<Standing> {
        RunRecord::of(events).cells.iter().map(CellRecord::standing).collect()
    }

    #[test]
    fn logs_become_one_run() {
        use Standing::{Expected, Flaky, NotRun, Unexpected};
        for (what, logs, expected, exit_code) in [
            (
                "disjoint shards",
                [format!("{A}: pass"), format!("{B}: mismatch")],
                vec![Expected, Unexpected],
                1,
            ),
            (
                "a rerun replaces what it ran",
                [format!("{A}: mismatch\n{B}: pass"), format!("{A}: pass")],
                vec![Expected, Expected],
                0,
            ),
            (
                "attempts of two logs are not added up",
                [format!("{A}: hung pass\n{B}: pass"), format!("{B}: hung pass")],
                vec![Flaky, Flaky],
                1,
            ),
            (
                "a shard without a cell overrides nothing",
                [format!("{A}: mismatch\n{B}: pass"), format!("{A}: unavailable no driver")],
                vec![Unexpected, Expected],
                1,
            ),
            (
                "neither ran it",
                [format!("{A}: unavailable x"), format!("{A}:\n{B}: pass")],
                vec![NotRun, Expected],
                0,
            ),
        ] {
            let logs = logs.map(|text| log("run.jsonl", sample::run(&text)));
            let events = merge(&logs);
            assert_eq!(standings(&events), expected, "{what}");
            let record = RunRecord::of(&events);
            assert_eq!(record.finished.map(|finished| finished.exit_code), Some(exit_code));
            assert!(events.iter().zip(0..).all(|(event, seq)| event.seq == seq), "{what}");
        }
    }

    #[test]
    fn the_merged_summary_counts_the_chosen_cells() {
        let logs = [
            log("1.jsonl", sample::mixed()),
            log("2.jsonl", sample::run(&format!("{B}: pass\nfloor: too few"))),
        ];
        let events = merge(&logs);
        let RunEventKind::RunFinished { summary, missed_floors, .. } = &events.last().unwrap().kind
        else {
            panic!("no end")
        };
        assert_eq!(summary.ran(), RunRecord::of(&events).tally().ran());
        assert_eq!(missed_floors, &["too few"]);
        let verdicts = sample::verdicts(&events);
        assert_eq!(verdicts.len(), RunRecord::of(&events).cells.len());
    }

    #[test]
    fn a_merged_run_needs_the_end_of_every_log() {
        let mut cut = sample::run(&format!("{B}: pass"));
        cut.truncate(4);
        let logs = [log("1.jsonl", sample::run(&format!("{A}: pass"))), log("2.jsonl", cut)];
        let record = RunRecord::of(&merge(&logs));
        assert!(record.finished.is_none());
        assert_eq!(record.notes, ["`2.jsonl` has no end: its run was killed"]);
    }
}
