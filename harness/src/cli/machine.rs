//! What subcommands that drive engines share: what is on this machine, the bundle, a stage with
//! server and launcher, and how a run is stopped.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use inference_wasm::protocol::BundleName;
use tokio::sync::Notify;

use super::workspace::Workspace;
use super::{Failure, LaunchArgs};
use crate::drive::browser::supervise::Supervisor;
use crate::drive::browser::{Launcher, Overrides, SessionLimits, installation};
use crate::drive::bundle::{self, BundleOptions};
use crate::drive::server::Server;
use crate::engines;
use crate::fetch::models::{self, Catalogue, Entry};
use crate::plan::expectation::Facts;
use crate::plan::{ModelFile, Plan};
use crate::spec::bundle::BundleChoice;
use crate::spec::cell::BrowserName;
use crate::spec::matrix::{Matrix, ModelFacts, Timeouts};
use crate::spec::scenario::Fixtures;

/// What is on this machine.
pub(crate) struct Machine {
    workspace: Workspace,
    catalogue: Catalogue,
    overrides: Overrides,
    cache: PathBuf,
    /// What expectations depend on.
    pub(crate) facts: Facts,
}

impl Machine {
    /// Looks for browsers and models.
    pub(crate) fn look(workspace: &Workspace, launch: &LaunchArgs) -> Result<Self, Failure> {
        let overrides = overrides(launch)?;
        let browsers = BrowserName::ALL.into_iter().filter(|name| *name != BrowserName::Native);
        let missing_browsers = browsers
            .filter(|name| installation(*name, &overrides).is_err())
            .map(|name| (name, "tierproof setup".to_owned()))
            .collect();
        let facts =
            Facts { is_macos: cfg!(target_os = "macos"), missing_browsers, ..Facts::default() };
        let catalogue = workspace.catalogue()?;
        let cache = models::cache_folder().map_err(Failure::setup)?;
        Ok(Self { workspace: workspace.clone(), catalogue, overrides, cache, facts })
    }

    /// Reads a matrix against the fixtures and the catalogue.
    pub(crate) fn matrix(&self, path: &Path) -> Result<(Matrix, Fixtures), Failure> {
        let models: Vec<_> = self
            .catalogue
            .entries()
            .iter()
            .map(|entry| ModelFacts {
                name: entry.name.clone(),
                weights: entry.weights.clone(),
                prompts: entry.prompt_set().to_owned(),
                is_present: self.path(entry).is_file(),
            })
            .collect();
        let path = if path.exists() { path.to_owned() } else { self.workspace.root().join(path) };
        let today = jiff::Zoned::now().date();
        let engines = engines::facts();
        Matrix::load(&path, self.workspace.root(), &models, &engines, today).map_err(Failure::usage)
    }

    /// The files of the models that are here.
    pub(crate) fn model_files(&self) -> BTreeMap<String, ModelFile> {
        let here = self.catalogue.entries().iter().filter_map(|entry| {
            let path = self.path(entry);
            let file = ModelFile { path, sha256: entry.sha256.clone() };
            file.path.is_file().then(|| (entry.name.clone(), file))
        });
        here.collect()
    }

    fn path(&self, entry: &Entry) -> PathBuf {
        self.catalogue.path_of(entry, &self.cache)
    }
}

/// What `--driver` says.
pub(crate) fn overrides(launch: &LaunchArgs) -> Result<Overrides, Failure> {
    let mut overrides = Overrides::default();
    for driver in &launch.drivers {
        overrides.add(driver).map_err(|error| Failure::usage(miette::miette!("{error}")))?;
    }
    Ok(overrides)
}

/// The folder of bundles that pages load from, built if need be; `None` if the plan needs no page.
pub(crate) fn bundle(
    workspace: &Workspace,
    launch: &LaunchArgs,
    (plan, matrix): (&Plan, &Matrix),
    has_faults: bool,
) -> Result<Option<PathBuf>, Failure> {
    if !plan.runnable().any(|planned| planned.cell.browser != BrowserName::Native) {
        return Ok(None);
    }
    let mut bundles = matrix.bundle.built();
    let has_client =
        plan.runnable().any(|planned| matrix.clients.contains_key(&planned.cell.scenario));
    // The hybrid client itself has one thread, whatever its engines have.
    if has_client && bundles == [BundleName::Threads] {
        bundles.insert(0, BundleName::Base);
    }
    folder(workspace, launch, bundles, has_faults).map(Some)
}

/// The folder of bundles that pages load from, built if need be.
pub(crate) fn page_bundle(
    workspace: &Workspace,
    launch: &LaunchArgs,
    choice: BundleChoice,
    has_faults: bool,
) -> Result<PathBuf, Failure> {
    folder(workspace, launch, choice.built(), has_faults)
}

fn folder(
    workspace: &Workspace,
    launch: &LaunchArgs,
    bundles: Vec<BundleName>,
    has_faults: bool,
) -> Result<PathBuf, Failure> {
    if let Some(folder) = &launch.bundle_dir {
        return Ok(folder.clone());
    }
    let options = BundleOptions { bundles, seeded_faults: has_faults };
    let built = bundle::build(workspace.root(), &options, |line| anstream::eprintln!("{line}"));
    built.map(|bundle| bundle.dir).map_err(Failure::setup)
}

/// Server and launcher, for as long as browsers are driven.
pub(crate) struct Stage {
    pub(crate) server: Server,
    pub(crate) launcher: Launcher,
}

impl Stage {
    /// Sets it up. The logs of drivers go below `out`; of the timeouts, that of a launch holds.
    pub(crate) async fn set(
        machine: &Machine,
        bundle: Option<PathBuf>,
        out: &Path,
        timeouts: &Timeouts,
    ) -> Result<Self, Failure> {
        let server = Server::start(bundle.unwrap_or_default()).await.map_err(Failure::setup)?;
        let supervisor = Supervisor::this_executable().map_err(Failure::setup)?;
        let limits = SessionLimits { new_session: timeouts.launch, ..SessionLimits::default() };
        let launcher = Launcher::new(supervisor, machine.overrides.clone(), out.join("drivers"))
            .with_limits(limits);
        Ok(Self { server, launcher })
    }

    /// Takes it down. Browsers were closed before.
    pub(crate) async fn strike(self) {
        self.launcher.shutdown().await;
    }
}

/// Runs a future to its end on a runtime of its own.
pub(crate) fn on_runtime<T>(
    future: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(Failure::setup)?;
    runtime.block_on(async {
        tokio::spawn(listen());
        future.await
    })
}

static SIGNALS: AtomicU32 = AtomicU32::new(0);
static SIGNALLED: Notify = Notify::const_new();

/// Counts the signals that ask for the end.
async fn listen() {
    use tokio::signal::unix::{SignalKind, signal};
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let streams = kinds.into_iter().filter_map(|kind| signal(kind).ok());
    let streams = streams.map(|mut stream| async move {
        while stream.recv().await.is_some() {
            SIGNALS.fetch_add(1, Ordering::SeqCst);
            SIGNALLED.notify_waiters();
        }
    });
    futures::future::join_all(streams).await;
}

async fn signals_reach(count: u32) {
    loop {
        let signalled = SIGNALLED.notified();
        if SIGNALS.load(Ordering::SeqCst) >= count {
            return;
        }
        signalled.await;
    }
}

/// Resolves when the user stops the command: Ctrl-C, SIGTERM, SIGHUP.
pub(crate) async fn interrupted() {
    signals_reach(1).await;
}

/// Resolves when the user stops it a second time.
pub(crate) async fn interrupted_twice() {
    signals_reach(2).await;
}
