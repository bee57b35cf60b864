//! Real browsers against a page that speaks the protocol without an engine.
//!
//! Ignored unless asked for: `cargo test -p tierproof-tests --test browsers -- --ignored`.

#![expect(clippy::print_stdout, reason = "what a browser is and says is worth seeing")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use inference_wasm::protocol::{
    Action, BackendName, CacheType, Command, Finished, GenerateRequest, LoadRequest, LogitsWanted,
    PageEventKind, Prompt, Sampling,
};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tierproof::drive::browser::supervise::Supervisor;
use tierproof::drive::browser::{
    Browser, Diagnosis, Launcher, Overrides, TroubleKind, installation,
};
use tierproof::drive::page::{BrowserPage, Page};
use tierproof::drive::server::PageSignal;
use tierproof::drive::server::{PageSetup, ServedModel, Server};
use tierproof::spec::cell::BrowserName;
use tierproof::spec::launch::LaunchProfile;
use tierproof_tests::processes;
use tokio::time::Instant;

fn supervisor() -> Supervisor {
    Supervisor::with_executable(env!("CARGO_BIN_EXE_supervise").into())
}

fn fake_page() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "support", "fake-page"].iter().collect()
}

/// The next event other than a heartbeat, or a panic with the one found instead.
async fn next(page: &mut BrowserPage<'_>) -> PageEventKind {
    let deadline = Instant::now() + Duration::from_secs(30);
    match page.next_signal(deadline).await {
        Some(PageSignal::Event(event)) => event.kind,
        other => panic!("expected an event, found {other:?}; {:?}", page.diagnose().await),
    }
}

async fn converse(server: &Server, browser: &Browser, model: &Arc<ServedModel>) {
    let setup = PageSetup { model: Some(model.clone()), fault: None };
    let handle = server.open(setup).expect("randomness");
    let mut page = BrowserPage::open(browser, handle).await.expect("the page opens");
    let PageEventKind::Ready { cross_origin_isolated, user_agent, .. } = next(&mut page).await
    else {
        panic!("the first event is `Ready`");
    };
    assert!(cross_origin_isolated, "{user_agent}");

    page.submit(&Command { id: 1, action: Action::Probe }).await.expect("it can probe");
    let PageEventKind::Finished { result: Finished::Probe(report) } = next(&mut page).await else {
        panic!("the probe ends with its report");
    };
    println!(
        "{} {}: wasm {}, threads {}, webgl2 {}, webgpu {}",
        browser.session().browser_name(),
        browser.session().browser_version(),
        report.wasm.present,
        report.wasm.threads,
        report.webgl2.present,
        report.webgpu.present,
    );
    assert!(report.wasm.threads);

    let load = LoadRequest {
        backend: BackendName::Wasm,
        model: model.manifest.clone(),
        context_tokens: None,
        cache_type: CacheType::default(),
        threads: None,
        fault: None,
    };
    page.submit(&Command { id: 2, action: Action::Load(load) }).await.expect("it can load");
    for bytes in [400, 800, 1000] {
        let total_bytes = 1000;
        assert_eq!(next(&mut page).await, PageEventKind::LoadProgress { bytes, total_bytes });
    }

    let generate = GenerateRequest {
        prompt: Prompt::Text("a".to_owned()),
        max_tokens: 1,
        sampling: Sampling::Greedy,
        stop: Vec::new(),
        ignore_stop: false,
        logits: LogitsWanted::None,
    };
    let generate = Command { id: 3, action: Action::Generate(generate) };
    page.submit(&generate).await.expect("it can generate");
    assert!(matches!(next(&mut page).await, PageEventKind::Phase { .. }));
    let text = "Grüße".to_owned();
    assert_eq!(next(&mut page).await, PageEventKind::Token { index: 0, id: 284, text });
    assert_eq!(page.take_logits(3), Some(vec![0.5, -1.25, 3.0e38]));
    assert_eq!(page.take_logits(3), None);

    page.cancel().await.expect("it can cancel");
    assert_eq!(next(&mut page).await, PageEventKind::Heartbeat);
    let refused = page.submit(&Command { id: 4, action: Action::Release }).await;
    let refused = refused.expect_err("the fake page can't release").to_string();
    assert_eq!(refused, "phase `submit command`: the script failed: this page can't release");
    assert_eq!(page.diagnose().await, Diagnosis::Alive);
    page.close().await.expect("the page is left");
}

/// Two pages one after the other in one browser, then its end, then nothing of it is left.
async fn browser_converses(name: BrowserName) {
    if let Err(missing) = installation(name, &Overrides::default()) {
        println!("skipped: {missing}");
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("model");
    fs_err::write(&file, vec![7; 1000]).expect("a file");
    let model = Arc::new(ServedModel::read(&file, "fake", 400).expect("it was just written"));
    let server = Server::start(fake_page()).await.expect("a port");
    let launcher = Launcher::new(supervisor(), Overrides::default(), folder.path().join("logs"));
    let browser =
        launcher.launch(LaunchProfile::new(name, false)).await.expect("the browser starts");
    converse(&server, &browser, &model).await;
    converse(&server, &browser, &model).await;
    browser.close().await.expect("the session closes");
    launcher.shutdown().await;
}

/// A page whose process is killed is a crash of the browser, not of the driver; a driver that is
/// killed is reported too, and ends the browser.
async fn browser_dies(name: BrowserName, page_process: &str, driver: &str) {
    if let Err(missing) = installation(name, &Overrides::default()) {
        println!("skipped: {missing}");
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = Server::start(fake_page()).await.expect("a port");
    let launcher = Launcher::new(supervisor(), Overrides::default(), folder.path().join("logs"));
    let profile = LaunchProfile::new(name, false);

    let browser = launcher.launch(profile).await.expect("the browser starts");
    let handle = server.open(PageSetup::default()).expect("randomness");
    let mut page = BrowserPage::open(&browser, handle).await.expect("the page opens");
    next(&mut page).await;
    let root = browser.supervisor_id().expect("it runs");
    assert_ne!(kill_those(root, page_process), 0, "no `{page_process}` to kill");
    let deadline = Instant::now() + Duration::from_secs(30);
    let diagnosis = loop {
        match page.diagnose().await {
            // The death of a process takes a moment to be noticed.
            Diagnosis::Alive if Instant::now() < deadline => {}
            diagnosis => break diagnosis,
        }
    };
    println!("{name}, page killed: {diagnosis:?}");
    assert!(matches!(diagnosis, Diagnosis::Crashed { .. }), "{diagnosis:?}");
    // Whatever the driver makes of it, nothing may be left.
    let _ = browser.close().await;
    assert_eq!(processes::descendants(root).len(), 0);

    let browser = launcher.launch(profile).await.expect("the browser starts again");
    let root = browser.supervisor_id().expect("it runs");
    let family = processes::descendants(root);
    assert_ne!(kill_those(root, driver), 0, "no `{driver}` to kill");
    let trouble = browser.session().goto("about:blank").await.expect_err("the driver is dead");
    println!("{name}, driver killed: {trouble}");
    assert!(matches!(trouble.kind, TroubleKind::DriverExited { .. }), "{trouble}");
    assert!(matches!(browser.diagnose().await, Diagnosis::DriverExited { .. }));
    drop(browser);
    processes::until("the browser is gone", || processes::survivors(&family).is_empty()).await;
    launcher.shutdown().await;
}

/// Kills the descendants whose command line has a text in it, and says how many those were.
fn kill_those(root: u32, text: &str) -> usize {
    let found = processes::descendants(root).into_iter();
    let pids = found.filter(|found| found.command.contains(text)).map(|found| found.pid);
    let killed = pids.map(|pid| kill(Pid::from_raw(pid as i32), Signal::SIGKILL));
    killed.flatten().count()
}

#[tokio::test]
#[ignore = "needs a browser: run with `-- --ignored browser_chrome`"]
async fn browser_chrome_dies() {
    browser_dies(BrowserName::Chrome, "--type=renderer", "chromedriver").await;
}

#[tokio::test]
#[ignore = "needs a browser: run with `-- --ignored browser_firefox`"]
async fn browser_firefox_dies() {
    browser_dies(BrowserName::Firefox, "-contentproc", "geckodriver").await;
}

#[tokio::test]
#[ignore = "needs a browser: run with `-- --ignored browser_webkit`"]
async fn browser_webkit_dies() {
    browser_dies(BrowserName::Webkit, "WebKitWebProcess", "WebKitWebDriver").await;
}

#[tokio::test]
#[ignore = "needs a browser: run with `-- --ignored browser_chrome`"]
async fn browser_chrome_converses() {
    browser_converses(BrowserName::Chrome).await;
}

#[tokio::test]
#[ignore = "needs a browser: run with `-- --ignored browser_firefox`"]
async fn browser_firefox_converses() {
    browser_converses(BrowserName::Firefox).await;
}

#[tokio::test]
#[ignore = "needs a browser: run with `-- --ignored browser_webkit`"]
async fn browser_webkit_converses() {
    browser_converses(BrowserName::Webkit).await;
}
