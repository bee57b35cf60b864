//! What an engine lives in for a series: a browser of its own with a server for its page, a thread
//! of ours, or a process. Opening it anew gives a fresh page in the same surroundings.
//!
//! Every engine in a browser has a browser of its own, in a profile of its own, and all of them
//! stay loaded for the whole series while one at a time computes. A run then follows the other
//! engine's run by a fraction of a second, where launching and loading in between would put
//! minutes, and another state of the machine, between the two. Tabs of one browser would not do:
//! what is in the background is throttled. That idle engines stay idle is looked at before every
//! round, see [`super::busy`].

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use inference_wasm::protocol::ModelManifest;

use super::engine::EnginePage;
use super::lineup::Entrant;
use super::memory::resident_bytes;
use super::process::{Driver, ProcessPage};
use crate::drive::browser::supervise::Supervisor;
use crate::drive::browser::{Browser, Launcher, Trouble};
use crate::drive::page::{BrowserPage, NativePage};
use crate::drive::server::EngineThread;
use crate::drive::server::{PageSetup, ServedModel, Server};
use crate::spec::bundle::BundleChoice;
use crate::spec::launch::LaunchProfile;

/// How long a page gathers its events. What is measured are their stamps; sending them takes an engine
/// processor time, and with a thread for each core, both threads wait.
const GATHER: Duration = Duration::from_millis(500);

/// What an engine's page is made of; made once, before anything is measured.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The engine, and what it computes on.
    pub entrant: Entrant,
    /// Its version.
    pub version: String,
    /// The page's folder or the interpreter, as the engine needs it.
    pub parts: Parts,
}

/// The parts of an engine.
#[derive(Debug, Clone)]
pub enum Parts {
    /// A page in this folder.
    Page(PathBuf),
    /// The native build, which is in us.
    Native,
    /// A script for this interpreter.
    Process {
        /// The interpreter.
        python: PathBuf,
        /// The script.
        script: PathBuf,
    },
}

/// What hosts are started with.
#[derive(Debug)]
pub struct Surroundings<'s> {
    /// Launches browsers.
    pub launcher: &'s Launcher,
    /// Starts processes.
    pub supervisor: &'s Supervisor,
    /// Where logs of processes go.
    pub logs: PathBuf,
}

/// An engine's surroundings in a series.
#[derive(Debug)]
pub(super) struct Host<'s> {
    surroundings: &'s Surroundings<'s>,
    server: Server,
    browser: Option<Browser>,
    parts: Parts,
    model: Arc<ServedModel>,
    /// Where our own engine computes in a page.
    thread: EngineThread,
}

impl<'s> Host<'s> {
    /// Starts the server, and the browser where one is needed.
    pub(super) async fn start(
        surroundings: &'s Surroundings<'s>,
        prepared: &Prepared,
        profile: Option<LaunchProfile>,
        model: Arc<ServedModel>,
    ) -> Result<Self, String> {
        let (folder, browser) = match &prepared.parts {
            Parts::Page(folder) => {
                let profile = profile.ok_or("it needs a browser")?;
                let browser = surroundings.launcher.launch(profile).await;
                (folder.clone(), Some(browser.map_err(|trouble| trouble.to_string())?))
            }
            Parts::Native | Parts::Process { .. } => (PathBuf::new(), None),
        };
        let server = Server::start(folder).await.map_err(|error| error.to_string())?;
        Ok(Self {
            surroundings,
            server,
            browser,
            parts: prepared.parts.clone(),
            model,
            thread: EngineThread::Worker,
        })
    }

    /// Has our own engine compute on another thread of the pages to come.
    pub(super) fn on(&mut self, thread: EngineThread) {
        self.thread = thread;
    }

    /// Opens a fresh page; ours is told which bundle to load.
    pub(super) async fn open(&self, bundle: BundleChoice) -> Result<EnginePage<'_>, String> {
        let setup = PageSetup { model: Some(self.model.clone()), fault: None };
        let told = |trouble: Trouble| trouble.to_string();
        if let Parts::Native = self.parts {
            return NativePage::open(setup).map(EnginePage::Native).map_err(told);
        }
        let handle = self.server.open(setup).map_err(|error| error.to_string())?;
        match (&self.parts, &self.browser) {
            (Parts::Process { python, script }, _) => {
                let driver = Driver {
                    python: python.clone(),
                    script: script.clone(),
                    model: self.model.path.clone(),
                    log: self.surroundings.logs.join("llama.cpp.log"),
                };
                let page = ProcessPage::open(self.surroundings.supervisor, &driver, handle).await;
                page.map(EnginePage::Process).map_err(told)
            }
            (_, Some(browser)) => {
                let handle = handle.choosing(bundle, self.thread).gathering(GATHER);
                BrowserPage::open(browser, handle).await.map(EnginePage::Browser).map_err(told)
            }
            (_, None) => Err("it needs a browser".to_owned()),
        }
    }

    /// The model as its page gets it.
    pub(super) fn manifest(&self) -> &ModelManifest {
        &self.model.manifest
    }

    /// Version of the browser; empty without one.
    pub(super) fn browser_version(&self) -> &str {
        self.browser.as_ref().map_or("", |browser| browser.session().browser_version())
    }

    /// Resident bytes of all of its processes. A native engine is a part of us, so it gets ours.
    pub(super) fn resident_bytes(&self, process: Option<u32>) -> u64 {
        let browser = self.browser.as_ref().and_then(Browser::supervisor_id);
        match browser.or(process) {
            Some(root) => resident_bytes(root, true),
            None if matches!(self.parts, Parts::Native) => {
                resident_bytes(std::process::id(), false)
            }
            None => 0,
        }
    }

    /// Closes the browser in order.
    pub(super) async fn close(self) {
        if let Some(browser) = self.browser
            && let Err(trouble) = browser.close().await
        {
            tracing::info!("a browser was not closed in order: {trouble}");
        }
    }
}
