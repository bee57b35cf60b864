//! `tierproof run`.

use std::path::PathBuf;

use clap::Args;

use super::arguments::{BundleArgs, LaunchArgs, NarrowArgs, seeded};
use super::failure::{Answer, Failure, note};
use super::runtime::{interrupted, interrupted_twice, on_runtime};
use crate::lab::{Options, Project};
use crate::report::terminal::{Terminal, TerminalOptions};
use crate::report::{Reporters, html, jsonl, junit};
use crate::run::Mutant;
use crate::run::event::RunEvent;
use crate::run::exit::Exit;
use crate::spec::environment::is_ci;

/// Arguments of `tierproof run`.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// The matrix
    #[arg(default_value = "matrices/default.toml")]
    matrix: PathBuf,
    #[command(flatten)]
    narrow: NarrowArgs,
    #[command(flatten)]
    bundle: BundleArgs,
    #[command(flatten)]
    launch: LaunchArgs,
    /// How many browsers run at a time [default: the matrix's number]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    jobs: Option<u32>,
    /// The folder of the report
    #[arg(long, value_name = "DIR", default_value = "report")]
    out: PathBuf,
    /// Plain lines, even on a terminal
    #[arg(long)]
    ci: bool,
    /// Write traces of the hybrid client that differ from their goldens beside them, for review
    #[arg(long, conflicts_with = "ci")]
    update_traces: bool,
    /// Build a known defect into the engine or the hybrid client, to check that the matrix catches it
    #[arg(long, value_name = "FAULT", value_parser = seeded)]
    seeded_fault: Option<Mutant>,
}

impl RunArgs {
    fn options(&self) -> Options {
        Options {
            out: self.out.clone(),
            jobs: self.jobs,
            is_headed: self.launch.headed,
            mutant: self.seeded_fault,
            records_traces: self.update_traces,
        }
    }

    fn reporters(&self, verbose: u8) -> Result<Reporters, Failure> {
        let options =
            TerminalOptions { is_verbose: verbose > 0, report_folder: Some(self.out.clone()) };
        let terminal = if self.ci {
            Terminal::plain(std::io::stdout(), options)
        } else {
            Terminal::stdout(options)
        };
        let log = jsonl::Jsonl::create(&self.out.join("run.jsonl")).map_err(Failure::setup)?;
        Ok(Reporters::new()
            .with(terminal)
            .with(log)
            .with(junit::Junit::new(self.out.join("junit.xml")))
            .with(html::Html::new(self.out.join("index.html"))))
    }
}

pub(super) fn run(project: &Project, args: &RunArgs, verbose: u8) -> Answer {
    let lab = args.launch.lab(project)?;
    let mut resolved = lab.matrix(&args.matrix)?;
    resolved.matrix.bundle = args.bundle.choice(resolved.matrix.bundle)?;
    let plan = lab.plan(&resolved, &args.narrow.filters()?)?;
    if args.update_traces && is_ci() {
        return Err(Failure::usage(miette::miette!(
            help = "run it where a person can review them",
            "`--update-traces` writes traces for review, and `CI` is set"
        )));
    }
    let prepared = lab.prepare(&resolved, &plan, args.options(), &mut note)?;
    let mut reporters = args.reporters(verbose)?;
    let exit = on_runtime(async {
        let mut sink = |event: &RunEvent| reporters.event(event);
        tokio::select! {
            finished = prepared.start(interrupted(), &mut sink) => Ok(finished?.exit),
            // The second signal waits for nothing. The supervisors see our pipes close.
            () = interrupted_twice() => Ok(Exit::Interrupted),
        }
    })?;
    match reporters.finish() {
        Ok(()) => Ok(exit),
        Err(errors) if exit == Exit::Expected => Err(Failure::setup(errors)),
        Err(errors) => {
            anstream::eprintln!("{errors}");
            Ok(exit)
        }
    }
}
