//! `tierproof probe`.

use std::path::PathBuf;

use clap::Args;

use super::arguments::{GpuArgs, LaunchArgs, browser};
use super::failure::{Answer, Failure, note, say};
use super::runtime;
use crate::drive::page::{BrowserPage, Page};
use crate::drive::server::PageSetup;
use crate::judge::capability;
use crate::lab::{Project, Session};
use crate::run::exit::Exit;
use crate::run::probe;
use crate::spec::bundle::BundleChoice;
use crate::spec::cell::BrowserName;
use crate::spec::matrix::Timeouts;

/// Arguments of `tierproof probe`.
#[derive(Debug, Args)]
pub(super) struct ProbeArgs {
    /// Only these browsers [default: all that are installed]
    #[arg(long, value_delimiter = ',', value_parser = browser)]
    browser: Vec<BrowserName>,
    #[command(flatten)]
    gpu: GpuArgs,
    #[command(flatten)]
    launch: LaunchArgs,
    /// The folder of the reports
    #[arg(long, value_name = "DIR", default_value = "report")]
    out: PathBuf,
    /// Print a JSON object for each browser
    #[arg(long)]
    json: bool,
}

pub(super) fn run(project: &Project, args: &ProbeArgs) -> Answer {
    let lab = args.launch.lab(project)?;
    let installed = BrowserName::ALL.into_iter().filter(|name| {
        *name != BrowserName::Native && !lab.facts().missing_browsers.contains_key(name)
    });
    let browsers: Vec<_> =
        installed.filter(|name| args.browser.is_empty() || args.browser.contains(name)).collect();
    if browsers.is_empty() {
        return Err(Failure::setup("no browser to probe\n  hint: `tierproof setup` installs some"));
    }
    let bundle = lab.bundle(BundleChoice::default(), false, &mut note)?;
    runtime::on_runtime(async {
        let session = lab.session(Some(bundle), &args.out, Timeouts::default().launch).await?;
        let work = async {
            let mut exit = Exit::Expected;
            for name in browsers {
                if let Err(message) = one(&session, name, args).await {
                    anstream::eprintln!("{name}: {message}");
                    exit = Exit::Setup;
                }
            }
            exit
        };
        let exit = tokio::select! {
            exit = work => exit,
            () = runtime::interrupted() => Exit::Interrupted,
        };
        session.shutdown().await;
        Ok(exit)
    })
}

async fn one(session: &Session, name: BrowserName, args: &ProbeArgs) -> Result<(), String> {
    let profile = args.gpu.profile(name, &args.launch);
    let launched = session.launcher.launch(profile).await.map_err(|error| error.to_string())?;
    let probed = async {
        let handle =
            session.server.open(PageSetup::default()).map_err(|error| error.to_string())?;
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
