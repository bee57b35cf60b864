//! `tierproof golden`; the work is in [`crate::judge::golden`].

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use inference_wasm::protocol::BackendName;

use super::machine::Machine;
use super::workspace::Workspace;
use super::{Answer, Failure};

use crate::fetch::models;
use crate::judge::golden::check::{Wanted, check};
use crate::judge::golden::generate::Generator;
use crate::judge::golden::{Goldens, ReferenceKind, Traces};
use crate::plan::requests;
use crate::run::exit::Exit;
use crate::spec::matrix::Matrix;
use crate::spec::scenario::{Fixtures, Step};

/// Subcommands of `tierproof golden`.
#[derive(Debug, Subcommand)]
pub(crate) enum GoldenCommand {
    /// Check that every golden that a matrix needs is there and fresh, and that none is left over
    Check,
    /// Make goldens with the independent reference, in Python; refused where `CI` is set
    Generate(GenerateArgs),
}

/// Arguments of `tierproof golden generate`.
#[derive(Debug, Args)]
pub(crate) struct GenerateArgs {
    /// Only of these models [default: all that are here]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    model: Vec<String>,
    /// Only of these scenarios [default: all]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    scenario: Vec<String>,
    /// Write nothing: compare what the reference answers now with what is filed
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(workspace: &Workspace, command: &GoldenCommand) -> Answer {
    let goldens = Goldens::new(workspace.join("golden"));
    let generator = Generator {
        reference: workspace.join("fixtures/reference"),
        cache: models::cache_folder().map_err(Failure::setup)?,
    };
    let wanted = wanted(workspace)?;
    match command {
        GoldenCommand::Check => {
            let sources = ReferenceKind::ALL
                .into_iter()
                .map(|kind| Ok((kind, generator.source_sha256(kind)?)))
                .collect::<std::io::Result<_>>()
                .map_err(Failure::setup)?;
            let problems = check(&goldens, &wanted, &sources);
            let problems = problems.iter().map(ToString::to_string);
            let traces = Traces::new(&workspace.join("golden"));
            let of_traces = traces.problems(&wanted_traces(workspace)?).map_err(Failure::setup)?;
            let problems: Vec<String> = problems.chain(of_traces).collect();
            for problem in &problems {
                anstream::eprintln!("{problem}");
            }
            anstream::println!("{} goldens, {} problems", wanted.len(), problems.len());
            Ok(if problems.is_empty() { Exit::Expected } else { Exit::Unexpected })
        }
        GoldenCommand::Generate(args) => generate(workspace, args, &goldens, &generator, wanted),
    }
}

fn generate(
    workspace: &Workspace,
    args: &GenerateArgs,
    goldens: &Goldens,
    generator: &Generator,
    wanted: Vec<Wanted>,
) -> Answer {
    let catalogue = workspace.catalogue()?;
    let is_chosen = |names: &[String], name: &String| names.is_empty() || names.contains(name);
    let chosen: Vec<_> = wanted
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
        let path: PathBuf = catalogue.path_of(entry, &generator.cache);
        if !path.is_file() {
            anstream::eprintln!("{name}: left out, run `tierproof models fetch {}`", golden.model);
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
            let told = generator.differences(goldens, golden, &path, &mut progress);
            spinner.finish_and_clear();
            let differences = told.map_err(Failure::setup)?;
            for difference in &differences {
                anstream::eprintln!("{name}: {difference}");
                exit = Exit::Unexpected;
            }
            if differences.is_empty() {
                anstream::println!("{name}: the reference says the same");
            }
        } else {
            let told = generator.generate(goldens, golden, &path, &mut progress);
            spinner.finish_and_clear();
            anstream::println!("{name}: {}", told.map_err(Failure::setup)?.display());
        }
    }
    Ok(exit)
}

fn spinner(name: &str) -> ProgressBar {
    // Hidden by indicatif itself where standard error is no terminal.
    let style = ProgressStyle::with_template("{spinner} {prefix}: {msg}");
    ProgressBar::new_spinner()
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
        .with_prefix(name.to_owned())
}

/// The traces that any matrix of the workspace needs: scenario and starting tier.
fn wanted_traces(workspace: &Workspace) -> Result<BTreeSet<(String, BackendName)>, Failure> {
    let mut wanted = BTreeSet::new();
    for (matrix, _) in matrices(workspace)? {
        for cell in crate::spec::matrix::expand(&matrix).cells {
            let Some(client) = matrix.client(&cell) else { continue };
            let is_had = cell.unsupported_pair().is_none();
            if is_had && client.unsupported(cell.browser, cell.backend).is_none() {
                wanted.insert((cell.scenario, cell.backend));
            }
        }
    }
    Ok(wanted)
}

/// Every matrix of the workspace.
fn matrices(workspace: &Workspace) -> Result<Vec<(Matrix, Fixtures)>, Failure> {
    let machine = Machine::look(workspace, &super::LaunchArgs::default())?;
    let mut matrices: Vec<PathBuf> = fs_err::read_dir(workspace.join("matrices"))
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
        .map_err(Failure::setup)?;
    matrices.retain(|path| path.extension().is_some_and(|ending| ending == "toml"));
    matrices.sort();
    matrices.iter().map(|path| machine.matrix(path)).collect()
}

/// The goldens that any matrix of the workspace needs.
fn wanted(workspace: &Workspace) -> Result<Vec<Wanted>, Failure> {
    let catalogue = workspace.catalogue()?;
    let mut wanted: BTreeMap<(String, String), Wanted> = BTreeMap::new();
    for (matrix, fixtures) in matrices(workspace)? {
        for cell in crate::spec::matrix::expand(&matrix).cells {
            let Some(scenario) = fixtures.scenarios.get(&cell.scenario) else { continue };
            let Some(entry) = catalogue.get(&cell.model) else { continue };
            let Some(set) = fixtures.prompts.get(entry.prompt_set()) else { continue };
            if !scenario.needs_golden() {
                continue;
            }
            let needs_logits = scenario.steps.iter().any(|step| matches!(step, Step::Score(_)));
            let key = (cell.model.clone(), scenario.golden_key().to_owned());
            let golden = wanted.entry(key.clone()).or_insert_with(|| Wanted {
                model: key.0,
                model_sha256: entry.sha256.clone(),
                reference: entry.reference,
                cases: requests(set, &key.1),
                scenario: key.1,
                needs_logits: false,
            });
            golden.needs_logits |= needs_logits;
        }
    }
    // A model of the catalogue that no matrix runs yet may have goldens of its own.
    Ok(wanted.into_values().collect())
}
