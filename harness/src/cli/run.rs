//! `tierproof run`.

use std::path::PathBuf;

use clap::Args;

use super::machine::{self, Machine};
use super::workspace::Workspace;
use super::{Answer, BundleArgs, Failure, LaunchArgs, NarrowArgs, seeded};
use crate::judge::golden::generate::is_ci;
use crate::judge::golden::{Goldens, Traces};
use crate::plan::{Plan, Sources, resolve};
use crate::report::{Reporters, html, jsonl, junit, terminal};
use crate::run::exit::Exit;
use crate::run::{self, Mutant};

/// Arguments of `tierproof run`.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
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
    /// Where the report goes
    #[arg(long, value_name = "DIR", default_value = "report")]
    out: PathBuf,
    /// Plain lines, even on a terminal
    #[arg(long)]
    ci: bool,
    /// Put traces of the hybrid client that differ from their goldens beside them, for review
    #[arg(long, conflicts_with = "ci")]
    update_traces: bool,
    /// Build a known defect into the engine or the hybrid client, to see that the matrix catches it
    #[arg(long, value_name = "FAULT", value_parser = seeded)]
    seeded_fault: Option<Mutant>,
}

pub(crate) fn run(workspace: &Workspace, args: &RunArgs, verbose: u8) -> Answer {
    let machine = Machine::look(workspace, &args.launch)?;
    let (mut matrix, fixtures) = machine.matrix(&args.matrix)?;
    matrix.bundle = args.bundle.choice(matrix.bundle)?;
    let plan = Plan::new(&matrix, &args.narrow.filters()?, &machine.facts)
        .map_err(|error| Failure { exit: Exit::NothingRan, report: error.into() })?;
    let goldens = Goldens::new(workspace.join("golden"));
    if args.update_traces && is_ci(std::env::var("CI").ok().as_deref()) {
        return Err(Failure::usage(miette::miette!(
            help = "run it where somebody can look at them",
            "`--update-traces` writes traces for review, and `CI` is set"
        )));
    }
    let traces = Traces::new(&workspace.join("golden"));
    let traces = if args.update_traces { traces.recording() } else { traces };
    let sources = Sources {
        matrix: &matrix,
        fixtures: &fixtures,
        models: &machine.model_files(),
        goldens: &goldens,
        is_headed: args.launch.headed,
    };
    let cells = resolve(&plan, &sources).map_err(Failure::usage)?;
    let bundle =
        machine::bundle(workspace, &args.launch, (&plan, &matrix), args.seeded_fault.is_some())?;
    let jobs = args.jobs.unwrap_or(matrix.jobs);

    let options = terminal::TerminalOptions {
        is_verbose: verbose > 0,
        report_folder: Some(args.out.clone()),
    };
    let terminal = if args.ci {
        terminal::Terminal::plain(std::io::stdout(), options)
    } else {
        terminal::Terminal::stdout(options)
    };
    let log = jsonl::Jsonl::create(&args.out.join("run.jsonl")).map_err(Failure::setup)?;
    let mut reporters = Reporters::new()
        .with(terminal)
        .with(log)
        .with(junit::Junit::new(args.out.join("junit.xml")))
        .with(html::Html::new(args.out.join("index.html")));

    let exit = machine::on_runtime(async {
        let stage = machine::Stage::set(&machine, bundle, &args.out, &matrix.timeouts).await?;
        let run = run::Run {
            matrix: &matrix,
            plan: &plan,
            cells: &cells,
            server: &stage.server,
            launcher: &stage.launcher,
            jobs: jobs as usize,
            mutant: args.seeded_fault,
            traces: &traces,
        };
        let mut sink = |event: &_| reporters.event(event);
        let ended = tokio::select! {
            exit = run::run(&run, machine::interrupted(), &mut sink) => Some(exit),
            // The second signal: don't wait for anybody. The supervisors see our pipes close.
            () = machine::interrupted_twice() => None,
        };
        if ended.is_some() {
            stage.strike().await;
        }
        Ok(ended.unwrap_or(Exit::Interrupted))
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
