//! A whole run on the engine's native build: without a browser, and otherwise as in one.

use tierproof::judge::outcome::Outcome;
use tierproof_tests::command::{Ended, tierproof};
use tierproof_tests::log::{End, RunLog};

const COMMAND: &str = env!("CARGO_BIN_EXE_command");

#[test]
fn every_cell_passes_with_a_proof_and_the_reports_exist() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().to_str().expect("a path in UTF-8");
    let run = tierproof(COMMAND, &["run", "matrices/native.toml", "--ci", "--out", out]);
    let run = Ended::of(run, "").with(0);
    assert!(run.stdout.contains("All 93 cells that ran came out as expected"), "{}", run.stdout);

    let log = RunLog::of(folder.path());
    assert_eq!(log.end(), Some(End { interrupted: false, exit_code: 0 }));
    assert_eq!(log.verdicts("").len(), 93);
    let attempts = log.attempts("");
    assert_eq!(attempts.len(), 93);
    for (outcome, evidence) in attempts {
        let Outcome::Pass { proof } = outcome else { panic!("not a pass: {outcome:?}") };
        let execution = proof.execution().expect("a proof of the tier");
        assert_eq!(execution.requested, execution.actual);
        assert!(execution.kernel_calls > 0 && execution.effective_threads > 0, "{execution:?}");
        // An answer that was compared with nothing is not a pass.
        assert!(evidence.steps.iter().any(|step| !step.comparisons.is_empty()), "{evidence:?}");
    }

    let junit = fs_err::read_to_string(folder.path().join("junit.xml")).expect("a JUnit report");
    for suite in [r#"name="native/cpu" tests="48""#, r#"name="native/reference" tests="45""#] {
        assert!(junit.contains(suite), "a suite for each backend:\n{junit}");
    }
    assert!(!junit.contains("<failure") && !junit.contains("<error"), "{junit}");
    let page = fs_err::read_to_string(folder.path().join("index.html")).expect("an HTML report");
    // Slashes are escaped in HTML.
    let named = page.matches("tokens&#x2f;greedy").count();
    assert!(named >= 11, "eleven cells ran `tokens/greedy`, the report names {named}");
    let left = fs_err::read_dir(folder.path()).expect("the report's folder");
    let mut left: Vec<_> = left.map(|entry| entry.expect("an entry").file_name()).collect();
    left.sort();
    assert_eq!(left, ["index.html", "junit.xml", "run.jsonl"], "no partial file is left");
}
