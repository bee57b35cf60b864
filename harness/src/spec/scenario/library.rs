//! Every scenario and prompt set under a workspace root, read once, with their problems.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use super::definition::Scenario;
use super::prompts::{self, PromptSet};
use super::read;
use crate::spec::document::{InvalidDocument, Problem};
use crate::spec::naming::did_you_mean;

/// The contents of `fixtures/scenarios/` and `fixtures/prompts/`.
#[derive(Debug, Clone, Default)]
pub struct Fixtures {
    /// The scenarios, by name.
    pub scenarios: BTreeMap<String, Scenario>,
    /// The prompt sets, by name.
    pub prompts: BTreeMap<String, PromptSet>,
    /// Names of files that exist but can't be used, so that they are not reported as unknown.
    pub(crate) broken: BTreeSet<String>,
}

impl Fixtures {
    /// Reads everything under `root`, which is the workspace. Files that can't be used are left out
    /// and reported.
    pub fn load(root: &Path) -> (Self, Vec<InvalidDocument>) {
        let mut fixtures = Self::default();
        let mut invalid = Vec::new();
        for (path, name, text) in files(root, "fixtures/scenarios", &mut invalid) {
            match read::scenario(&path, &name, &text) {
                Ok(scenario) => _ = fixtures.scenarios.insert(name, scenario),
                Err(error) => {
                    invalid.push(error);
                    fixtures.broken.insert(name);
                }
            }
        }
        for (path, name, text) in files(root, "fixtures/prompts", &mut invalid) {
            match prompts::prompt_set(&path, &name, &text) {
                Ok(set) => _ = fixtures.prompts.insert(name, set),
                Err(error) => {
                    invalid.push(error);
                    fixtures.broken.insert(name);
                }
            }
        }
        invalid.extend(fixtures.unknown_goldens());
        (fixtures, invalid)
    }

    /// Reports scenarios that use the golden of a scenario that does not exist.
    fn unknown_goldens(&self) -> Vec<InvalidDocument> {
        let names: Vec<_> = self.scenarios.keys().collect();
        let unknown = self.scenarios.values().filter_map(|scenario| {
            let golden = scenario.golden.as_ref()?;
            let exists = self.scenarios.contains_key(golden) || self.broken.contains(golden);
            (!exists).then(|| {
                let problem = Problem::whole(format!("`golden`: there is no scenario `{golden}`"));
                let path = format!("fixtures/scenarios/{}.toml", scenario.name);
                InvalidDocument::new(&path, "", vec![problem.hint_if(did_you_mean(golden, &names))])
            })
        });
        unknown.collect()
    }
}

/// Every `.toml` under a folder of the root: its path for messages, its name, its text.
fn files(
    root: &Path,
    folder: &str,
    invalid: &mut Vec<InvalidDocument>,
) -> Vec<(String, String, String)> {
    let mut names = Vec::new();
    if let Err(error) = names_under(&root.join(folder), "", &mut names) {
        invalid.push(InvalidDocument::unreadable(folder, &error));
    }
    names.sort();
    let mut files = Vec::new();
    for name in names {
        let path = format!("{folder}/{name}.toml");
        match fs_err::read_to_string(root.join(&path)) {
            Ok(text) => files.push((path, name, text)),
            Err(error) => invalid.push(InvalidDocument::unreadable(&path, &error)),
        }
    }
    files
}

fn names_under(folder: &Path, prefix: &str, names: &mut Vec<String>) -> io::Result<()> {
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        let file_name = entry.file_name();
        let Some(file_name) = file_name.to_str() else { continue };
        if entry.file_type()?.is_dir() {
            names_under(&entry.path(), &format!("{prefix}{file_name}/"), names)?;
        } else if let Some(stem) = file_name.strip_suffix(".toml") {
            names.push(format!("{prefix}{stem}"));
        }
    }
    Ok(())
}
