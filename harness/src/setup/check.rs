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
        Finder::WasmThreads => machine.wasm_threads(),
        Finder::Cached { path } => {
            machine.cache_folder().map(|folder| folder.join(path)).filter(|p| machine.is_file(p))
        }
        Finder::GateTools => machine.gate_tools(),
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

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::*;

    fn part(name: &str) -> &'static Part {
        let parts = requirements().iter().flat_map(|requirement| requirement.parts);
        parts.into_iter().find(|part| part.name == name).expect("the table has it")
    }

    #[test]
    fn a_program_is_looked_for_in_the_documented_order() {
        let places = "/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser";
        for (machine, expected) in [
            (Fake::debian(), None),
            (Fake::debian().file(places), Some(places)),
            (Fake::debian().file(places).program("MiniBrowser"), Some("/usr/bin/MiniBrowser")),
            (
                Fake::debian()
                    .program("MiniBrowser")
                    .file("/opt/mine")
                    .variable("WEBKIT_MINIBROWSER", "/opt/mine"),
                Some("/opt/mine"),
            ),
            // Named, but not there: no silent second choice.
            (
                Fake::debian().program("MiniBrowser").variable("WEBKIT_MINIBROWSER", "/opt/gone"),
                None,
            ),
        ] {
            let found = find(&machine, part("MiniBrowser"));
            assert_eq!(found.as_deref(), expected.map(std::path::Path::new), "{machine:?}");
        }
    }

    #[test]
    fn what_cargo_installed_is_found_off_the_path() {
        let machine = Fake::debian().file("/cargo/bin/geckodriver");
        let found = find(&machine, part("geckodriver"));
        assert_eq!(found.as_deref(), Some(std::path::Path::new("/cargo/bin/geckodriver")));
    }

    #[test]
    fn a_browser_of_another_system_is_impossible_and_not_missing() {
        for (machine, impossible) in
            [(Fake::debian(), vec!["safari"]), (Fake::macos(), vec!["webkit", "display", "vulkan"])]
        {
            let findings = check(&machine, &[Purpose::Run]);
            let found: Vec<_> = findings
                .iter()
                .filter(|finding| matches!(finding.state, State::Impossible(_)))
                .inspect(|finding| assert!(!finding.is_wanting(Purpose::Run)))
                .map(|finding| finding.requirement.id)
                .collect();
            assert_eq!(found, impossible);
        }
    }

    #[test]
    fn the_optional_and_what_only_goldens_need_are_not_wanting_for_a_run() {
        let findings = check(&Fake::debian(), &[Purpose::Run, Purpose::Reference]);
        let wanting: Vec<_> = findings
            .iter()
            .filter(|finding| finding.is_wanting(Purpose::Run))
            .map(|finding| finding.requirement.id)
            .collect();
        assert_eq!(wanting, ["linker", "wasm32", "chrome", "firefox", "webkit", "display"]);
    }

    #[test]
    fn half_a_browser_is_a_missing_browser() {
        let findings = check(&Fake::debian().program("firefox"), &[Purpose::Run]);
        let firefox = findings.iter().find(|finding| finding.requirement.id == "firefox");
        let missing: Vec<_> = firefox.expect("it is checked").missing().map(|p| p.name).collect();
        assert_eq!(missing, ["geckodriver"]);
    }
}
