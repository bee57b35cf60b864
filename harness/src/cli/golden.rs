//! `tierproof golden`; the work is in [`crate::judge::golden`].

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use super::failure::{Answer, Failure};
use crate::judge::golden::check;
use crate::judge::golden::generate::Generator;
use crate::judge::golden::{Goldens, ReferenceKind};
use crate::lab::{Lab, Project};
use crate::run::exit::Exit;

/// Subcommands of `tierproof golden`.
#[derive(Debug, Subcommand)]
pub(super) enum GoldenCommand {
    /// Check that every golden that a matrix needs exists and is fresh, and that none is left over
    Check,
    /// Generate goldens with the independent reference, in Python; fails if `CI` is set
    Generate(GenerateArgs),
}

/// Arguments of `tierproof golden generate`.
#[derive(Debug, Args)]
pub(super) struct GenerateArgs {
    /// Only for these models [default: all that are installed]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    model: Vec<String>,
    /// Only for these scenarios [default: all]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    scenario: Vec<String>,
    /// Write nothing: compare the reference's current answers with the stored ones
    #[arg(long)]
    check: bool,
}

pub(super) fn run(project: &Project, command: &GoldenCommand) -> Answer {
    let goldens = project.goldens();
    let generator =
        Generator { reference: project.join("fixtures/reference"), cache: Project::cache()? };
    match command {
        GoldenCommand::Check => check(project, &goldens, &generator),
        GoldenCommand::Generate(args) => generate(project, args, &goldens, &generator),
    }
}

fn check(project: &Project, goldens: &Goldens, generator: &Generator) -> Answer {
    let traces = project.traces();
    let lab = Lab::open(project.clone())?;
    let wanted = lab.wanted_goldens()?;
    let sources = ReferenceKind::ALL
        .into_iter()
        .map(|kind| Ok((kind, generator.source_sha256(kind)?)))
        .collect::<std::io::Result<_>>()
        .map_err(Failure::setup)?;
    let problems = check::check(goldens, &wanted, &sources);
    let of_traces = traces.problems(&lab.wanted_traces()?).map_err(Failure::setup)?;
    let problems: Vec<String> = problems.iter().map(ToString::to_string).chain(of_traces).collect();
    for problem in &problems {
        anstream::eprintln!("{problem}");
    }
    anstream::println!("{} goldens, {} problems", wanted.len(), problems.len());
    Ok(if problems.is_empty() { Exit::Expected } else { Exit::Unexpected })
}

fn generate(
    project: &Project,
    args: &GenerateArgs,
    goldens: &Goldens,
    generator: &Generator,
) -> Answer {
    let catalogue = project.catalogue()?;
    let is_chosen = |names: &[String], name: &String| names.is_empty() || names.contains(name);
    let chosen: Vec<_> = Lab::open(project.clone())?
        .wanted_goldens()?
        .into_iter()
        .filter(|golden| is_chosen(&args.model, &golden.model))
        .filter(|golden| is_chosen(&args.scenario, &golden.scenario))
        .collect();
    if chosen.is_empty() {
        return Err(Failure::usage(miette::miette!(
            help = "`tierproof plan --all` shows the names",
            "no matrix needs a golden of these models and scenarios"
        )));
    }
    let mut exit = Exit::Expected;
    for golden in &chosen {
        let name = format!("{}/{}", golden.model, golden.scenario);
        let Some(entry) = catalogue.get(&golden.model) else { continue };
        let path = catalogue.path_of(entry, &generator.cache);
        if !path.is_file() {
            anstream::eprintln!(
                "{name}: skipped, run `tierproof models fetch {}` first",
                golden.model
            );
            exit = Exit::Setup;
            continue;
        }
        let spinner = spinner(&name);
        let mut progress = |step: String| {
            if spinner.is_hidden() {
                anstream::eprintln!("{name}: {step}");
            }
            spinner.set_message(step);
        };
        if args.check {
            let compared = generator.differences(goldens, golden, &path, &mut progress);
            spinner.finish_and_clear();
            let differences = compared.map_err(Failure::setup)?;
            for difference in &differences {
                anstream::eprintln!("{name}: {difference}");
                exit = Exit::Unexpected;
            }
            if differences.is_empty() {
                anstream::println!("{name}: unchanged");
            }
        } else {
            let path = generator.generate(goldens, golden, &path, &mut progress);
            spinner.finish_and_clear();
            anstream::println!("{name}: {}", path.map_err(Failure::setup)?.display());
        }
    }
    Ok(exit)
}

fn spinner(name: &str) -> ProgressBar {
    // indicatif hides it if standard error is not a terminal.
    let style = ProgressStyle::with_template("{spinner} {prefix}: {msg}");
    ProgressBar::new_spinner()
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
        .with_prefix(name.to_owned())
}
