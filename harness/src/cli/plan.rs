//! `tierproof plan`.

use std::path::PathBuf;

use clap::Args;

use super::machine::Machine;
use super::workspace::Workspace;
use super::{Answer, Failure, LaunchArgs, NarrowArgs, say};
use crate::plan::{Detail, Plan, render, render_json_lines};
use crate::run::exit::Exit;

/// Arguments of `tierproof plan`.
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// The matrix
    #[arg(default_value = "matrices/default.toml")]
    matrix: PathBuf,
    #[command(flatten)]
    narrow: NarrowArgs,
    /// Print a JSON object for each cell
    #[arg(long)]
    json: bool,
    /// Print every cell, and what the matrix excludes
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    launch: LaunchArgs,
}

pub(crate) fn run(workspace: &Workspace, args: &PlanArgs) -> Answer {
    let machine = Machine::look(workspace, &args.launch)?;
    let (matrix, _) = machine.matrix(&args.matrix)?;
    let plan = Plan::new(&matrix, &args.narrow.filters()?, &machine.facts)
        .map_err(|error| Failure { exit: Exit::NothingRan, report: error.into() })?;
    let text = if args.json {
        render_json_lines(&plan).map_err(Failure::setup)?
    } else {
        render(&plan, if args.all { Detail::Cells } else { Detail::Grouped })
    };
    say(text)?;
    Ok(Exit::Expected)
}
