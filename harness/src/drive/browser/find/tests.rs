use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::drive::browser::chrome::VENDOR as CHROME;
use crate::drive::browser::vendor::Vendor;

/// A vendor with made-up well-known places, so that the machine's own browsers don't count.
const VENDOR: Vendor = Vendor {
    driver: Executable { well_known: &["{cargo-home}/bin/chromedriver"], ..CHROME.driver },
    browser: Some(Executable {
        variable: "CHROME",
        names: &["chromium", "google-chrome"],
        well_known: &["~/.well-*/chromium"],
        is_well_known_first: true,
    }),
    ..CHROME
};

struct Machine {
    folder: tempfile::TempDir,
    variables: BTreeMap<OsString, OsString>,
}

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let variables = [("PATH".into(), folder.path().join("bin").into())].into();
        Self { folder, variables }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn install(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(&path, "#!/bin/sh\n").unwrap();
        fs_err::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        path
    }

    fn find(&self, overrides: &Overrides) -> Result<Installation, NotFound> {
        let home = Some(self.folder.path().to_owned());
        let environment = ProcessEnvironment { variables: self.variables.clone(), home };
        installation_of(&environment, &VENDOR, overrides)
    }
}

#[test]
fn environment_comes_before_option_before_path() {
    let mut machine = Machine::new();
    let browser = machine.install("bin/chromium");
    let on_path = machine.install("bin/chromedriver");
    let found = machine.find(&Overrides::default()).unwrap();
    assert_eq!((&found.driver, &found.executable), (&on_path, &Some(browser)));

    let given = machine.install("given/chromedriver");
    let mut overrides = Overrides::default();
    overrides.add(&format!("chrome={}", given.display())).unwrap();
    assert_eq!(machine.find(&overrides).unwrap().driver, given);

    let by_variable = machine.install("variable/chromedriver");
    machine.variables.insert("CHROMEDRIVER".into(), by_variable.clone().into());
    assert_eq!(machine.find(&overrides).unwrap().driver, by_variable);
}

#[test]
fn a_well_known_place_may_come_before_path_and_the_highest_version_first() {
    let machine = Machine::new();
    machine.install("bin/chromedriver");
    machine.install("bin/chromium");
    machine.install(".well-4.0/chromium");
    let newer = machine.install(".well-4.1/chromium");
    assert_eq!(machine.find(&Overrides::default()).unwrap().executable, Some(newer));
}

#[test]
fn a_program_that_cargo_installed_is_found_off_the_path() {
    let machine = Machine::new();
    machine.install("bin/chromium");
    let installed = machine.install(".cargo/bin/chromedriver");
    assert_eq!(machine.find(&Overrides::default()).unwrap().driver, installed);
    // PATH comes first.
    let on_path = machine.install("bin/chromedriver");
    assert_eq!(machine.find(&Overrides::default()).unwrap().driver, on_path);
}

#[test]
fn a_path_that_the_user_named_is_never_skipped() {
    let mut machine = Machine::new();
    machine.install("bin/chromedriver");
    machine.install("bin/chromium");
    machine.variables.insert("CHROME".into(), "/nonexistent/chrome".into());
    let error = machine.find(&Overrides::default()).unwrap_err();
    insta::assert_snapshot!(error, @r"
    the browser `chrome` was not found
      looked at: variable `CHROME`: `/nonexistent/chrome` is not an executable file
      hint: correct or unset the variable
    ");
    let mut overrides = Overrides::default();
    overrides.add("chromedriver=/nonexistent/driver").unwrap();
    let error = machine.find(&overrides).unwrap_err();
    insta::assert_snapshot!(error, @r"
    the driver of `chrome` was not found
      looked at: variable `CHROMEDRIVER`: not set
                 option `--driver chrome=…`: `/nonexistent/driver` is not an executable file
      hint: correct the option
    ");
}

#[test]
fn a_missing_program_is_reported_with_every_place_and_the_fix() {
    let machine = Machine::new();
    // Not executable, so not found.
    fs_err::create_dir_all(machine.path("bin")).unwrap();
    fs_err::write(machine.path("bin/chromedriver"), "").unwrap();
    let error = machine.find(&Overrides::default()).unwrap_err();
    insta::assert_snapshot!(error, @r"
    the driver of `chrome` was not found
      looked at: variable `CHROMEDRIVER`: not set
                 option `--driver chrome=PATH`: not given
                 PATH: no `chromedriver`
                 `{cargo-home}/bin/chromedriver`: not found
      hint: run `tierproof setup` to install it, or set `CHROMEDRIVER`
    ");
}

#[test]
fn safari_is_reported_as_unavailable_on_other_systems() {
    if cfg!(target_os = "macos") {
        return;
    }
    let error = installation(BrowserName::Safari, &Overrides::default()).unwrap_err();
    assert!(error.hint.contains("macOS only"), "{error}");
}

#[test]
fn broken_overrides_are_refused() {
    for (argument, message) in [
        ("chrome", "`--driver`: expected `NAME=PATH`, found `chrome`"),
        ("native=/x", "`--driver`: `native` has no driver"),
        (
            "opera=/x",
            "`--driver`: unknown browser `opera`, expected one of `chrome`, `firefox`, `webkit`, \
             `safari`, `native`",
        ),
    ] {
        assert_eq!(Overrides::default().add(argument).unwrap_err().to_string(), message);
    }
}
