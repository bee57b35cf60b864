//! Opens the page of an engine: in a browser, on a thread of ours, or in a process.

use std::path::Path;
use std::time::Duration;

use inference_wasm::protocol::Command;
use tokio::time::Instant;

use super::engine::InMatrix;
use super::prepare::Parts;
use super::process::{Driver, ProcessPage};
use crate::drive::browser::supervise::Supervisor;
use crate::drive::browser::{Browser, Diagnosis, Trouble, TroubleKind};
use crate::drive::page::{BrowserPage, NativePage, Page};
use crate::drive::server::PageSignal;
use crate::drive::server::{EngineThread, PageHandle, PageSetup, Server};
use crate::spec::bundle::BundleChoice;

/// Where pages are opened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stage<'s> {
    /// Serves the page.
    pub(crate) server: &'s Server,
    /// The browser; `None` where the engine needs none.
    pub(crate) browser: Option<&'s Browser>,
    /// Starts processes.
    pub(crate) supervisor: &'s Supervisor,
    /// Where a process writes its output.
    pub(crate) log: &'s Path,
    /// The bundle that our own page loads.
    pub(crate) bundle: BundleChoice,
    /// Where our own engine computes in a page.
    pub(crate) thread: EngineThread,
    /// How long a page gathers its events.
    pub(crate) gather: Duration,
}

/// A page of an engine, wherever it runs.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there are few at a time")]
pub(crate) enum EnginePage<'b> {
    Browser(BrowserPage<'b>),
    Native(NativePage),
    Process(ProcessPage),
}

impl<'b> EnginePage<'b> {
    /// Opens a fresh page.
    pub(crate) async fn open(
        parts: &Parts,
        stage: Stage<'b>,
        setup: PageSetup,
    ) -> Result<Self, Trouble> {
        let model = setup.model.as_ref().map(|model| model.path.clone());
        let handle = |setup| stage.server.open(setup).map_err(|error| Trouble::server(&error));
        match parts {
            Parts::Native => NativePage::open(setup).map(Self::Native),
            Parts::Process { python, script } => {
                let (python, script, log) = (python.clone(), script.clone(), stage.log.to_owned());
                let driver = Driver { python, script, model: model.unwrap_or_default(), log };
                let page = ProcessPage::open(stage.supervisor, &driver, handle(setup)?).await;
                page.map(Self::Process)
            }
            Parts::Page(_) => {
                let browser = stage.browser.ok_or_else(Trouble::not_launched)?;
                let handle = handle(setup)?.choosing(stage.bundle, stage.thread);
                let page = BrowserPage::open(browser, handle.gathering(stage.gather)).await;
                page.map(Self::Browser)
            }
        }
    }

    /// Opens the page in which a matrix judges an engine: in a browser, or natively without one.
    pub(crate) async fn judged(
        engine: &str,
        browser: Option<(&'b Browser, PageHandle)>,
    ) -> Result<Self, Trouble> {
        let start = |message| Trouble::new("start engine", TroubleKind::Start { message });
        let engine = super::find(engine).map_err(|unknown| start(unknown.to_string()))?;
        match (&engine.in_matrix, browser) {
            (InMatrix::NotYet(clause), _) => Err(start(format!("engine `{engine}`: {clause}"))),
            (InMatrix::Judged(_), None) => NativePage::open(PageSetup::default()).map(Self::Native),
            (InMatrix::Judged(_), Some((browser, handle))) => {
                BrowserPage::open(browser, handle).await.map(Self::Browser)
            }
        }
    }

    /// The process whose descendant it is, where it is a process.
    pub(crate) fn supervisor_id(&self) -> Option<u32> {
        match self {
            Self::Process(page) => page.supervisor_id(),
            Self::Browser(_) | Self::Native(_) => None,
        }
    }
}

/// Calls a method of the page, whichever it is.
macro_rules! each {
    ($engine:expr, $page:ident => $call:expr) => {
        match $engine {
            EnginePage::Browser($page) => $call,
            EnginePage::Native($page) => $call,
            EnginePage::Process($page) => $call,
        }
    };
}

impl Page for EnginePage<'_> {
    fn serve(&mut self, setup: PageSetup) {
        each!(self, page => page.serve(setup));
    }

    async fn submit(&mut self, command: &Command) -> Result<(), Trouble> {
        each!(self, page => page.submit(command).await)
    }

    async fn cancel(&mut self) -> Result<(), Trouble> {
        each!(self, page => page.cancel().await)
    }

    async fn next_signal(&mut self, deadline: Instant) -> Option<PageSignal> {
        each!(self, page => page.next_signal(deadline).await)
    }

    fn take_logits(&mut self, command: u32) -> Option<Vec<f32>> {
        each!(self, page => page.take_logits(command))
    }

    async fn diagnose(&mut self) -> Diagnosis {
        each!(self, page => page.diagnose().await)
    }

    async fn close(self) -> Result<(), Trouble> {
        each!(self, page => page.close().await)
    }
}
