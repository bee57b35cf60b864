//! Seeded faults: a bundle with a known defect turns a run red, with a message that names the
//! step. A matrix that no defect turns red proves nothing.

use std::path::Path;

use tierproof::judge::compare::{Comparison, Mismatch};
use tierproof::judge::outcome::{Outcome, Verdict};
use tierproof_tests::command::{Ended, tierproof};
use tierproof_tests::log::{End, RunLog};

const COMMAND: &str = env!("CARGO_BIN_EXE_command");

const TOKENS: &str = "tokens/greedy";
const LOGITS: &str = "logits/teacher-forced";

/// What the default matrix says of a fault, on the cells of Chromium that show it best.
struct Seeded {
    log: RunLog,
    text: String,
}

impl Seeded {
    /// Runs the default matrix, or a file, which must come out red.
    fn run(fault: &str, matrix: Option<&Path>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let text = |path: &Path| path.to_str().expect("UTF-8").to_owned();
        let matrix = matrix.map_or_else(|| "matrices/default.toml".to_owned(), text);
        let out = text(folder.path());
        let filter =
            format!("browser=chrome backend=wasm model=scribe-low-Q4_0 scenario={TOKENS},{LOGITS}");
        let arguments = ["run", &matrix, "--ci", "--filter", &filter, "--out", &out];
        let command = tierproof(COMMAND, &[&arguments[..], &["--seeded-fault", fault]].concat());
        let run = Ended::of(command, "").with(1);
        let log = RunLog::of(folder.path());
        assert_eq!(log.end(), Some(End { interrupted: false, exit_code: 1 }));
        assert_eq!(log.attempts("").len(), log.verdicts("").len(), "no failure is tried again");
        let junit = fs_err::read_to_string(folder.path().join("junit.xml")).expect("a report");
        assert!(junit.contains("step 2 ") || junit.contains("step `2 "), "no step in {junit}");
        Self { log, text: run.stdout }
    }

    /// The outcome of the one cell with this scenario, which must be unexpected.
    #[track_caller]
    fn failure(&self, scenario: &str) -> &Outcome {
        assert_eq!(self.log.verdicts(scenario), [&Verdict::Unexpected], "{}", self.text);
        self.log.outcome(scenario)
    }

    #[track_caller]
    fn mismatch(&self, scenario: &str) -> &Mismatch {
        match self.failure(scenario) {
            Outcome::Mismatch(mismatch) => mismatch,
            other => panic!("expected a mismatch, found {other:#?}"),
        }
    }

    #[track_caller]
    fn says(&self, part: &str) {
        assert!(self.text.contains(part), "`{part}` is not in:\n{}", self.text);
    }
}

#[test]
#[ignore = "needs a browser: run with `-- --ignored browser_chrome`"]
fn browser_chrome_a_wrong_nibble_order_is_caught() {
    let run = Seeded::run("wrong-nibble-order", None);
    // Every weight of the large matrices is another one: nothing is right any more.
    let tokens = run.mismatch(TOKENS);
    assert!(matches!(tokens.comparison, Comparison::Tokens(_)), "{tokens:#?}");
    run.says("step 2 generate, case `fix-065`: token at step 0: measured ");
    run.says("reference chose ");
    run.mismatch(LOGITS);
    run.says("step 2 score, case `fix-001`: top-1 at row 0: measured ");
}

#[test]
#[ignore = "needs a browser: run with `-- --ignored browser_chrome`"]
fn browser_chrome_a_zeroed_layer_is_caught() {
    let run = Seeded::run("zeroed-layer", None);
    // The smaller part of a layer: most texts stay right, which is why logits are compared.
    let logits = run.mismatch(LOGITS);
    let Comparison::Logits(compared) = &logits.comparison else { panic!("{logits:#?}") };
    assert!(compared.rows > 1, "{compared:#?}");
    run.says("step 2 score, case `fix-001`: ");
    run.says(" by class `q16-activations`");
    run.says("at row ");
}

#[test]
#[ignore = "needs a browser: run with `-- --ignored browser_chrome`"]
fn browser_chrome_right_text_from_wrong_logits_is_caught() {
    let run = Seeded::run("right-text-wrong-logits", None);
    assert_eq!(run.log.verdicts(TOKENS), [&Verdict::Expected], "its text is right");
    assert!(matches!(run.log.outcome(TOKENS), Outcome::Pass { .. }));
    let logits = run.mismatch(LOGITS);
    assert!(matches!(logits.comparison, Comparison::Logits(_)), "{logits:#?}");
    run.says("step 2 score, case `fix-001`: mean KLD: measured ");
    run.says("at row ");
    run.says("top-1 8/8");
}

#[test]
#[ignore = "needs a browser: run with `-- --ignored browser_chrome`"]
fn browser_chrome_an_answer_from_another_backend_is_caught() {
    let run = Seeded::run("lying-backend", None);
    for (scenario, step) in [(TOKENS, "2 generate"), (LOGITS, "2 score")] {
        let outcome = run.failure(scenario);
        let Outcome::BackendMismatch(missing) = outcome else { panic!("{outcome:#?}") };
        let reasons = missing.reasons.join("; ");
        assert!(reasons.contains("no kernel call was counted"), "{reasons}");
        assert!(reasons.contains("the canary of `wasm` is "), "{reasons}");
        run.says(&format!("in step `{step}`"));
    }
    run.says("no tier proof: ");
}

#[test]
#[ignore = "needs a browser: run with `-- --ignored browser_chrome`"]
fn browser_chrome_a_panic_is_reported_with_its_place() {
    let run = Seeded::run("panic-in-decode", None);
    let outcome = run.failure(TOKENS);
    let Outcome::Panicked { message } = outcome else { panic!("{outcome:#?}") };
    assert!(message.starts_with("seeded fault `panic-in-decode`"), "{message}");
    assert!(message.contains("inference-wasm/src/engine/mutant.rs:"), "{message}");
    assert!(message.ends_with("in step `2 generate`"), "{message}");
    run.says("the engine panicked: seeded fault `panic-in-decode`");
    // Nothing is decoded there, and the panic has affected no other page.
    assert_eq!(run.log.verdicts(LOGITS), [&Verdict::Expected]);
}

#[test]
#[ignore = "needs a browser: run with `-- --ignored browser_chrome`"]
fn browser_chrome_a_hang_is_reported_with_its_phase() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let matrix = folder.path().join("hang.toml");
    let text = r#"browsers = ["chrome"]
backends = ["wasm"]
models = ["scribe-low-Q4_0"]
scenarios = ["tokens/greedy"]

[timeouts]
silence = "3s"

[[tolerance]]
name = "any"
mean_kld = 1e-3
max_kld = 1e-2
max_abs = 0.2
flip_margin = 0.28
reason = "nothing is compared, since nothing is answered"
"#;
    fs_err::write(&matrix, text).expect("a file");
    let run = Seeded::run("hang-in-decode", Some(&matrix));
    let outcome = run.failure(TOKENS);
    let Outcome::Hung { phase, silent_for } = outcome else { panic!("{outcome:#?}") };
    assert_eq!(phase, "decode, in step 2 generate");
    assert!(silent_for.as_secs() >= 3, "{silent_for:?}");
    run.says("hung in phase `decode, in step 2 generate`: silent for ");
}
