//! Whole runs against a driver and a page that misbehave: each kind of trouble comes out as what
//! it is. The fake is in `src/bin/fake-driver.rs`.

use inference_wasm::protocol::BackendName;
use tierproof::judge::outcome::{Outcome, Verdict};
use tierproof::judge::proof::Proof;
use tierproof_tests::command::{Ended, tierproof};
use tierproof_tests::fake::Behaviour;
use tierproof_tests::log::RunLog;

const COMMAND: &str = env!("CARGO_BIN_EXE_command");

const MATRIX: &str = r#"browsers = ["chrome"]
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
reason = "wide: a changed token is to be caught, not a rounding"
"#;

/// Runs the one cell on the fake, and gives its attempts, its verdict, and what was printed.
fn run(behaviour: Behaviour, exit: i32) -> (Vec<Outcome>, Verdict, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let (matrix, bundle, out) = (file("matrix.toml"), file("bundle"), file("report"));
    let scenario = if behaviour.is_off() { "backend/disabled" } else { "tokens/greedy" };
    fs_err::write(&matrix, MATRIX.replace("tokens/greedy", scenario)).expect("a file");
    fs_err::create_dir(&bundle).expect("a folder");
    let driver = format!("chrome={}", env!("CARGO_BIN_EXE_fake-driver"));
    let arguments = ["run", &matrix, "--ci", "--out", &out, "--bundle-dir", &bundle];
    let mut command = tierproof(COMMAND, &[&arguments[..], &["--driver", &driver]].concat());
    command.env_remove("CHROMEDRIVER");
    // The fake starts no browser; any program will do for one.
    command.env("CHROME", env!("CARGO_BIN_EXE_supervise"));
    command.env(Behaviour::VARIABLE, format!("{behaviour:?}"));
    command.env(Behaviour::STARTED, file("started"));
    let run = Ended::of(command, "").with(exit);
    let log = RunLog::of(out.as_ref());
    let attempts = log.attempts("").into_iter().map(|(outcome, _)| outcome.clone()).collect();
    let [verdict] = log.verdicts("")[..] else { panic!("one cell: {}", run.stdout) };
    (attempts, verdict.clone(), run.stdout)
}

/// The one outcome of a run that came out red; a failure of the product is not tried again.
#[track_caller]
fn failure(behaviour: Behaviour) -> Outcome {
    let (attempts, verdict, text) = run(behaviour, 1);
    assert_eq!(verdict, Verdict::Unexpected, "{text}");
    let [outcome] = &attempts[..] else { panic!("expected one attempt, found {attempts:#?}") };
    outcome.clone()
}

#[track_caller]
fn page_error(behaviour: Behaviour) -> String {
    match failure(behaviour) {
        Outcome::PageError { message } => message,
        other => panic!("expected a page error, found {other:#?}"),
    }
}

/// Infrastructure trouble is retried once, in a fresh browser, and says nothing about the product.
#[track_caller]
fn troubles(behaviour: Behaviour) -> [(String, String); 2] {
    let (attempts, verdict, text) = run(behaviour, 4);
    assert_eq!(verdict, Verdict::Inconclusive, "{text}");
    let attempts = attempts.into_iter().map(|outcome| match outcome {
        Outcome::Infrastructure { phase, message } => (phase, message),
        other => panic!("expected infrastructure trouble, found {other:#?}"),
    });
    attempts.collect::<Vec<_>>().try_into().expect("two attempts")
}

#[test]
fn an_honest_page_passes_even_if_it_repeats_itself() {
    for behaviour in [Behaviour::Honest, Behaviour::RepeatsEvents] {
        let (attempts, verdict, text) = run(behaviour, 0);
        assert_eq!(verdict, Verdict::Expected, "{text}");
        assert!(matches!(attempts[..], [Outcome::Pass { .. }]), "{attempts:#?}");
    }
}

/// A port that was free may be taken by the time the driver wants it: no reason to lose a cell.
#[test]
fn a_driver_that_starts_at_the_second_try_is_not_trouble() {
    let (attempts, verdict, text) = run(Behaviour::StartsAtSecondTry, 0);
    assert_eq!(verdict, Verdict::Expected, "{text}");
    assert!(matches!(attempts[..], [Outcome::Pass { .. }]), "{attempts:#?}");
}

#[test]
fn a_page_that_breaks_the_protocol_is_a_page_error() {
    for (behaviour, part) in [
        (Behaviour::LosesEvents, "events are lost: expected number "),
        (Behaviour::SpeaksGarbage, "a batch of events can't be read"),
        (Behaviour::LoadsTwice, "the page was loaded a second time"),
        (Behaviour::OtherProtocol, "the page speaks protocol 4, expected 3"),
    ] {
        let message = page_error(behaviour);
        assert!(message.contains(part), "{behaviour:?}: {message}");
        let has_begun = behaviour != Behaviour::OtherProtocol;
        assert_eq!(message.ends_with("in step `2 generate`"), has_begun, "{message}");
    }
}

#[test]
fn a_page_that_stops_is_hung_whether_its_main_thread_lives_or_not() {
    for behaviour in [Behaviour::Hangs, Behaviour::FallsSilent] {
        let outcome = failure(behaviour);
        let Outcome::Hung { phase, silent_for } = &outcome else { panic!("{outcome:#?}") };
        assert_eq!(phase, "decode, in step 2 generate", "{behaviour:?}");
        assert!(silent_for.as_secs() >= 3, "{behaviour:?}: {silent_for:?}");
    }
}

#[test]
fn an_answer_from_another_backend_has_no_proof_even_if_it_is_right() {
    let outcome = failure(Behaviour::FallsBack);
    let Outcome::BackendMismatch(missing) = &outcome else { panic!("{outcome:#?}") };
    let reasons = missing.reasons.join("; ");
    assert!(reasons.contains("backend `wasm` expected, `cpu` ran"), "{reasons}");
}

/// The one kind of pass without an answer: it has its own kind of proof, and the log contains it.
#[test]
fn a_backend_that_is_off_and_reports_it_passes_by_its_absence() {
    let (attempts, verdict, text) = run(Behaviour::SwitchedOff, 0);
    assert_eq!(verdict, Verdict::Expected, "{text}");
    let [Outcome::Pass { proof }] = &attempts[..] else { panic!("{attempts:#?}") };
    let Proof::Absence(proof) = &**proof else { panic!("{proof:#?}") };
    assert_eq!((proof.backend(), proof.launch()), (BackendName::Wasm, "without-wasm"));
    assert_eq!(proof.probe(), "no WebAssembly");
    let asked: Vec<_> = proof.refusals().iter().map(|refusal| refusal.asked.as_str()).collect();
    assert_eq!(asked, ["1 load", "2 load", "compute all the same"]);
}

/// The switch is ours: if it does nothing, nothing is known of the engine.
#[test]
fn a_switch_without_effect_is_infrastructure_trouble() {
    for (phase, message) in troubles(Behaviour::SwitchedOffInVain) {
        assert_eq!(phase, "switch backend off");
        assert_eq!(
            message,
            "`wasm` was to be off under profile `without-wasm`, but the page's probe found WebAssembly"
        );
    }
}

#[test]
fn whatever_answers_for_a_backend_that_is_off_is_caught() {
    let outcome = failure(Behaviour::LoadsElsewhere);
    let Outcome::Mismatch(mismatch) = &outcome else { panic!("{outcome:#?}") };
    let message = mismatch.to_string();
    assert!(message.contains("measured `no error`, allowed `backend-unavailable`"), "{message}");
    let outcome = failure(Behaviour::AnswersElsewhere);
    let Outcome::BackendMismatch(missing) = &outcome else { panic!("{outcome:#?}") };
    let reasons = missing.reasons.join("; ");
    assert_eq!(reasons, "`wasm` is off, and yet there was an answer, from `wasm`");
}

#[test]
fn a_stream_that_differs_from_its_result_is_a_mismatch() {
    let outcome = failure(Behaviour::ChangesTokens);
    let Outcome::Mismatch(mismatch) = &outcome else { panic!("{outcome:#?}") };
    let message = mismatch.to_string();
    assert!(message.contains("tokens that were streamed"), "{message}");
}

#[test]
fn a_tab_that_crashes_is_a_failure_of_the_product() {
    let outcome = failure(Behaviour::TabCrashes);
    let Outcome::BrowserCrashed { message } = &outcome else { panic!("{outcome:#?}") };
    assert!(message.contains("tab crashed"), "{message}");
}

#[test]
fn a_driver_that_fails_is_infrastructure_trouble_and_retried() {
    for (phase, message) in troubles(Behaviour::DriverExits) {
        assert_eq!(phase, "submit command");
        assert!(message.contains("signal: 6 (SIGABRT)"), "{message}");
    }
    for (phase, message) in troubles(Behaviour::NeverStarts) {
        assert_eq!(phase, "start driver");
        assert!(message.contains("exit status: 1; its last words: IPv6 port not"), "{message}");
    }
    for (phase, message) in troubles(Behaviour::RefusesSession) {
        assert_eq!(phase, "new session");
        assert!(message.contains("session not created"), "{message}");
    }
}
