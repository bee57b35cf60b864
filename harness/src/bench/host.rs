//! The surroundings of an entry during a series: a browser with a server for its page, a thread of
//! ours, or a process.
//!
//! Every entry in a browser has a browser and a profile of its own. All stay loaded for the whole
//! series while one at a time computes, so that a run follows the other engine's run by a fraction
//! of a second. Launching and loading in between would put minutes, and another state of the
//! machine, between the two. Tabs of one browser would not do, because browsers throttle background
//! tabs. [`super::quiet`] checks before every round that idle engines are idle.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use inference_wasm::protocol::ModelManifest;

use super::memory::resident_bytes;
use super::method::Contender;
use super::unmeasured::Unmeasured;
use crate::drive::browser::supervise::Supervisor;
use crate::drive::browser::{Browser, Launcher, Trouble};
use crate::drive::server::EngineThread;
use crate::drive::server::{PageSetup, ServedModel, Server};
use crate::engines::{EnginePage, Parts, Stage};
use crate::spec::bundle::BundleChoice;
use crate::spec::launch::LaunchProfile;

/// How long a page gathers its events. Only their stamps are measured; sending them takes processor
/// time, for which an engine with a thread for each core would have to wait.
const GATHER: Duration = Duration::from_millis(500);

/// What every host needs.
#[derive(Debug)]
pub struct Surroundings<'s> {
    /// Launches browsers.
    pub launcher: &'s Launcher,
    /// Starts processes.
    pub supervisor: &'s Supervisor,
    /// The folder for the logs of processes.
    pub logs: PathBuf,
}

/// The surroundings of an entry.
#[derive(Debug)]
pub(super) struct Host<'s> {
    surroundings: &'s Surroundings<'s>,
    server: Server,
    browser: Option<Browser>,
    parts: Parts,
    log: PathBuf,
    model: Arc<ServedModel>,
    /// Where our own engine computes in a page.
    thread: EngineThread,
}

impl<'s> Host<'s> {
    /// Starts the server, and the browser where one is needed.
    pub(super) async fn start(
        surroundings: &'s Surroundings<'s>,
        contender: &Contender,
        profile: Option<LaunchProfile>,
        model: Arc<ServedModel>,
    ) -> Result<Self, Unmeasured> {
        let parts = contender.prepared.parts.clone();
        let (folder, browser) = match &parts {
            Parts::Page(folder) => {
                let profile = profile.ok_or(Unmeasured::NoBrowser)?;
                (folder.clone(), Some(surroundings.launcher.launch(profile).await?))
            }
            Parts::Native | Parts::Process { .. } => (PathBuf::new(), None),
        };
        let server = Server::start(folder).await?;
        let log = surroundings.logs.join(format!("{}.log", contender.entry.engine));
        let thread = EngineThread::Worker;
        Ok(Self { surroundings, server, browser, parts, log, model, thread })
    }

    /// Selects the thread on which our own engine computes in pages opened from now on.
    pub(super) fn use_thread(&mut self, thread: EngineThread) {
        self.thread = thread;
    }

    /// Opens a fresh page; our own loads this bundle.
    pub(super) async fn open(&self, bundle: BundleChoice) -> Result<EnginePage<'_>, Trouble> {
        let stage = Stage {
            server: &self.server,
            browser: self.browser.as_ref(),
            supervisor: self.surroundings.supervisor,
            log: &self.log,
            bundle,
            thread: self.thread,
            gather: GATHER,
        };
        let setup = PageSetup { model: Some(self.model.clone()), fault: None };
        EnginePage::open(&self.parts, stage, setup).await
    }

    /// The model as its page gets it.
    pub(super) fn manifest(&self) -> &ModelManifest {
        &self.model.manifest
    }

    /// Version of the browser, empty without one.
    pub(super) fn browser_version(&self) -> &str {
        self.browser.as_ref().map_or("", |browser| browser.session().browser_version())
    }

    /// Resident bytes of all of its processes; for a native engine those of this process.
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

    /// Closes the browser.
    pub(super) async fn close(self) {
        if let Some(browser) = self.browser
            && let Err(trouble) = browser.close().await
        {
            tracing::info!("a browser was not closed in order: {trouble}");
        }
    }
}
