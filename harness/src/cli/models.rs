//! `tierproof models`; the work is in [`crate::fetch::models`].

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};

use super::failure::{Answer, Failure, say};
use crate::fetch::models::{self, Catalogue, Entry, FetchOptions, FetchProgress, Source};
use crate::lab::Project;
use crate::run::exit::Exit;

/// Subcommands of `tierproof models`.
#[derive(Debug, Subcommand)]
pub(super) enum ModelsCommand {
    /// Show the catalogue: the needs of each model, and whether it is installed
    List {
        /// Print a JSON array with everything known about each model
        #[arg(long)]
        json: bool,
    },
    /// Show one model: memory, licence, terms, source
    Show {
        /// Its name in the catalogue
        name: String,
        /// Print a JSON object
        #[arg(long)]
        json: bool,
    },
    /// Fetch models into the cache, resuming an earlier attempt
    Fetch {
        /// Names in the catalogue [default: every missing model of a registry that has
        /// no terms]
        names: Vec<String>,
        /// Agree to a model's terms, which `models show` names; repeatable
        #[arg(long, value_name = "TERMS")]
        accept_terms: Vec<String>,
        /// Also models that are too large for a page, for `--browser native`
        #[arg(long)]
        for_native: bool,
    },
    /// Check size and SHA-256 of the installed models
    Verify {
        /// Names in the catalogue [default: every installed model]
        names: Vec<String>,
    },
}

pub(super) fn run(project: &Project, command: &ModelsCommand) -> Answer {
    let catalogue = project.catalogue()?;
    let cache = Project::cache()?;
    match command {
        ModelsCommand::List { json } => {
            let rows = models::rows(&catalogue, &cache);
            say(if *json { json_line(&rows)? } else { models::list(&rows) })?;
            Ok(Exit::Expected)
        }
        ModelsCommand::Show { name, json } => {
            let rows = models::rows(&catalogue, &cache);
            let Some(row) = rows.iter().find(|row| row.entry.name == *name) else {
                return Err(unknown(&catalogue, &cache, name));
            };
            say(if *json { json_line(row)? } else { models::details(row) })?;
            Ok(Exit::Expected)
        }
        ModelsCommand::Fetch { names, accept_terms, for_native } => {
            let is_wanted = |entry: &Entry, path: &PathBuf| {
                let has_registry = !matches!(entry.source, Source::File(_) | Source::Url(_));
                has_registry && entry.terms.is_none() && !path.is_file()
            };
            let mut options =
                FetchOptions { accepted_terms: accept_terms.clone(), is_for_native: *for_native };
            for (entry, path) in chosen(&catalogue, &cache, names, is_wanted)? {
                if !path.is_file() {
                    ask_for_terms(entry, &mut options);
                }
                let bar = bar(entry);
                let fetched =
                    models::fetch(entry, &path, &options, &mut |progress| show(&bar, progress));
                bar.finish_and_clear();
                fetched.map_err(Failure::setup)?;
                say(format!("{}: {}\n", entry.name, path.display()))?;
            }
            Ok(Exit::Expected)
        }
        ModelsCommand::Verify { names } => {
            let mut exit = Exit::Expected;
            for (entry, path) in chosen(&catalogue, &cache, names, |_, path| path.is_file())? {
                let bar = bar(entry);
                let mut progress = |bytes| show(&bar, FetchProgress::Bytes(bytes, entry.bytes));
                let checked = models::check_file(&path, entry.bytes, &entry.sha256, &mut progress);
                bar.finish_and_clear();
                match checked {
                    Ok(()) => say(format!("{}: verified\n", entry.name))?,
                    Err(problem) => {
                        anstream::eprintln!("{}: {problem}", entry.name);
                        exit = Exit::Unexpected;
                    }
                }
            }
            Ok(exit)
        }
    }
}

/// The named entries, or those that `is_default` takes.
fn chosen<'c>(
    catalogue: &'c Catalogue,
    cache: &std::path::Path,
    names: &[String],
    is_default: impl Fn(&Entry, &PathBuf) -> bool,
) -> Result<Vec<(&'c Entry, PathBuf)>, Failure> {
    let with_path = |entry: &'c Entry| (entry, catalogue.path_of(entry, cache));
    if names.is_empty() {
        let all = catalogue.entries().iter().map(with_path);
        return Ok(all.filter(|(entry, path)| is_default(entry, path)).collect());
    }
    names
        .iter()
        .map(|name| {
            catalogue.get(name).map(with_path).ok_or_else(|| unknown(catalogue, cache, name))
        })
        .collect()
}

/// The error for an unknown name, as in every other command.
fn unknown(catalogue: &Catalogue, cache: &std::path::Path, name: &str) -> Failure {
    let message = match catalogue.resolve(name, cache) {
        Err(error) => error.to_string(),
        Ok(_) => format!("`{name}` is a file, expected a name in the catalogue"),
    };
    Failure::invalid(message)
}

fn json_line(value: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map(|text| text + "\n").map_err(Failure::setup)
}

/// On a terminal, shows terms and asks for agreement; elsewhere the fetch fails and names the flag
/// that agrees.
fn ask_for_terms(entry: &Entry, options: &mut FetchOptions) {
    let Some(terms) = &entry.terms else { return };
    if options.accepted_terms.contains(&terms.name) || !std::io::stdin().is_terminal() {
        return;
    }
    anstream::eprintln!("{}: {} ({})\n{}", entry.name, terms.title, terms.url, terms.summary);
    let question = format!("Do you agree to the {}?", terms.title);
    let answer = dialoguer::Confirm::new().with_prompt(question).default(false).interact();
    // No answer is not an agreement.
    if answer.unwrap_or(false) {
        options.accepted_terms.push(terms.name.clone());
    }
}

fn bar(entry: &Entry) -> ProgressBar {
    // indicatif hides it if standard error is not a terminal.
    let bar = ProgressBar::new(entry.bytes);
    let style =
        ProgressStyle::with_template("{msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec}");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        .with_message(entry.name.clone())
}

fn show(bar: &ProgressBar, progress: FetchProgress) {
    match progress {
        FetchProgress::Step(step) if bar.is_hidden() => anstream::eprintln!("{step}"),
        FetchProgress::Step(step) => bar.set_message(step),
        FetchProgress::Bytes(bytes, total) => {
            bar.set_length(total);
            bar.set_position(bytes);
        }
    }
}
