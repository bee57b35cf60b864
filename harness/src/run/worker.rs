//! Works through the cells of one launch: launches, probes, attempts, retries, closes.
//!
//! What an attempt does in its page is the executor's; which cells belong together was decided by
//! the schedule. Everything that happens is told to the dispatcher, in messages.

use std::path::Path;
use std::time::Instant;

use axum::Router;
use inference_wasm::protocol::{Action, CapabilityReport, Finished};
use tokio::sync::{mpsc, watch};

use super::client::{self, ClientStage};
use super::conversation::{Conversation, End, Watch, outcome_of};
use super::dispatcher::WorkerMessage;
use super::event::{Evidence, RunEventKind};
use super::executor::{Attempt, execute};
use super::prepare::Inputs;
use super::schedule::Group;
use super::seeded::Seeded;
use crate::drive::browser::{Browser, Launcher, Trouble};
use crate::drive::page::{BrowserPage, NativePage, Page};
use crate::drive::server::EngineThread;
use crate::drive::server::{ModelShelf, PageSetup, Server};
use crate::judge::golden::Traces;
use crate::judge::outcome::{Disposition, Outcome};
use crate::plan::expectation::{Facts, disposition};
use crate::spec::cell::{BrowserName, CellId};
use crate::spec::scenario::ClientScenario;

/// Lines of a driver's log that go into the evidence of a failure.
const LOG_TAIL_LINES: usize = 30;

/// Launches in a row that may fail before a worker stops trying for its remaining cells.
const MAX_FAILED_LAUNCHES: u32 = 3;

/// What workers share.
pub(crate) struct Shop<'a> {
    pub(crate) inputs: &'a Inputs<'a>,
    pub(crate) facts: &'a Facts,
    pub(crate) server: &'a Server,
    pub(crate) launcher: &'a Launcher,
    pub(crate) shelf: &'a ModelShelf,
    pub(crate) fault: Option<Seeded>,
    /// The server tier that the hybrid client falls back to.
    pub(crate) tier: Option<&'a Router>,
    /// What the hybrid client's traces are held against.
    pub(crate) traces: &'a Traces,
    pub(crate) messages: mpsc::UnboundedSender<WorkerMessage>,
    /// Becomes true when the user stops the run.
    pub(crate) stop: watch::Receiver<bool>,
}

/// Works through one group. Returns early, with its browser closed, when the run is stopped.
pub(crate) async fn work(shop: &Shop<'_>, group: Group) {
    let mut worker = Worker {
        shop,
        profile: group.profile.name(),
        group: &group,
        browser: None,
        is_used: false,
        is_probed: false,
        probed: None,
        failed: 0,
    };
    let mut stop = shop.stop.clone();
    tokio::select! {
        () = worker.cells() => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
    worker.close().await;
}

struct Worker<'w> {
    shop: &'w Shop<'w>,
    group: &'w Group,
    /// The name of what is launched.
    profile: String,
    browser: Option<Browser>,
    /// A cell has had it.
    is_used: bool,
    is_probed: bool,
    /// What the browser can do, once it was probed.
    probed: Option<CapabilityReport>,
    /// Launches that failed in a row.
    failed: u32,
}

impl Worker<'_> {
    async fn cells(&mut self) {
        let mut pending = self.group.cells.clone();
        pending.reverse();
        while let Some(cell) = pending.pop() {
            if self.rule_out(&mut pending, &cell).await {
                continue;
            }
            self.cell(&cell).await;
            self.tell(WorkerMessage::Settled(cell));
        }
    }

    /// Attempts a cell, again after infrastructure trouble, in a fresh browser.
    async fn cell(&mut self, cell: &CellId) {
        for attempt in 1..=self.shop.inputs.matrix().retries + 1 {
            self.event(RunEventKind::AttemptStarted { cell: cell.clone(), attempt });
            let began = Instant::now();
            let (outcome, mut evidence) = self.attempt(cell).await;
            if let Some(browser) = &self.browser {
                evidence.browser_version = Some(browser.session().browser_version().to_owned());
                evidence.driver_log = Some(browser.log().display().to_string());
                if !matches!(outcome, Outcome::Pass { .. }) {
                    evidence.driver_log_tail = log_tail(browser.log());
                }
            }
            if !leaves_browser_healthy(&outcome) || self.spoils_browser(cell) {
                self.close().await;
            }
            let is_trouble = outcome.is_infrastructure();
            let (cell, evidence) = (cell.clone(), Box::new(evidence));
            let duration = began.elapsed();
            self.tell(WorkerMessage::Attempt { cell, attempt, outcome, evidence, duration });
            if !is_trouble {
                return;
            }
        }
    }

    async fn attempt(&mut self, cell: &CellId) -> (Outcome, Evidence) {
        let Some(inputs) = self.shop.inputs.of(cell) else {
            let message = "its scenario, model or tolerance class is not there".to_owned();
            return (
                Outcome::Infrastructure { phase: "prepare cell".to_owned(), message },
                Evidence::default(),
            );
        };
        let (probed, profile) = (self.probed.clone(), self.profile.clone());
        let attempt = Attempt {
            cell,
            scenario: inputs.scenario,
            model: &inputs.model.path,
            shelf: self.shop.shelf,
            golden: inputs.golden.map(|loaded| &loaded.golden),
            logits: inputs.golden.and_then(|loaded| loaded.logits.as_ref()),
            class: inputs.class,
            matrix: self.shop.inputs.matrix(),
            fault: self.shop.fault,
            launch: &profile,
            probed: probed.as_ref(),
        };
        if cell.browser == BrowserName::Native {
            return match NativePage::open(PageSetup::default()) {
                Ok(page) => self.execute(attempt, page).await,
                Err(trouble) => (*outcome_of(&trouble), Evidence::default()),
            };
        }
        if self.spoils_browser(cell) && self.is_used {
            self.close().await;
        }
        if let Err(trouble) = self.launched().await {
            return (*outcome_of(&trouble), Evidence::default());
        }
        self.is_used = true;
        if attempt.scenario.client.is_some() {
            return self.execute_client(attempt).await;
        }
        let thread = EngineThread::of(cell.backend, self.probed.as_ref());
        match self.page(thread).await {
            Ok(page) => self.execute(attempt, page).await,
            Err(trouble) => (*outcome_of(&trouble), Evidence::default()),
        }
    }

    async fn execute_client(&self, attempt: Attempt<'_>) -> (Outcome, Evidence) {
        let Some(browser) = &self.browser else {
            return (*outcome_of(&Trouble::not_launched()), Evidence::default());
        };
        let Shop { server, tier, traces, .. } = *self.shop;
        let stage = ClientStage { browser, server, tier, traces };
        let mut progress = |phase: String| {
            self.event(RunEventKind::Progress { cell: attempt.cell.clone(), phase });
        };
        client::execute(attempt, stage, &mut progress).await
    }

    /// A cell's faults harm its browser: it gets a fresh one, and nobody else gets it afterwards.
    fn spoils_browser(&self, cell: &CellId) -> bool {
        let client = self.shop.inputs.matrix().client(cell);
        client.is_some_and(ClientScenario::spoils_browser)
    }

    async fn execute(&self, attempt: Attempt<'_>, mut page: impl Page) -> (Outcome, Evidence) {
        let mut progress = |phase: String| {
            self.event(RunEventKind::Progress { cell: attempt.cell.clone(), phase });
        };
        let (outcome, evidence) = execute(attempt, &mut page, &mut progress).await;
        if leaves_browser_healthy(&outcome)
            && let Err(trouble) = page.close().await
        {
            tracing::info!("a page could not be closed: {trouble}");
        }
        (outcome, evidence)
    }

    async fn page(&self, thread: EngineThread) -> Result<BrowserPage<'_>, Trouble> {
        let browser = self.browser.as_ref().ok_or_else(Trouble::not_launched)?;
        let handle =
            self.shop.server.open(PageSetup::default()).map_err(|error| Trouble::server(&error))?;
        let handle = handle.choosing(self.shop.inputs.matrix().bundle, thread);
        BrowserPage::open(browser, handle).await
    }

    async fn launched(&mut self) -> Result<(), Trouble> {
        if self.browser.is_some() {
            return Ok(());
        }
        if self.failed >= MAX_FAILED_LAUNCHES {
            return Err(Trouble::gave_up(self.group.profile, self.failed));
        }
        match self.shop.launcher.launch(self.group.profile).await {
            Ok(browser) => {
                self.failed = 0;
                self.is_used = false;
                self.browser = Some(browser);
                Ok(())
            }
            Err(trouble) => {
                self.failed += 1;
                Err(trouble)
            }
        }
    }

    /// Probes the browser at its first launch and settles the cells that the probe rules out,
    /// `current` with them. Says whether `current` is ruled out.
    async fn rule_out(&mut self, pending: &mut Vec<CellId>, current: &CellId) -> bool {
        if self.is_probed || self.group.profile.browser == BrowserName::Native {
            return false;
        }
        // Trouble with a launch belongs to the attempt that meets it again, and is told there.
        if self.launched().await.is_err() {
            return false;
        }
        self.is_probed = true;
        let browser = self.group.profile.browser;
        let report = match self.probe().await {
            Ok(report) => report,
            Err(outcome) => {
                let message = format!("{browser} could not be probed: {}", outcome.message());
                self.event(RunEventKind::Note { message });
                self.close().await;
                return false;
            }
        };
        let version = self.browser.as_ref().map(|browser| browser.session().browser_version());
        self.event(RunEventKind::Probed {
            browser,
            profile: self.profile.clone(),
            version: version.unwrap_or_default().to_owned(),
            report: Box::new(report.clone()),
        });
        let mut facts = self.shop.facts.clone();
        facts.reports.insert(browser, report.clone());
        self.probed = Some(report);
        let rule = |cell: &CellId| {
            let disposition = disposition(cell, self.shop.inputs.matrix(), &facts);
            let is_out = match disposition {
                Disposition::Run | Disposition::KnownFailure { .. } => false,
                Disposition::Unsupported { .. } | Disposition::Unavailable { .. } => true,
            };
            if is_out {
                self.tell(WorkerMessage::Reconsidered { cell: cell.clone(), disposition });
                self.tell(WorkerMessage::Settled(cell.clone()));
            }
            is_out
        };
        let is_current_out = rule(current);
        pending.retain(|cell| !rule(cell));
        is_current_out
    }

    async fn probe(&self) -> Result<CapabilityReport, Box<Outcome>> {
        let mut page =
            self.page(EngineThread::Worker).await.map_err(|trouble| outcome_of(&trouble))?;
        let report = probe(&mut page, self.shop.inputs.matrix().timeouts).await?;
        page.close().await.map_err(|trouble| outcome_of(&trouble))?;
        Ok(report)
    }

    async fn close(&mut self) {
        if let Some(browser) = self.browser.take()
            && let Err(trouble) = browser.close().await
        {
            tracing::info!("a browser was not closed in order: {trouble}");
        }
    }

    fn event(&self, kind: RunEventKind) {
        self.tell(WorkerMessage::Event(Box::new(kind)));
    }

    fn tell(&self, message: WorkerMessage) {
        // The dispatcher outlives its workers; if it does not, the run is being torn down.
        let _ = self.shop.messages.send(message);
    }
}

/// Asks a fresh page what its browser can do.
pub(crate) async fn probe(
    page: &mut impl Page,
    timeouts: crate::spec::matrix::Timeouts,
) -> Result<CapabilityReport, Box<Outcome>> {
    let mut conversation = Conversation::open(page, timeouts).await?;
    let watch = Watch { progress: &mut |_| {}, on_token: &mut |_| {}, cancel_after: None };
    match conversation.command(Action::Probe, watch).await?.1 {
        End::Finished(Finished::Probe(report)) => Ok(*report),
        End::Finished(_) => Err(Box::new(Outcome::PageError {
            message: "a probe was answered with another result".to_owned(),
        })),
        End::Failed(error) => Err(Box::new(super::conversation::unexpected_error(error))),
    }
}

/// Whether the browser can be trusted with another page after this.
fn leaves_browser_healthy(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Pass { .. }
        | Outcome::Mismatch(_)
        | Outcome::BackendMismatch(_)
        | Outcome::EngineError { .. } => true,
        Outcome::PageError { .. }
        | Outcome::Panicked { .. }
        | Outcome::DeviceLost { .. }
        | Outcome::OutOfMemory { .. }
        | Outcome::Hung { .. }
        | Outcome::TimedOut { .. }
        | Outcome::BrowserCrashed { .. }
        | Outcome::Infrastructure { .. } => false,
    }
}

fn log_tail(path: &Path) -> Vec<String> {
    let text = fs_err::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().collect();
    let start = lines.len().saturating_sub(LOG_TAIL_LINES);
    lines.iter().skip(start).map(|line| (*line).to_owned()).collect()
}
