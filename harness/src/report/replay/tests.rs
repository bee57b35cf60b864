use std::path::Path;

use super::log::parse;
use super::*;
use crate::report::html::Html;
use crate::report::jsonl::Jsonl;
use crate::report::junit::Junit;
use crate::report::sample;
use crate::report::terminal::{Terminal, TerminalOptions};
use crate::run::event::RunEvent;

fn log(events: &[RunEvent]) -> Vec<u8> {
    events
        .iter()
        .flat_map(|event| [serde_json::to_vec(event).unwrap(), b"\n".to_vec()].concat())
        .collect()
}

fn parsed(bytes: &[u8]) -> Result<Log, ReplayError> {
    parse(Path::new("run.jsonl"), bytes)
}

fn reporters(folder: &Path) -> Reporters {
    let terminal = fs_err::File::create(folder.join("terminal.txt")).unwrap();
    Reporters::new()
        .with(Terminal::plain(terminal, TerminalOptions { is_verbose: true, ..Default::default() }))
        .with(Junit::new(folder.join("junit.xml")))
        .with(Html::new(folder.join("index.html")))
}

#[test]
fn a_replayed_run_makes_the_reports_of_the_live_one() {
    for events in [sample::mixed(), sample::mixed()[..30].to_vec(), sample::large()] {
        let folder = tempfile::tempdir().unwrap();
        let (live, again) = (folder.path().join("live"), folder.path().join("again"));
        for folder in [&live, &again] {
            fs_err::create_dir_all(folder).unwrap();
        }
        let path = live.join("run.jsonl");
        let mut all = reporters(&live).with(Jsonl::create(&path).unwrap());
        for event in &events {
            all.event(event);
        }
        all.finish().unwrap();

        let mut all = reporters(&again);
        let replayed = replay(&[path], &mut all).unwrap();
        all.finish().unwrap();
        let is_finished = matches!(
            events.last().map(|event| &event.kind),
            Some(RunEventKind::RunFinished { .. })
        );
        let exit_code = if is_finished { 1 } else { 4 };
        assert_eq!(replayed, Replayed { exit_code, is_finished });
        for name in ["terminal.txt", "junit.xml", "index.html"] {
            let read = |folder: &Path| fs_err::read_to_string(folder.join(name)).unwrap();
            assert_eq!(read(&live), read(&again), "{name}");
        }
    }
}

#[test]
fn a_log_may_be_cut_off_anywhere_after_its_first_line() {
    let events = sample::mixed();
    let bytes = log(&events);
    let head = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for end in (head..bytes.len()).step_by(97) {
        let log = parsed(&bytes[..end]).unwrap();
        assert!(!log.is_finished());
        assert_eq!(log.is_cut_off, bytes[end - 1] != b'\n', "at {end}");
        assert_eq!(log.events, events[..log.events.len()]);
    }
    let garbled = [&bytes[..head], b"{\"seq\":1,\"at\n"].concat();
    assert!(parsed(&garbled).unwrap().is_cut_off);
}

#[test]
fn broken_logs_are_refused_with_their_line() {
    let events = sample::mixed();
    let good = String::from_utf8(log(&events)).unwrap();
    let lines: Vec<_> = good.lines().collect();
    let newer = lines[0].replace("\"log_version\":3", "\"log_version\":7,\"news\":{}");
    for (text, message) in [
        (String::new(), "`run.jsonl` holds no event: the run was killed before it began"),
        (
            format!("{}\n{}\n", lines[1], lines[2]),
            "`run.jsonl` is not the log of a run: expected a `run-started` event on line 1, \
             found `probed`",
        ),
        (
            format!("{newer}\n\"what a newer version writes\"\n{}\n", lines[1]),
            "`run.jsonl` has log version 7, this tierproof reads up to 3\n\
             (hint: read it with the tierproof that wrote it, or a newer one)",
        ),
        (
            format!("{}\n{{}}\n{}\n", lines[0], lines[2]),
            "`run.jsonl`, line 2: not an event: missing field `seq` at line 1 column 2",
        ),
        (
            format!("{}\n{}\n{}\n", lines[0], lines[1], lines[4]),
            "`run.jsonl`, line 3: expected event 2, found event 4",
        ),
    ] {
        assert_eq!(parsed(text.as_bytes()).unwrap_err().to_string(), message);
    }
    let error = parsed(b"<html>\n").unwrap_err().to_string();
    assert!(error.starts_with("`run.jsonl` is not the log of a run: "), "{error}");
}

#[test]
fn a_missing_log_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shard-2.jsonl");
    let error = replay(&[path], &mut Reporters::new()).unwrap_err().to_string();
    assert!(error.contains("shard-2.jsonl"), "{error}");
}

#[test]
fn a_nan_measurement_survives_the_log() {
    use crate::judge::compare::Comparison;
    use crate::judge::outcome::Outcome;
    let mut events = sample::run("chrome/wasm/tierproof/m/logits/teacher-forced: logits");
    for event in &mut events {
        let RunEventKind::AttemptFinished { outcome, .. } = &mut event.kind else { continue };
        let Outcome::Mismatch(mismatch) = outcome else { panic!("no mismatch") };
        let Comparison::Logits(logits) = &mut mismatch.comparison else { panic!("no logits") };
        (logits.mean_kld, logits.max_kld, logits.max_abs) = (f64::NAN, f64::NAN, f64::INFINITY);
        logits.flips[0].margin = f64::NAN;
    }
    let read = parsed(&log(&events)).unwrap();
    assert!(read.is_finished() && !read.is_cut_off);
    let text = format!("{:?}", read.events);
    assert_eq!(text.matches("NaN").count(), 4, "{text}");
}
