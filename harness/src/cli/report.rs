//! `tierproof report`.

use std::path::PathBuf;

use clap::Args;

use super::failure::{Answer, Failure};
use crate::report::{Reporters, html, junit, replay, terminal};
use crate::run::exit::Exit;

/// Arguments of `tierproof report`.
#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// Logs of runs; several are merged, and a later one wins where both have a cell
    #[arg(default_value = "report/run.jsonl")]
    logs: Vec<PathBuf>,
    /// The folder of the report
    #[arg(long, value_name = "DIR", default_value = "report")]
    out: PathBuf,
}

pub(super) fn run(args: &ReportArgs, verbose: u8) -> Answer {
    let options = terminal::TerminalOptions {
        is_verbose: verbose > 0,
        report_folder: Some(args.out.clone()),
    };
    let mut reporters = Reporters::new()
        .with(terminal::Terminal::stdout(options))
        .with(junit::Junit::new(args.out.join("junit.xml")))
        .with(html::Html::new(args.out.join("index.html")));
    let replayed = replay::replay(&args.logs, &mut reporters).map_err(Failure::setup)?;
    reporters.finish().map_err(Failure::setup)?;
    if !replayed.is_finished {
        anstream::eprintln!("the log has no end: the run was killed, or is still running");
    }
    Ok(Exit::from_code(replayed.exit_code))
}
