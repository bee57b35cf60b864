//! `tierproof wasm-test`; the work is in [`crate::drive::bundle::browser_tests`].

use std::ffi::OsStr;

use clap::Args;
use inference_wasm::protocol::BundleName;

use super::arguments::{browser, overrides};
use super::failure::{Answer, Failure};
use super::runtime;
use crate::drive::browser::supervise::Supervisor;
use crate::drive::browser::{Display, Overrides, installation};
use crate::drive::bundle::browser_tests::{self, Ended, Setting};
use crate::lab::Project;
use crate::run::exit::Exit;
use crate::spec::bundle::parse_bundle;
use crate::spec::cell::BrowserName;

/// The subcommand that cargo calls for each module.
pub(super) const RUNNER: &str = "__wasm-test-runner";

/// Arguments of `tierproof wasm-test`.
#[derive(Debug, Args)]
pub(super) struct WasmTestArgs {
    /// Only tests with this in their names
    filter: Option<String>,
    /// Only in these browsers: chrome and firefox
    #[arg(long, value_delimiter = ',', value_parser = browser, default_values_t = [BrowserName::Chrome, BrowserName::Firefox])]
    browser: Vec<BrowserName>,
    /// Compile them like this bundle: scalar, base or relaxed
    #[arg(long, value_name = "NAME", value_parser = bundle_for_tests, default_value_t = BundleName::Base)]
    bundle: BundleName,
    /// Use this driver: NAME is chrome or firefox
    #[arg(long = "driver", value_name = "NAME=PATH")]
    drivers: Vec<String>,
}

/// The runner's page can't start worker threads.
fn bundle_for_tests(text: &str) -> Result<BundleName, String> {
    match parse_bundle(text).map_err(|error| error.to_string())? {
        BundleName::Threads => Err("tests of wasm-bindgen can't run with threads".to_owned()),
        bundle => Ok(bundle),
    }
}

pub(super) fn run(project: &Project, args: &WasmTestArgs) -> Answer {
    if let Some(other) = args.browser.iter().find(|name| !browser_tests::can_run_in(**name)) {
        return Err(Failure::usage(miette::miette!(
            help = "`chrome` and `firefox` can; `tierproof run` drives the others",
            "`--browser`: tests of wasm-bindgen can't run in `{other}`"
        )));
    }
    let overrides = overrides(&args.drivers)?;
    runtime::on_runtime(async {
        let scratch = tempfile::tempdir().map_err(Failure::setup)?;
        let supervisor = Supervisor::this_executable().map_err(Failure::setup)?;
        // Firefox has no WebGL without a display, and the runner starts none.
        let needs_display =
            cfg!(target_os = "linux") && args.browser.contains(&BrowserName::Firefox);
        let display = if needs_display {
            Some(Display::start(&supervisor, scratch.path()).await.map_err(Failure::setup)?)
        } else {
            None
        };
        let exit = in_browsers(project, args, &overrides, display.as_ref());
        if let Some(display) = display {
            display.shutdown().await;
        }
        exit
    })
}

fn in_browsers(
    project: &Project,
    args: &WasmTestArgs,
    overrides: &Overrides,
    display: Option<&Display>,
) -> Answer {
    let environment = display.map(Display::env).unwrap_or_default();
    let this = std::env::current_exe().map_err(Failure::setup)?;
    let runner = [this.as_os_str(), OsStr::new(RUNNER)];
    let mut exit = Exit::Expected;
    for &name in &args.browser {
        let installation = installation(name, overrides).map_err(Failure::setup)?;
        let print = |line: &str| anstream::eprintln!("{line}");
        let setting = Setting {
            installation: &installation,
            bundle: args.bundle,
            filter: args.filter.as_deref(),
            environment: &environment,
        };
        let ended =
            browser_tests::run(project.root(), &setting, &runner, print).map_err(Failure::setup)?;
        match ended {
            Ended::Passed => anstream::println!("{name}: passed"),
            Ended::Failed => {
                anstream::println!("{name}: failed");
                exit = Exit::Unexpected;
            }
            Ended::Empty => {
                anstream::println!("{name}: failed, since a module has no browser tests");
                exit = Exit::Unexpected;
            }
        }
    }
    Ok(exit)
}
