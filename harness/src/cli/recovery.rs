//! `tierproof recovery`; the work is in [`crate::bench::recovery`].

use std::sync::Arc;

use clap::Args;
use inference_wasm::protocol::BackendName;

use super::arguments::{BundleArgs, LaunchArgs, backend};
use super::failure::{Answer, Failure, note, say};
use super::runtime;
use crate::bench::recovery::{self, Crash, Lap, Trial};
use crate::drive::server::{DEFAULT_SHARD_BYTES, ServedModel};
use crate::lab::{Project, Session};
use crate::run::exit::Exit;
use crate::spec::bundle::BundleChoice;
use crate::spec::cell::BrowserName;
use crate::spec::launch::{LaunchProfile, Variant};
use crate::spec::matrix::Timeouts;

const AFTER_HELP: &str = "\
The browser is Chromium, which has a command for crashing the GPU process, launched without a limit
on crashes. Phases: detect, from the crash until the client notices; device, until a fresh worker
has an adapter and a device; probe, its first dispatch; storage, hashing the stored model; upload,
until the model is on the device; replay, until the first token that is new to the user.";

/// Arguments of `tierproof recovery`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct RecoveryArgs {
    /// The tiers whose device is lost
    #[arg(long, value_delimiter = ',', value_parser = backend, default_value = "webgpu,webgl")]
    backend: Vec<BackendName>,
    /// The model
    #[arg(long, default_value = "scribe-low-Q4_0")]
    model: String,
    /// Crashes of the GPU process for each tier
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    crashes: u32,
    /// Print a JSON object for each tier: `backend`, `laps`, `other_ways`
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    bundle: BundleArgs,
    #[command(flatten)]
    launch: LaunchArgs,
}

pub(super) fn run(project: &Project, args: &RecoveryArgs) -> Answer {
    let choice = args.bundle.choice(BundleChoice::default())?;
    let lab = args.launch.lab(project)?;
    let cache = Project::cache()?;
    let resolved = project.catalogue()?.resolve(&args.model, &cache);
    let model = resolved.map_err(Failure::invalid)?;
    let served = ServedModel::read(&model.path, &model.name, DEFAULT_SHARD_BYTES);
    let served = Arc::new(served.map_err(Failure::setup)?);
    let bundle = lab.bundle(choice, false, &mut note)?;
    let scratch = tempfile::tempdir().map_err(Failure::setup)?;
    runtime::on_runtime(async {
        let session = lab.session(Some(bundle), scratch.path(), Timeouts::default().launch).await?;
        let work = async {
            let mut exit = Exit::Expected;
            for backend in &args.backend {
                let trial =
                    Trial { model: served.clone(), backend: *backend, crashes: args.crashes };
                if !one(&session, &trial, args).await? {
                    exit = Exit::Unexpected;
                }
            }
            Ok(exit)
        };
        let answer = tokio::select! {
            answer = work => answer,
            () = runtime::interrupted() => Ok(Exit::Interrupted),
        };
        session.shutdown().await;
        answer
    })
}

/// Tests one tier in its own browser. False if a crash was not recovered from on the same tier.
async fn one(session: &Session, trial: &Trial, args: &RecoveryArgs) -> Result<bool, Failure> {
    let profile = LaunchProfile {
        variant: Variant::CrashableGpu,
        ..LaunchProfile::new(BrowserName::Chrome, args.launch.headed)
    };
    let browser = session.launcher.launch(profile).await.map_err(Failure::setup)?;
    let backend = trial.backend;
    let mut each = |round: u32, crash: &Crash| match crash {
        Crash::Recovered(lap) => {
            tracing::info!("{backend}: crash {round}: {:.0} ms", lap.total_ms());
        }
        Crash::OtherWay => {
            tracing::warn!("{backend}: crash {round}: not recovered on the same tier");
        }
    };
    let crashes = recovery::crash(&browser, &session.server, trial, &mut each).await;
    if let Err(trouble) = browser.close().await {
        tracing::info!("a browser was not closed in order: {trouble}");
    }
    let crashes = crashes.map_err(Failure::setup)?;
    let laps: Vec<Lap> = crashes
        .iter()
        .filter_map(|crash| match crash {
            Crash::Recovered(lap) => Some(*lap),
            Crash::OtherWay => None,
        })
        .collect();
    let other_ways = crashes.len() - laps.len();
    let text = if args.json {
        serde_json::json!({ "backend": backend, "laps": laps, "other_ways": other_ways })
            .to_string()
            + "\n"
    } else {
        let mut text = recovery::table(&format!("chrome/{backend}"), &laps);
        if other_ways > 0 {
            text.push_str(&format!(
                "  {other_ways} crashes were not recovered from on the same tier\n"
            ));
        }
        text
    };
    say(text)?;
    Ok(other_ways == 0)
}
