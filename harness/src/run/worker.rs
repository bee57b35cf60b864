//! Works through the cells of one launch: launches, probes, attempts, retries, closes.
//!
//! What an attempt does in its page is up to [`super::engine`] and [`super::client`]; which cells
//! belong together was decided by the schedule. Everything that happens is reported to the
//! dispatcher, in messages.

use std::path::Path;
use std::time::Instant;

use inference_wasm::protocol::CapabilityReport;

use super::attempt::Attempt;
use super::client::{self, ClientStage};
use super::context::RunContext;
use super::dispatcher::WorkerMessage;
use super::engine;
use super::event::{Evidence, RunEventKind};
use super::probe::probe;
use super::schedule::Group;
use crate::drive::browser::{Browser, Trouble};
use crate::drive::page::{BrowserPage, Page};
use crate::drive::server::EngineThread;
use crate::drive::server::{PageHandle, PageSetup};
use crate::engines::EnginePage;
use crate::judge::outcome::{Disposition, Failed, Outcome};
use crate::plan::ResolvedCell;
use crate::spec::bundle::BundleChoice;
use crate::spec::cell::BrowserName;
use crate::spec::scenario::ClientScenario;

/// Lines of a driver's log that go into the evidence of a failure.
const LOG_TAIL_LINES: usize = 30;

/// Launches in a row that may fail before a worker stops trying for its remaining cells.
const MAX_FAILED_LAUNCHES: u32 = 3;

/// Works through one group. Returns early, with its browser closed, when the run is stopped.
pub(crate) async fn work(context: &RunContext<'_>, group: Group<'_>) {
    let mut worker = Worker {
        context,
        profile: group.profile.name(),
        group: &group,
        browser: None,
        is_used: false,
        is_probed: false,
        probed: None,
        failed_launches: 0,
    };
    let mut stop = context.stop.clone();
    tokio::select! {
        () = worker.cells() => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
    worker.close().await;
}

struct Worker<'w> {
    context: &'w RunContext<'w>,
    group: &'w Group<'w>,
    /// The name of the launch profile.
    profile: String,
    browser: Option<Browser>,
    /// A cell has used the browser.
    is_used: bool,
    is_probed: bool,
    /// What the browser can do, once it was probed.
    probed: Option<CapabilityReport>,
    /// Launches that failed in a row.
    failed_launches: u32,
}

impl Worker<'_> {
    async fn cells(&mut self) {
        let mut pending = self.group.cells.clone();
        pending.reverse();
        while let Some(cell) = pending.pop() {
            if self.rule_out(&mut pending, cell).await {
                continue;
            }
            self.cell(cell).await;
            self.send(WorkerMessage::Settled(cell.id.clone()));
        }
    }

    /// Attempts a cell, again after infrastructure trouble, in a fresh browser.
    async fn cell(&mut self, cell: &ResolvedCell<'_>) {
        for attempt in 1..=self.context.retries + 1 {
            self.event(RunEventKind::AttemptStarted { cell: cell.id.clone(), attempt });
            let began = Instant::now();
            let (outcome, mut evidence) = self
                .attempt(cell)
                .await
                .unwrap_or_else(|trouble| (Failed::from(trouble).into(), Evidence::default()));
            if let Some(browser) = &self.browser {
                evidence.browser_version = Some(browser.session().browser_version().to_owned());
                evidence.driver_log = Some(browser.log().display().to_string());
                if !matches!(outcome, Outcome::Pass { .. }) {
                    evidence.driver_log_tail = log_tail(browser.log());
                }
            }
            if !leaves_browser_healthy(&outcome) || spoils_browser(cell) {
                self.close().await;
            }
            let is_trouble = outcome.is_infrastructure();
            let (cell, evidence) = (cell.id.clone(), Box::new(evidence));
            let duration = began.elapsed();
            self.send(WorkerMessage::Attempt { cell, attempt, outcome, evidence, duration });
            if !is_trouble {
                return;
            }
        }
    }

    async fn attempt(&mut self, cell: &ResolvedCell<'_>) -> Result<(Outcome, Evidence), Trouble> {
        if cell.id.browser != BrowserName::Native {
            if spoils_browser(cell) && self.is_used {
                self.close().await;
            }
            self.launched().await?;
            self.is_used = true;
        }
        let RunContext { shelf, mutant, .. } = *self.context;
        let attempt = Attempt { cell, shelf, mutant, probed: self.probed.as_ref() };
        if cell.client().is_some() {
            self.client_attempt(attempt).await
        } else {
            self.engine_attempt(attempt).await
        }
    }

    async fn client_attempt(&self, attempt: Attempt<'_>) -> Result<(Outcome, Evidence), Trouble> {
        let browser = self.browser.as_ref().ok_or_else(Trouble::not_launched)?;
        let RunContext { server, tier, traces, .. } = *self.context;
        let stage = ClientStage { browser, server, tier, traces };
        let mut progress = |phase: String| {
            self.event(RunEventKind::Progress { cell: attempt.cell.id.clone(), phase });
        };
        Ok(client::execute(attempt, stage, &mut progress).await)
    }

    /// Opens a page of the cell's engine and carries its scenario out there. This is the one place
    /// of a run that knows which kind of page an engine has.
    async fn engine_attempt(&self, attempt: Attempt<'_>) -> Result<(Outcome, Evidence), Trouble> {
        let ResolvedCell { id, bundle, .. } = attempt.cell;
        let browser = match id.browser {
            BrowserName::Native => None,
            _ => Some(self.place(*bundle, EngineThread::of(id.backend, attempt.probed))?),
        };
        let page = EnginePage::judged(&id.engine, browser).await?;
        Ok(self.in_page(attempt, page).await)
    }

    async fn in_page(&self, attempt: Attempt<'_>, mut page: impl Page) -> (Outcome, Evidence) {
        let mut progress = |phase: String| {
            self.event(RunEventKind::Progress { cell: attempt.cell.id.clone(), phase });
        };
        let (outcome, evidence) = engine::execute(attempt, &mut page, &mut progress).await;
        if leaves_browser_healthy(&outcome)
            && let Err(trouble) = page.close().await
        {
            tracing::info!("a page could not be closed: {trouble}");
        }
        (outcome, evidence)
    }

    /// The browser, and a place on the server for a page in it.
    fn place(
        &self,
        bundle: BundleChoice,
        thread: EngineThread,
    ) -> Result<(&Browser, PageHandle), Trouble> {
        let browser = self.browser.as_ref().ok_or_else(Trouble::not_launched)?;
        let handle = self.context.server.open(PageSetup::default());
        let handle = handle.map_err(|error| Trouble::server(&error))?;
        Ok((browser, handle.choosing(bundle, thread)))
    }

    async fn launched(&mut self) -> Result<(), Trouble> {
        if self.browser.is_some() {
            return Ok(());
        }
        if self.failed_launches >= MAX_FAILED_LAUNCHES {
            return Err(Trouble::gave_up(self.group.profile, self.failed_launches));
        }
        match self.context.launcher.launch(self.group.profile).await {
            Ok(browser) => {
                self.failed_launches = 0;
                self.is_used = false;
                self.browser = Some(browser);
                Ok(())
            }
            Err(trouble) => {
                self.failed_launches += 1;
                Err(trouble)
            }
        }
    }

    /// Probes the browser at its first launch and settles the cells that the probe rules out,
    /// the one at hand and those that are pending. True if the one at hand is among them.
    async fn rule_out<'c>(
        &mut self,
        pending: &mut Vec<&'c ResolvedCell<'c>>,
        current: &ResolvedCell<'_>,
    ) -> bool {
        if self.is_probed || self.group.profile.browser == BrowserName::Native {
            return false;
        }
        // The attempt meets trouble with a launch again, and reports it.
        if self.launched().await.is_err() {
            return false;
        }
        self.is_probed = true;
        let browser = self.group.profile.browser;
        let report = match self.probe(current).await {
            Ok(report) => report,
            Err(failed) => {
                let message = format!("{browser} could not be probed: {failed}");
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
        let rule = |cell: &ResolvedCell<'_>| {
            let Some(reason) = cell.unsupported_by(&report) else { return false };
            let (cell, disposition) = (cell.id.clone(), Disposition::Unsupported { reason });
            self.send(WorkerMessage::Reconsidered { cell: cell.clone(), disposition });
            self.send(WorkerMessage::Settled(cell));
            true
        };
        let is_current_out = rule(current);
        pending.retain(|cell| !rule(cell));
        self.probed = Some(report);
        is_current_out
    }

    async fn probe(&self, cell: &ResolvedCell<'_>) -> Result<CapabilityReport, Failed> {
        let (browser, handle) = self.place(cell.bundle, EngineThread::Worker)?;
        let mut page = BrowserPage::open(browser, handle).await?;
        let report = probe(&mut page, cell.timeouts).await?;
        page.close().await?;
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
        self.send(WorkerMessage::Event(Box::new(kind)));
    }

    fn send(&self, message: WorkerMessage) {
        // The dispatcher outlives its workers; if it does not, the run is being torn down.
        let _ = self.context.messages.send(message);
    }
}

/// The faults of a cell harm its browser, so the cell gets a fresh one, which is closed afterwards.
fn spoils_browser(cell: &ResolvedCell<'_>) -> bool {
    cell.client().is_some_and(ClientScenario::spoils_browser)
}

/// Whether the browser can be used for another page after an attempt that ended like this.
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
