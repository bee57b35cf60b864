//! `tierproof bundle`, and the runner of wasm-bindgen tests.

use std::ffi::OsString;

use clap::Args;

use super::workspace::Workspace;
use super::{Answer, Failure, say};
use crate::bundle::{self, BundleOptions};
use crate::run::exit::Exit;

/// Arguments of `tierproof bundle`.
#[derive(Debug, Args)]
pub(crate) struct BundleArgs {
    /// Build the defects in that tests of the harness ask for; never ship it
    #[arg(long)]
    seeded_faults: bool,
}

pub(crate) fn run(workspace: &Workspace, args: &BundleArgs) -> Answer {
    let options = BundleOptions { seeded_faults: args.seeded_faults };
    let bundle = bundle::build(workspace.root(), options, |line| anstream::eprintln!("{line}"))
        .map_err(Failure::setup)?;
    say(format!("{}\n", bundle.dir.display()))?;
    Ok(Exit::Expected)
}

/// What cargo calls for each test binary of the target.
pub(crate) fn test_runner(args: Vec<OsString>) -> Answer {
    match bundle::test_runner::run(args) {
        Ok(()) => Ok(Exit::Expected),
        Err(error) => Err(Failure { exit: Exit::Unexpected, report: miette::miette!("{error:#}") }),
    }
}
