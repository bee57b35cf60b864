//! `tierproof probe`.

use std::path::PathBuf;

use clap::Args;

use super::machine::{self, Machine, Stage};
use super::workspace::Workspace;
use super::{Answer, Failure, GpuArgs, LaunchArgs, browser, say};
use crate::drive::page::{BrowserPage, Page};
use crate::drive::server::PageSetup;
use crate::judge::capability;
use crate::run::exit::Exit;
use crate::run::probe;
use crate::spec::bundle::BundleChoice;
use crate::spec::cell::BrowserName;
use crate::spec::matrix::Timeouts;

/// Arguments of `tierproof probe`.
#[derive(Debug, Args)]
pub(crate) struct ProbeArgs {
    /// Only these browsers [default: all that are installed]
    #[arg(long, value_delimiter = ',', value_parser = browser)]
    browser: Vec<BrowserName>,
    #[command(flatten)]
    gpu: GpuArgs,
    #[command(flatten)]
    launch: LaunchArgs,
    /// Where the reports go
    #[arg(long, value_name = "DIR", default_value = "report")]
    out: PathBuf,
    /// Print a JSON object for each browser
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(workspace: &Workspace, args: &ProbeArgs) -> Answer {
    let machine = Machine::look(workspace, &args.launch)?;
    let installed = BrowserName::ALL.into_iter().filter(|name| {
        *name != BrowserName::Native && !machine.facts.missing_browsers.contains_key(name)
    });
    let browsers: Vec<_> =
        installed.filter(|name| args.browser.is_empty() || args.browser.contains(name)).collect();
    if browsers.is_empty() {
        return Err(Failure::setup("no browser to probe\n  hint: `tierproof setup` installs some"));
    }
    let bundle = machine::page_bundle(workspace, &args.launch, BundleChoice::default(), false)?;
    machine::on_runtime(async {
        let stage = Stage::set(&machine, Some(bundle), &args.out, &Timeouts::default()).await?;
        let work = async {
            let mut exit = Exit::Expected;
            for name in browsers {
                if let Err(message) = one(&stage, name, args).await {
                    anstream::eprintln!("{name}: {message}");
                    exit = Exit::Setup;
                }
            }
            exit
        };
        let exit = tokio::select! {
            exit = work => exit,
            () = machine::interrupted() => Exit::Interrupted,
        };
        stage.strike().await;
        Ok(exit)
    })
}

async fn one(stage: &Stage, name: BrowserName, args: &ProbeArgs) -> Result<(), String> {
    let profile = args.gpu.profile(name, &args.launch);
    let launched = stage.launcher.launch(profile).await.map_err(|error| error.to_string())?;
    let probed = async {
        let handle = stage.server.open(PageSetup::default()).map_err(|error| error.to_string())?;
        let mut page =
            BrowserPage::open(&launched, handle).await.map_err(|error| error.to_string())?;
        let report =
            probe(&mut page, Timeouts::default()).await.map_err(|outcome| outcome.message())?;
        page.close().await.map_err(|error| error.to_string())?;
        Ok::<_, String>(report)
    };
    let report = probed.await;
    let version = launched.session().browser_version().to_owned();
    if let Err(trouble) = launched.close().await {
        tracing::info!("a browser was not closed in order: {trouble}");
    }
    let report = report?;
    let probe = capability::Probe { profile, version, report };
    probe.store(&args.out).map_err(|error| error.to_string())?;
    let text =
        if args.json { serde_json::json!(probe).to_string() } else { capability::render(&probe) };
    say(format!("{text}\n")).map_err(|failure| failure.report.to_string())
}
