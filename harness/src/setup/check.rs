//! Checks the requirements on a machine: found, missing or unavailable.
//!
//! Pure over a [`Machine`]; how to install what is missing is decided in [`super::fix`].

use std::path::PathBuf;

use super::machine::{Machine, System};
use super::requirement::{Finder, OnlyOn, Part, Purpose, Requirement};
use super::table::REQUIREMENTS;
use crate::drive::browser::{browser_in, display_server_in, driver_in};

/// One requirement and what was found of it.
#[derive(Debug, Clone)]
pub(crate) struct Finding {
    pub(crate) requirement: &'static Requirement,
    pub(crate) state: State,
}

/// The state of a requirement on a machine.
#[derive(Debug, Clone)]
pub(crate) enum State {
    /// It can exist on this system; each part with its path, if it was found.
    Possible(Vec<(&'static Part, Option<PathBuf>)>),
    /// It can't exist on this system, for this reason.
    Impossible(&'static str),
}

impl Finding {
    /// The parts that were not found.
    pub(crate) fn missing(&self) -> impl Iterator<Item = &'static Part> + '_ {
        let parts = match &self.state {
            State::Possible(parts) => parts.as_slice(),
            State::Impossible(_) => &[],
        };
        parts.iter().filter(|(_, place)| place.is_none()).map(|(part, _)| *part)
    }

    /// Whether it is missing, could exist, and the purpose can't do without it.
    pub(crate) fn is_wanting(&self, purpose: Purpose) -> bool {
        let requirement = self.requirement;
        !requirement.optional
            && requirement.needed_for.contains(&purpose)
            && self.missing().next().is_some()
    }
}

/// Checks everything that one of the purposes needs, in the order of the table.
pub(crate) fn check(machine: &dyn Machine, purposes: &[Purpose]) -> Vec<Finding> {
    REQUIREMENTS
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

/// The path of a part.
pub(crate) fn find(machine: &dyn Machine, part: &Part) -> Option<PathBuf> {
    let environment = machine.environment();
    match part.finder {
        Finder::Program(names) => names.iter().find_map(|name| environment.on_path(name)),
        Finder::Driver(browser) => driver_in(environment, browser),
        Finder::Browser(browser) => browser_in(environment, browser),
        Finder::Display => display_server_in(environment),
        Finder::File(places) => {
            let arch = &machine.platform().arch;
            let paths = places.iter().map(|place| PathBuf::from(place.replace("{arch}", arch)));
            paths.into_iter().find(|path| machine.is_file(path))
        }
        Finder::WasmStandardLibrary => machine.wasm_standard_library(),
        Finder::WasmThreads => machine.wasm_threads(),
        Finder::Cached { path } => {
            machine.cache_folder().map(|folder| folder.join(path)).filter(|p| machine.is_file(p))
        }
        Finder::GateTools => machine.gate_tools(),
        Finder::PythonVenv => machine.python_with_venv(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::*;
    use crate::drive::browser::{Overrides, installation_in};
    use crate::spec::cell::BrowserName;

    /// For every vendor, `doctor` reports the files that a launch would start.
    #[test]
    #[expect(clippy::too_many_lines, reason = "a table of every vendor and place")]
    fn doctor_and_launcher_find_the_same_files() {
        use BrowserName::{Chrome, Firefox, Safari, Webkit};
        const MINI: &str = "/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser";
        const OLD_MINI: &str = "/usr/lib/x86_64-linux-gnu/webkit2gtk-4.0/MiniBrowser";
        type Names = &'static [&'static str];
        type Variables = &'static [(&'static str, &'static str)];
        // The programs on PATH, the other files, the variables; the driver and browser found.
        let cases: [(BrowserName, Names, Names, Variables, [&str; 2]); 22] = [
            (Chrome, &[], &[], &[], ["", ""]),
            (
                Chrome,
                &["chromedriver", "google-chrome"],
                &[],
                &[],
                ["/usr/bin/chromedriver", "/usr/bin/google-chrome"],
            ),
            (
                Chrome,
                &[],
                &["/usr/lib/chromium/chromedriver", "/usr/lib/chromium/chromium"],
                &[],
                ["/usr/lib/chromium/chromedriver", "/usr/lib/chromium/chromium"],
            ),
            (
                Chrome,
                &["chromedriver", "chromium"],
                &["/usr/lib/chromium/chromedriver", "/usr/lib/chromium/chromium"],
                &[],
                ["/usr/bin/chromedriver", "/usr/lib/chromium/chromium"],
            ),
            (
                Chrome,
                &["chromedriver", "chromium"],
                &["/opt/driver", "/opt/chrome"],
                &[("CHROMEDRIVER", "/opt/driver"), ("CHROME", "/opt/chrome")],
                ["/opt/driver", "/opt/chrome"],
            ),
            // A file that the user named is never skipped.
            (
                Chrome,
                &["chromedriver", "chromium"],
                &[],
                &[("CHROME", "/opt/gone")],
                ["/usr/bin/chromedriver", ""],
            ),
            (
                Chrome,
                &["chromedriver", "chromium"],
                &[],
                &[("CHROMEDRIVER", "/opt/gone")],
                ["", "/usr/bin/chromium"],
            ),
            (
                Chrome,
                &["chromium"],
                &["/snap/bin/chromium.chromedriver"],
                &[],
                ["/snap/bin/chromium.chromedriver", "/usr/bin/chromium"],
            ),
            (Firefox, &["firefox"], &[], &[], ["", "/usr/bin/firefox"]),
            (
                Firefox,
                &["geckodriver", "firefox-esr"],
                &[],
                &[],
                ["/usr/bin/geckodriver", "/usr/bin/firefox-esr"],
            ),
            (
                Firefox,
                &[],
                &["/cargo/bin/geckodriver", "/usr/lib/firefox/firefox"],
                &[],
                ["/cargo/bin/geckodriver", "/usr/lib/firefox/firefox"],
            ),
            (
                Firefox,
                &["geckodriver", "firefox"],
                &["/cargo/bin/geckodriver", "/usr/lib/firefox-esr/firefox-esr"],
                &[],
                ["/usr/bin/geckodriver", "/usr/lib/firefox-esr/firefox-esr"],
            ),
            (
                Firefox,
                &["firefox"],
                &["/snap/bin/geckodriver"],
                &[],
                ["/snap/bin/geckodriver", "/usr/bin/firefox"],
            ),
            (
                Firefox,
                &["geckodriver", "firefox"],
                &["/opt/driver", "/opt/firefox"],
                &[("GECKODRIVER", "/opt/driver"), ("FIREFOX", "/opt/firefox")],
                ["/opt/driver", "/opt/firefox"],
            ),
            (
                Webkit,
                &["WebKitWebDriver", "MiniBrowser"],
                &[MINI],
                &[],
                ["/usr/bin/WebKitWebDriver", "/usr/bin/MiniBrowser"],
            ),
            (
                Webkit,
                &[],
                &["/usr/libexec/webkit2gtk-4.1/WebKitWebDriver", OLD_MINI, MINI],
                &[],
                ["/usr/libexec/webkit2gtk-4.1/WebKitWebDriver", MINI],
            ),
            (
                Webkit,
                &["WebKitWebDriver", "MiniBrowser"],
                &["/opt/driver", "/opt/mini"],
                &[("WEBKIT_WEBDRIVER", "/opt/driver"), ("WEBKIT_MINIBROWSER", "/opt/mini")],
                ["/opt/driver", "/opt/mini"],
            ),
            (Webkit, &["WebKitWebDriver"], &[], &[], ["/usr/bin/WebKitWebDriver", ""]),
            (Safari, &[], &[], &[], ["", ""]),
            (Safari, &["safaridriver"], &[], &[], ["/usr/bin/safaridriver", ""]),
            (Safari, &[], &["/usr/bin/safaridriver"], &[], ["/usr/bin/safaridriver", ""]),
            (
                Safari,
                &["safaridriver"],
                &["/opt/driver"],
                &[("SAFARIDRIVER", "/opt/driver")],
                ["/opt/driver", ""],
            ),
        ];
        for (browser, programs, files, variables, expected) in cases {
            let machine = if browser == Safari { Fake::macos() } else { Fake::debian() };
            let machine = machine.programs(programs);
            let machine = files.iter().fold(machine, |machine, file| machine.file(file));
            let machine = variables
                .iter()
                .fold(machine, |machine, (name, value)| machine.variable(name, value));
            let expected =
                expected.map(|path| Some(PathBuf::from(path)).filter(|_| !path.is_empty()));

            let requirement =
                REQUIREMENTS.iter().find(|one| one.id == browser.to_string()).unwrap();
            let mut reported = [None, None];
            for part in requirement.parts {
                let slot = match part.finder {
                    Finder::Driver(of) if of == browser => 0,
                    Finder::Browser(of) if of == browser => 1,
                    other => panic!("`{}` is looked for by {other:?}", part.name),
                };
                reported[slot] = find(&machine, part);
            }
            assert_eq!(reported, expected, "{browser}: {programs:?} {files:?} {variables:?}");

            let is_whole = requirement.parts.len() == reported.iter().flatten().count();
            let launched = installation_in(machine.environment(), browser, &Overrides::default());
            assert_eq!(launched.is_ok(), is_whole, "{launched:?}");
            if let Ok(found) = launched {
                assert_eq!([Some(found.driver), found.executable], expected);
            }
        }
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
    fn a_run_wants_neither_optional_parts_nor_those_of_goldens() {
        let findings = check(&Fake::debian(), &[Purpose::Run, Purpose::Reference]);
        let wanting: Vec<_> = findings
            .iter()
            .filter(|finding| finding.is_wanting(Purpose::Run))
            .map(|finding| finding.requirement.id)
            .collect();
        assert_eq!(wanting, ["linker", "wasm32", "chrome", "firefox", "webkit", "display"]);
    }

    #[test]
    fn a_browser_without_its_driver_is_missing() {
        let findings = check(&Fake::debian().program("firefox"), &[Purpose::Run]);
        let firefox = findings.iter().find(|finding| finding.requirement.id == "firefox");
        let missing: Vec<_> = firefox.expect("it is checked").missing().map(|p| p.name).collect();
        assert_eq!(missing, ["geckodriver"]);
    }
}
