//! `tierproof plan`.

use std::path::PathBuf;

use clap::Args;

use super::arguments::{LaunchArgs, NarrowArgs};
use super::failure::{Answer, Failure, say};
use crate::lab::Project;
use crate::plan::{Detail, render, render_json_lines};
use crate::run::exit::Exit;

/// Arguments of `tierproof plan`.
#[derive(Debug, Args)]
pub(super) struct PlanArgs {
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

pub(super) fn run(project: &Project, args: &PlanArgs) -> Answer {
    let lab = args.launch.lab(project)?;
    let resolved = lab.matrix(&args.matrix)?;
    let plan = lab.plan(&resolved, &args.narrow.filters()?)?;
    let text = if args.json {
        render_json_lines(&plan).map_err(Failure::setup)?
    } else {
        render(&plan, if args.all { Detail::Cells } else { Detail::Grouped })
    };
    say(text)?;
    Ok(Exit::Expected)
}
