//! `tierproof ops`.

use clap::Args;
use inference_wasm::protocol::{BackendName, CapabilityReport, SeededFault};

use super::machine::{self, Machine, Stage};
use super::workspace::Workspace;
use super::{Answer, BundleArgs, Failure, GpuArgs, LaunchArgs, backend, browser, fault, say};
use crate::drive::browser::{Browser, Trouble};
use crate::drive::page::{BrowserPage, NativePage, Page};
use crate::drive::server::EngineThread;
use crate::drive::server::PageSetup;
use crate::judge::outcome::Failed;
use crate::plan::expectation;
use crate::run::exit::Exit;
use crate::run::ops::{self, Held, HeldResult, Settings};
use crate::run::probe;
use crate::spec::bundle::BundleChoice;
use crate::spec::cell::{BrowserName, CellId};
use crate::spec::matrix::Timeouts;

/// Arguments of `tierproof ops`.
#[derive(Debug, Args)]
pub(crate) struct OpsArgs {
    /// Only these browsers; native is the engine's native build [default: all that are here]
    #[arg(long, value_delimiter = ',', value_parser = browser)]
    browser: Vec<BrowserName>,
    /// Only these backends [default: all that a browser can have]
    #[arg(long, value_delimiter = ',', value_parser = backend)]
    backend: Vec<BackendName>,
    /// Only cases whose name has this in it, as in `matmul/Q8_0`; with a `*`, that are like it
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Print a JSON object for each browser and backend: `browser`, `backend`, `kind`, `report`
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    bundle: BundleArgs,
    #[command(flatten)]
    gpu: GpuArgs,
    #[command(flatten)]
    launch: LaunchArgs,
    /// Build a known defect into the engine
    #[arg(long, value_name = "FAULT", value_parser = fault, hide = true)]
    seeded_fault: Option<SeededFault>,
}

impl OpsArgs {
    /// The pairs to hold: those that were named, or all that can be.
    fn pairs(&self, machine: &Machine) -> Vec<(BrowserName, BackendName)> {
        use BackendName::{Cpu, Wasm, Webgl, Webgpu};
        let is_here = |name: &BrowserName| {
            *name == BrowserName::Native || !machine.facts.missing_browsers.contains_key(name)
        };
        let named = |name: &BrowserName| {
            if self.browser.is_empty() { is_here(name) } else { self.browser.contains(name) }
        };
        let backends = |name: BrowserName| {
            let usual: &[BackendName] =
                if name == BrowserName::Native { &[Cpu] } else { &[Webgpu, Webgl, Wasm] };
            if self.backend.is_empty() { usual.to_vec() } else { self.backend.clone() }
        };
        let browsers = BrowserName::ALL.into_iter().filter(named);
        browsers.flat_map(|name| backends(name).into_iter().map(move |of| (name, of))).collect()
    }
}

pub(crate) fn run(workspace: &Workspace, args: &OpsArgs) -> Answer {
    let choice = args.bundle.choice(BundleChoice::default())?;
    let machine = Machine::look(workspace, &args.launch)?;
    let pairs = args.pairs(&machine);
    let needs_page = pairs.iter().any(|(name, _)| *name != BrowserName::Native);
    let bundle = if needs_page {
        Some(machine::page_bundle(workspace, &args.launch, choice, args.seeded_fault.is_some())?)
    } else {
        None
    };
    let settings = Settings {
        filter: args.filter.clone(),
        fault: args.seeded_fault,
        bundle: choice,
        timeouts: Timeouts::default(),
    };
    let scratch = tempfile::tempdir().map_err(Failure::setup)?;
    machine::on_runtime(async {
        let stage = Stage::set(&machine, bundle, scratch.path(), &settings.timeouts).await?;
        let suite = Suite { stage: &stage, args, settings: &settings };
        let answer = tokio::select! {
            held = suite.hold_all(&pairs) => held,
            () = machine::interrupted_twice() => Ok(Exit::Interrupted),
        };
        stage.strike().await;
        answer
    })
}

/// What every pair is held with.
struct Suite<'a> {
    stage: &'a Stage,
    args: &'a OpsArgs,
    settings: &'a Settings,
}

impl Suite<'_> {
    async fn hold_all(&self, pairs: &[(BrowserName, BackendName)]) -> Answer {
        let mut all = Vec::new();
        let mut is_interrupted = false;
        for &(browser, backend) in pairs {
            tracing::info!("{browser}/{backend}");
            let result = tokio::select! {
                result = self.hold(browser, backend) => result,
                () = machine::interrupted() => {
                    is_interrupted = true;
                    break;
                }
            };
            let result = result.unwrap_or_else(|trouble| {
                let outcome = Failed::from(trouble);
                HeldResult::of_outcome(&outcome)
            });
            let held = Held { browser, backend, result };
            if self.args.json {
                say(format!("{}\n", serde_json::json!(held)))?;
            }
            all.push(held);
        }
        if !self.args.json {
            say(ops::render(&all))?;
        }
        Ok(if is_interrupted { Exit::Interrupted } else { ops::exit(&all) })
    }

    /// Each pair gets a browser of its own, so that what one backend does to a GPU process is no
    /// matter of the next.
    async fn hold(&self, name: BrowserName, backend: BackendName) -> Result<HeldResult, Trouble> {
        let cell = CellId {
            browser: name,
            backend,
            engine: "tierproof".to_owned(),
            model: String::new(),
            scenario: "ops".to_owned(),
        };
        if let Some(reason) = cell.unsupported_pair() {
            return Ok(HeldResult::Unsupported { reason });
        }
        if name == BrowserName::Native {
            let page = NativePage::open(PageSetup::default())?;
            return Ok(self.hold_page(page, backend, None).await);
        }
        let profile = self.args.gpu.profile(name, &self.args.launch);
        let browser = self.stage.launcher.launch(profile).await?;
        let result = self.hold_in(&browser, backend).await;
        if let Err(trouble) = browser.close().await {
            tracing::info!("a browser was not closed in order: {trouble}");
        }
        result
    }

    async fn hold_in(
        &self,
        browser: &Browser,
        backend: BackendName,
    ) -> Result<HeldResult, Trouble> {
        let Settings { bundle, timeouts, .. } = *self.settings;
        let open = async |thread| {
            let handle = self.stage.server.open(PageSetup::default());
            let handle = handle.map_err(|error| Trouble::server(&error))?.choosing(bundle, thread);
            BrowserPage::open(browser, handle).await
        };
        let mut page = open(EngineThread::default()).await?;
        let report = match probe(&mut page, timeouts).await {
            Ok(report) => report,
            Err(outcome) => return Ok(HeldResult::of_outcome(&outcome)),
        };
        page.close().await?;
        if let Some(reason) = expectation::unsupported_by_report(backend, bundle, Some(&report)) {
            return Ok(HeldResult::Unsupported { reason });
        }
        let page = open(EngineThread::of(backend, Some(&report))).await?;
        Ok(self.hold_page(page, backend, Some(&report)).await)
    }

    async fn hold_page(
        &self,
        mut page: impl Page,
        backend: BackendName,
        probed: Option<&CapabilityReport>,
    ) -> HeldResult {
        let mut progress = |phase: String| tracing::info!("{phase}");
        let held = ops::hold(&mut page, backend, self.settings, probed, &mut progress).await;
        let result = match held {
            Ok(result) => result,
            Err(outcome) => HeldResult::of_outcome(&outcome),
        };
        if let Err(trouble) = page.close().await {
            tracing::info!("a page could not be closed: {trouble}");
        }
        result
    }
}
