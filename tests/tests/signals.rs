//! However a run is ended, nothing of it is left running, and what it has seen is in its reports.

#![expect(clippy::print_stdout, reason = "a browser that is not there is worth seeing")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use tierproof::drive::browser::{Overrides, installation};
use tierproof::judge::outcome::{Outcome, Verdict};
use tierproof::spec::cell::BrowserName;
use tierproof_tests::command::tierproof;
use tierproof_tests::log::{End, RunLog};
use tierproof_tests::processes::{Found, descendants, survivors, until};

const COMMAND: &str = env!("CARGO_BIN_EXE_command");

const INTERRUPTED: Option<End> = Some(End { interrupted: true, exit_code: 130 });

/// A run that is under way.
struct Running {
    child: Child,
    out: TempDir,
}

impl Running {
    /// Starts a run and waits until the log has an attempt that is decoding, with others before
    /// and after it.
    async fn start(arguments: &[&str]) -> Self {
        let out = tempfile::tempdir().expect("a temporary folder");
        let path = out.path().to_str().expect("UTF-8").to_owned();
        let mut command = tierproof(COMMAND, &[arguments, &["--ci", "--out", &path]].concat());
        // Reports of a test's own would only mix.
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        let mut running = Self { child, out };
        let log = running.out.path().join("run.jsonl");
        let limit = tokio::time::Instant::now() + Duration::from_mins(10);
        loop {
            let text = fs_err::read_to_string(&log).unwrap_or_default();
            let under_way = text.rsplit_once("attempt-started").is_some_and(|(before, rest)| {
                before.contains("attempt-finished") && rest.contains("\"decode\"")
            });
            if under_way {
                return running;
            }
            let ended = running.child.try_wait().expect("it can be asked");
            assert!(ended.is_none(), "the run ended before anything could be seen: {text}");
            assert!(tokio::time::Instant::now() < limit, "timed out: {text}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).expect("the command runs");
    }

    fn family(&self) -> Vec<Found> {
        descendants(self.child.id())
    }

    /// The exit code; `None` after a signal that can't be handled.
    fn end(&mut self) -> Option<i32> {
        self.child.wait().expect("it can be waited for").code()
    }

    fn log(&self) -> RunLog {
        RunLog::of(self.out.path())
    }

    /// Checks that the log has an end and that both reports contain it.
    fn assert_reported(&self) {
        let log = self.log();
        assert_eq!(log.end(), INTERRUPTED);
        let not_run =
            log.verdicts("").into_iter().filter(|v| matches!(v, Verdict::NotRun { .. })).count();
        assert!(not_run > 0, "it was stopped in the middle");
        let read = |name: &str| fs_err::read_to_string(self.out.path().join(name));
        assert!(read("index.html").expect("an HTML report").contains("Interrupted"));
        assert!(read("junit.xml").expect("a JUnit report").contains("130"));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A failing test leaves no process either.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const NATIVE: &[&str] = &["run", "matrices/native.toml", "--filter", "backend=reference"];

#[tokio::test]
async fn a_native_run_ends_in_order_on_a_signal() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let mut run = Running::start(NATIVE).await;
        run.signal(signal);
        assert_eq!(run.end(), Some(130), "{signal}");
        run.assert_reported();
    }
}

#[tokio::test]
async fn a_log_of_a_run_that_was_killed_can_be_read() {
    let mut run = Running::start(NATIVE).await;
    run.signal(Signal::SIGKILL);
    assert_eq!(run.end(), None);
    let log = tierproof::report::replay::read(&run.out.path().join("run.jsonl"));
    let log = log.expect("each line was whole when it was killed");
    assert!(!log.is_finished() && log.events.len() > 5, "{log:?}");
}

/// A generation with enough prompts to last, stopped after its first answer.
fn generation_ends(browser: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let prompts = folder.path().join("prompts.jsonl");
    let line = "{\"prompt\":\"Continue: The old library in the town\"}\n";
    fs_err::write(&prompts, line.repeat(50_000)).expect("a file");
    let prompts = prompts.to_str().expect("UTF-8");
    let arguments = ["generate", "--browser", browser, "--model", "scribe-low-Q8_0", "--json"];
    let mut command = tierproof(COMMAND, &[&arguments[..], &["--prompts", prompts]].concat());
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let child = command.spawn().expect("it starts");
    let mut run = Running { child, out: folder };
    let mut answers = BufReader::new(run.child.stdout.take().expect("a pipe")).lines();
    assert!(answers.next().is_some_and(|line| line.is_ok()), "it answers");
    let family = run.family();
    run.signal(Signal::SIGINT);
    // It must not wait for us to read on.
    let rest = answers.map_while(Result::ok).count();
    assert_eq!(run.end(), Some(130));
    assert!(rest < 49_999, "it was not stopped in the middle");
    assert_eq!(survivors(&family), []);
}

#[test]
fn a_native_generation_ends_on_a_signal() {
    generation_ends("native");
}

#[test]
#[ignore = "needs a browser: run with `-- --ignored browser_chrome`"]
fn browser_chrome_generation_leaves_nothing_behind() {
    if browser_run(BrowserName::Chrome).is_some() {
        generation_ends("chrome");
    }
}

/// The arguments of a run in one browser; `None`, said so, if it is not installed.
fn browser_run(browser: BrowserName) -> Option<Vec<String>> {
    if let Err(missing) = installation(browser, &Overrides::default()) {
        println!("skipped: {missing}");
        return None;
    }
    let filter = format!("browser={browser} backend=wasm model=scribe-low-Q4_0");
    Some(["run", "--filter", &filter].map(str::to_owned).to_vec())
}

async fn started(browser: BrowserName) -> Option<Running> {
    let arguments = browser_run(browser)?;
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    Some(Running::start(&arguments).await)
}

/// A supervisor, the driver and the browser at least.
fn assert_whole(family: &[Found]) {
    assert!(family.len() >= 3, "expected a supervisor, a driver and a browser, found {family:#?}");
}

async fn assert_gone(family: &[Found]) {
    until("nothing is left", || survivors(family).is_empty()).await;
}

/// Sends a signal to the one process of the driver.
fn to_driver(family: &[Found], driver: &str, signal: Signal) {
    let is_driver = |found: &&Found| {
        found.command.split(' ').next().is_some_and(|program| program.ends_with(driver))
    };
    let found: Vec<_> = family.iter().filter(is_driver).collect();
    assert_eq!(found.len(), 1, "one `{driver}` in {family:#?}");
    kill(Pid::from_raw(found[0].pid as i32), signal).expect("it runs");
}

async fn browser_leaves_nothing(browser: BrowserName) {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let Some(mut run) = started(browser).await else { return };
        let family = run.family();
        assert_whole(&family);
        run.signal(signal);
        assert_eq!(run.end(), Some(130), "{signal}");
        // In order means that it has waited for them.
        assert_eq!(survivors(&family), [], "{signal}");
        run.assert_reported();
    }

    let mut run = started(browser).await.expect("it was there a moment ago");
    let family = run.family();
    assert_whole(&family);
    run.signal(Signal::SIGKILL);
    assert_eq!(run.end(), None);
    assert_gone(&family).await;
}

/// The driver dies in the middle of a cell: our trouble, not the product's. The cell is tried
/// again in a fresh browser, once, and the run is green.
async fn browser_survives_its_driver(browser: BrowserName, driver: &str) {
    let Some(mut run) = started(browser).await else { return };
    let family = run.family();
    to_driver(&family, driver, Signal::SIGKILL);
    assert_eq!(run.end(), Some(0));
    assert_eq!(survivors(&family), []);
    let log = run.log();
    assert_eq!(log.end(), Some(End { interrupted: false, exit_code: 0 }));
    let troubled: Vec<_> = log
        .events
        .iter()
        .filter_map(|event| match &event.kind {
            tierproof::run::event::RunEventKind::AttemptFinished {
                cell,
                attempt,
                outcome: Outcome::Infrastructure { message, .. },
                ..
            } => Some((cell.to_string(), *attempt, message.clone())),
            _ => None,
        })
        .collect();
    let [(cell, 1, message)] = &troubled[..] else { panic!("one attempt: {troubled:#?}") };
    assert!(message.contains("signal: 9 (SIGKILL)"), "{message}");
    let attempts = log.attempts(cell);
    assert_eq!(attempts.len(), 2, "{attempts:#?}");
    assert!(matches!(attempts[1].0, Outcome::Pass { .. }), "{attempts:#?}");
    assert_eq!(log.verdicts(cell), [&Verdict::Expected]);
}

#[tokio::test]
#[ignore = "needs a browser: run with `-- --ignored browser_chrome`"]
async fn browser_chrome_leaves_nothing_behind() {
    browser_leaves_nothing(BrowserName::Chrome).await;
}

#[tokio::test]
#[ignore = "needs a browser: run with `-- --ignored browser_firefox`"]
async fn browser_firefox_leaves_nothing_behind() {
    browser_leaves_nothing(BrowserName::Firefox).await;
}

#[tokio::test]
#[ignore = "needs a browser: run with `-- --ignored browser_webkit`"]
async fn browser_webkit_leaves_nothing_behind() {
    browser_leaves_nothing(BrowserName::Webkit).await;
}

/// The driver does not answer, so an end in order takes its time; a second signal takes none.
#[tokio::test]
#[ignore = "needs a browser: run with `-- --ignored browser_chrome`"]
async fn browser_chrome_a_second_signal_waits_for_nothing() {
    let Some(mut run) = started(BrowserName::Chrome).await else { return };
    let family = run.family();
    assert_whole(&family);
    to_driver(&family, "chromedriver", Signal::SIGSTOP);
    run.signal(Signal::SIGINT);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let ended = run.child.try_wait().expect("it can be asked");
    assert_eq!(ended, None, "it waits for the driver to close the session");
    run.signal(Signal::SIGINT);
    assert_eq!(run.end(), Some(130));
    assert_eq!(run.log().end(), None, "it did not end in order");
    // The supervisors end without us, and a process that is stopped as well.
    assert_gone(&family).await;
}

#[tokio::test]
#[ignore = "needs a browser: run with `-- --ignored browser_chrome`"]
async fn browser_chrome_survives_its_driver() {
    browser_survives_its_driver(BrowserName::Chrome, "chromedriver").await;
}

#[tokio::test]
#[ignore = "needs a browser: run with `-- --ignored browser_firefox`"]
async fn browser_firefox_survives_its_driver() {
    browser_survives_its_driver(BrowserName::Firefox, "geckodriver").await;
}

#[tokio::test]
#[ignore = "needs a browser: run with `-- --ignored browser_webkit`"]
async fn browser_webkit_survives_its_driver() {
    browser_survives_its_driver(BrowserName::Webkit, "WebKitWebDriver").await;
}
