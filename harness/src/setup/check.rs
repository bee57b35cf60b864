//! Holds the table against a machine: what is found, what is missing, what can't be had.
//!
//! Pure over a [`Machine`]; how to mend what is missing is said by [`super::mend`].

use std::path::PathBuf;

use super::machine::{Machine, System};
use super::requirement::{Finder, OnlyOn, Part, Purpose, Requirement, requirements};

/// One requirement, looked up.
#[derive(Debug, Clone)]
pub(crate) struct Finding {
    pub(crate) requirement: &'static Requirement,
    pub(crate) state: State,
}

/// What came of looking a requirement up.
#[derive(Debug, Clone)]
pub(crate) enum State {
    /// It can exist here; each part with where it is, if it is.
    Possible(Vec<(&'static Part, Option<PathBuf>)>),
    /// It can't exist on this operating system, for this reason.
    Impossible(&'static str),
}

impl Finding {
    /// The parts that were looked for and are not there.
    pub(crate) fn missing(&self) -> impl Iterator<Item = &'static Part> + '_ {
        let parts = match &self.state {
            State::Possible(parts) => parts.as_slice(),
            State::Impossible(_) => &[],
        };
        parts.iter().filter(|(_, place)| place.is_none()).map(|(part, _)| *part)
    }

    /// Somebody with this purpose can't do without, and it could be had.
    pub(crate) fn is_wanting(&self, purpose: Purpose) -> bool {
        let requirement = self.requirement;
        !requirement.optional
            && requirement.needed_for.contains(&purpose)
            && self.missing().next().is_some()
    }
}

/// Looks up everything that one of the purposes needs, in the order of the table.
pub(crate) fn check(machine: &dyn Machine, purposes: &[Purpose]) -> Vec<Finding> {
    requirements()
        .iter()
        .filter(|requirement| {
            requirement.needed_for.iter().any(|purpose| purposes.contains(purpose))
        })
        .map(|requirement| Finding { requirement, state: state(machine, requirement) })
        .collect()
}

fn state(machine: &dyn Machine, requirement: &'static Requirement) -> State {
    let system = machine.platform().system;
    match requirement.only_on {
        OnlyOn::Linux(reason) if system != System::Linux => State::Impossible(reason),
        OnlyOn::MacOs(reason) if system != System::MacOs => State::Impossible(reason),
        OnlyOn::Any | OnlyOn::Linux(_) | OnlyOn::MacOs(_) => State::Possible(
            requirement.parts.iter().map(|part| (part, find(machine, part))).collect(),
        ),
    }
}

/// Where a part is.
pub(crate) fn find(machine: &dyn Machine, part: &Part) -> Option<PathBuf> {
    let at = |places: &[&str]| {
        places.iter().map(|place| expand(machine, place)).find(|path| machine.is_file(path))
    };
    match part.finder {
        Finder::Program { variables, names, places, version: _ } => {
            // A path that a person named is used or refused, never passed over.
            if let Some(named) = variables.iter().find_map(|name| machine.variable(name)) {
                return Some(PathBuf::from(named)).filter(|path| machine.is_file(path));
            }
            names.iter().find_map(|name| machine.on_path(name)).or_else(|| at(places))
        }
        Finder::File { places } => at(places),
        Finder::WasmStandardLibrary => machine.wasm_standard_library(),
        Finder::PythonVenv => machine.python_with_venv(),
    }
}

fn expand(machine: &dyn Machine, place: &str) -> PathBuf {
    let platform = machine.platform();
    let triplet = format!("{}-linux-gnu", platform.arch);
    place
        .replace("{triplet}", &triplet)
        .replace("{arch}", &platform.arch)
        .replace("{cargo-home}", &platform.cargo_home.to_string_lossy())
        .into()
}
