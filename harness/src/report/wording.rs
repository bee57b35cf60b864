//! The words of all reports: one for each standing, a sentence for a run, a line for a cell.
//!
//! Plain text; reporters add colour and markup.

use std::time::Duration;

use super::record::{CellRecord, RunRecord, Standing};
use crate::judge::outcome::{Disposition, Outcome, Verdict};

impl Standing {
    /// The word in tables and lists.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Unexpected => "unexpected",
            Self::UnexpectedPass => "unexpected pass",
            Self::Flaky => "flaky",
            Self::Inconclusive => "inconclusive",
            Self::Unsettled => "not settled",
            Self::Expected => "as expected",
            Self::Unsupported => "unsupported",
            Self::NotRun => "not run",
        }
    }

    /// The key in `JUnit` and in CSS classes.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Unexpected => "unexpected",
            Self::UnexpectedPass => "unexpected-pass",
            Self::Flaky => "flaky",
            Self::Inconclusive => "inconclusive",
            Self::Unsettled => "unsettled",
            Self::Expected => "expected",
            Self::Unsupported => "unsupported",
            Self::NotRun => "not-run",
        }
    }

    /// An explanation for a reader who sees the word for the first time.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::Unexpected => {
                "It failed, and the matrix does not announce a failure. The run is red."
            }
            Self::UnexpectedPass => {
                "It passed, but the matrix announces a failure. Remove that entry; until then the run \
                 is red."
            }
            Self::Flaky => "It failed in one attempt and passed in another. The run is red.",
            Self::Inconclusive => {
                "Driver, session or disk failed in every attempt, which says nothing about the \
                 product. The run fails with exit code 4."
            }
            Self::Unsettled => "The log ends before this cell has a verdict.",
            Self::Expected => {
                "It passed with tier proof and within tolerance, or failed as the matrix announces."
            }
            Self::Unsupported => "The browser or the engine can't run it. Neither green nor red.",
            Self::NotRun => {
                "Something is not installed or fetched, or the run ended before its turn."
            }
        }
    }
}

/// The meaning of an exit code.
pub(crate) fn exit_code_meaning(code: u8) -> &'static str {
    match code {
        0 => "all as expected",
        1 => "not as expected",
        2 => "wrong arguments, matrix or configuration",
        3 => "nothing ran, or a floor of the matrix was missed",
        4 => "set-up or infrastructure trouble",
        130 => "interrupted",
        _ => "unknown to this version",
    }
}

/// The tone of the sentence for a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// As expected.
    Good,
    /// Not as expected.
    Bad,
    /// Unknown, in full or in part.
    Doubtful,
}

/// The sentence for a run; never claims more than the stream shows.
pub(crate) fn headline(record: &RunRecord) -> (Tone, String) {
    let tally = record.tally();
    let ran = tally.ran();
    let cells =
        |count: u32| if count == 1 { "1 cell".to_owned() } else { format!("{count} cells") };
    let parts = |standings: &[Standing]| {
        standings
            .iter()
            .filter(|standing| tally.get(**standing) > 0)
            .map(|standing| format!("{} {}", tally.get(*standing), standing.word()))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let red = parts(&[Standing::Unexpected, Standing::UnexpectedPass, Standing::Flaky]);
    let red_tail = if red.is_empty() { String::new() } else { format!(": {red}") };
    let red_tone = if red.is_empty() { Tone::Doubtful } else { Tone::Bad };
    let settled = tally.total() - tally.get(Standing::Unsettled);
    let Some(finished) = &record.finished else {
        let what = if record.started.is_none() {
            "The log has no beginning".to_owned()
        } else {
            let all = tally.total();
            format!("The run did not finish: {settled} of {} settled{red_tail}", cells(all))
        };
        return (red_tone, what);
    };
    if finished.is_interrupted {
        return (red_tone, format!("Interrupted after {} had run{red_tail}", cells(ran)));
    }
    if !red.is_empty() {
        return (Tone::Bad, format!("Not as expected{red_tail} of {} that ran", cells(ran)));
    }
    let inconclusive = tally.get(Standing::Inconclusive);
    if inconclusive > 0 {
        let text = format!(
            "Inconclusive: infrastructure trouble in every attempt of {}",
            cells(inconclusive)
        );
        return (Tone::Doubtful, text);
    }
    if ran == 0 {
        return (Tone::Bad, "Nothing ran".to_owned());
    }
    if !finished.missed_floors.is_empty() {
        let text = format!("A floor of the matrix was missed; {} ran as expected", cells(ran));
        return (Tone::Bad, text);
    }
    if finished.exit_code != 0 {
        let meaning = exit_code_meaning(finished.exit_code);
        return (
            Tone::Bad,
            format!("Every cell that ran is as expected, but the run failed: {meaning}"),
        );
    }
    let text = match ran {
        1 => "The one cell that ran came out as expected".to_owned(),
        _ => format!("All {ran} cells that ran came out as expected"),
    };
    (Tone::Good, text)
}

/// The reason for a standing, on one or more lines; empty for a plain pass.
pub(crate) fn reason(cell: &CellRecord) -> String {
    let attempts = cell.attempts.len();
    let decisive = || cell.telling_attempt().map(|a| a.outcome.message()).unwrap_or_default();
    match (&cell.verdict, &cell.disposition) {
        (None, Disposition::Unsupported { reason } | Disposition::Unavailable { reason }) => {
            reason.clone()
        }
        (None, _) if attempts == 0 => "the log ends before this cell started".to_owned(),
        (None, _) => format!("the log ends after attempt {attempts}"),
        (Some(Verdict::Unexpected | Verdict::Inconclusive), _) => decisive(),
        (Some(Verdict::UnexpectedPass), Disposition::KnownFailure { reason, link }) => format!(
            "a known failure passed: {reason} ({link})\n(hint: remove its entry from the matrix)"
        ),
        (Some(Verdict::UnexpectedPass), _) => "a known failure passed".to_owned(),
        (Some(Verdict::Flaky), _) => {
            let failed = cell.attempts.iter().filter(|attempt| is_failure(&attempt.outcome));
            format!("{} of {attempts} attempts failed: {}", failed.count(), decisive())
        }
        (Some(Verdict::NotRun { reason }), _) => reason.clone(),
        (Some(Verdict::Expected), Disposition::KnownFailure { reason, link }) => {
            format!("known failure: {reason} ({link})")
        }
        (Some(Verdict::Expected), _) if attempts > 1 => {
            format!("passed in attempt {attempts}, after infrastructure trouble")
        }
        (Some(Verdict::Expected), _) => String::new(),
    }
}

fn is_failure(outcome: &Outcome) -> bool {
    !outcome.is_infrastructure() && !matches!(outcome, Outcome::Pass { .. })
}

/// The first line of a text.
pub(crate) fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// At most `limit` characters, with an ellipsis if any are left out.
pub(crate) fn shortened(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

/// A duration with the digits that matter.
pub(crate) fn spoken(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 0.9995 {
        format!("{} ms", (seconds * 1000.0).round())
    } else if seconds < 59.95 {
        format!("{seconds:.1} s")
    } else {
        let whole = seconds.round() as u64;
        match (whole / 3600, whole / 60 % 60, whole % 60) {
            (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
            (hours, minutes, _) => format!("{hours} h {minutes} min"),
        }
    }
}

/// The command that reruns one cell. A cell's id is a filter that matches nothing else.
pub(crate) fn rerun_command(record: &RunRecord, cell: &CellRecord) -> String {
    let matrix = record.started.as_ref().map_or("", |started| started.matrix.as_str());
    let matrix = if matrix.is_empty() { String::new() } else { format!(" {}", quoted(matrix)) };
    format!("tierproof run{matrix} --filter {}", quoted(&cell.cell.to_string()))
}

/// Quoted for a POSIX shell if necessary.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./+:=@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn headlines_claim_only_what_the_stream_shows() {
        let cell = "chrome/wasm/tierproof/m/tokens/greedy";
        let other = "chrome/wasm/tierproof/m/logits/teacher-forced";
        for (run, tone, text) in [
            (format!("{cell}: pass"), Tone::Good, "The one cell that ran came out as expected"),
            (
                format!("{cell}: pass\n{other}: known-failure hung"),
                Tone::Good,
                "All 2 cells that ran came out as expected",
            ),
            (
                format!("{cell}: mismatch\n{other}: hung pass"),
                Tone::Bad,
                "Not as expected: 1 unexpected, 1 flaky of 2 cells that ran",
            ),
            (
                format!("{cell}: pass\n{other}: infrastructure"),
                Tone::Doubtful,
                "Inconclusive: infrastructure trouble in every attempt of 1 cell",
            ),
            (format!("{cell}: unsupported no backend"), Tone::Bad, "Nothing ran"),
            (
                format!("{cell}: pass\nfloor: chrome must run 2 cells"),
                Tone::Bad,
                "A floor of the matrix was missed; 1 cell ran as expected",
            ),
            (
                format!("{cell}: pass\n{other}:\ninterrupted"),
                Tone::Doubtful,
                "Interrupted after 1 cell had run",
            ),
        ] {
            let record = RunRecord::of(&sample::run(&run));
            assert_eq!(headline(&record), (tone, text.to_owned()), "{run}");
        }
    }

    #[test]
    fn a_stream_that_breaks_off_is_never_called_green() {
        let events = sample::run("chrome/wasm/tierproof/m/tokens/greedy: pass");
        for to in 0..events.len() {
            let (tone, text) = headline(&RunRecord::of(&events[..to]));
            assert_eq!(tone, Tone::Doubtful, "{text}");
        }
    }

    #[test]
    fn durations_have_the_digits_that_matter() {
        for (ms, text) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1000, "1.0 s"),
            (59_949, "59.9 s"),
            (59_960, "1 min 0 s"),
            (192_400, "3 min 12 s"),
            (7_380_000, "2 h 3 min"),
        ] {
            assert_eq!(spoken(Duration::from_millis(ms)), text);
        }
    }

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(shortened("größe", 5), "größe");
        assert_eq!(shortened("größe", 3), "grö…");
    }

    #[test]
    fn commands_survive_a_shell() {
        assert_eq!(quoted("matrices/default.toml"), "matrices/default.toml");
        assert_eq!(quoted("it's *"), r"'it'\''s *'");
    }
}
