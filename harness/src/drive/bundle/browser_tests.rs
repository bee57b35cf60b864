//! Runs the engine's own tests inside a browser: those of its library and `tests/web.rs`.
//!
//! Compiled like the bundle, so that what the bundle needed is there already. What runs a test is
//! [`super::test_runner`], in a process of its own that cargo starts for each module.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Stdio;

use fs_err as fs;
use inference_wasm::protocol::BundleName;
use serde_json::{Map, Value, json};

use super::error::{BundleError, TARGET};
use super::toolchain::{self, wait};
use crate::drive::browser::Installation;
use crate::spec::cell::BrowserName;

/// Where the runner looks for a driver; the first that is set wins, whoever set it.
const DRIVERS: [&str; 8] = [
    "GECKODRIVER_REMOTE",
    "SAFARIDRIVER_REMOTE",
    "CHROMEDRIVER_REMOTE",
    "MSEDGEDRIVER_REMOTE",
    "GECKODRIVER",
    "SAFARIDRIVER",
    "CHROMEDRIVER",
    "MSEDGEDRIVER",
];

/// Limits in seconds. The runner's own, 20 and 5, are for a machine with nothing else to do.
const TIMEOUTS: [(&str, &str); 2] =
    [("WASM_BINDGEN_TEST_TIMEOUT", "300"), ("WASM_BINDGEN_TEST_DRIVER_TIMEOUT", "60")];

/// What the runner prints, with success, about a module in which no test is marked for it.
const NO_TESTS: &str = "no tests to run!";

/// How the tests ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// All of them passed.
    Passed,
    /// One failed, or the browser could not be driven; it was said what.
    Failed,
    /// Nothing was said to fail, for in one of the modules there was nothing.
    Empty,
}

/// The driver's variable and the key of the browser's options, for browsers that the runner can
/// drive; `None` for others.
fn keys(browser: BrowserName) -> Option<(&'static str, &'static str)> {
    match browser {
        BrowserName::Chrome => Some(("CHROMEDRIVER", "goog:chromeOptions")),
        BrowserName::Firefox => Some(("GECKODRIVER", "moz:firefoxOptions")),
        BrowserName::Webkit | BrowserName::Safari | BrowserName::Native => None,
    }
}

/// Whether the tests can run in this browser.
pub fn can_run_in(browser: BrowserName) -> bool {
    keys(browser).is_some()
}

/// Which tests are run, and in what.
pub struct Setting<'s> {
    /// The browser and its driver.
    pub installation: &'s Installation,
    /// Tests are compiled as this bundle is.
    pub bundle: BundleName,
    /// A part of the names of the tests that are run.
    pub filter: Option<&'s str>,
    /// Variables for the browser: those of a display, where it needs one.
    pub environment: &'s [(OsString, OsString)],
}

/// Compiles the tests as a bundle is and runs them in one browser.
///
/// `runner` is the command that cargo calls with a module and ends in [`super::test_runner::run`].
/// What the tests print goes to standard output.
///
/// # Errors
///
/// See [`BundleError`]; failing tests are not an error.
pub fn run(
    workspace: &Path,
    setting: &Setting<'_>,
    runner: &[&OsStr],
    mut progress: impl FnMut(&str),
) -> Result<Ended, BundleError> {
    let &Setting { installation, bundle, filter, environment } = setting;
    let Some((driver, options)) = keys(installation.browser) else {
        return Err(BundleError::NoRunner(installation.browser));
    };
    let command = || -> Result<_, BundleError> {
        let mut command = toolchain::cargo(workspace, "test", bundle)?;
        // By name, for `tests/` has others, which have no mark for a browser.
        command.args(["--lib", "--test", "web"]);
        Ok(command)
    };
    let mut compile = command()?;
    wait(compile.arg("--no-run"), &mut progress)?;

    let mut capabilities = tempfile::NamedTempFile::new()?;
    let text = fs::read_to_string(workspace.join("inference-wasm/webdriver.json"))?;
    let written = serde_json::from_str(&text).map_err(std::io::Error::from)?;
    let whole = with_browser(written, options, installation.executable.as_deref());
    serde_json::to_writer(&mut capabilities, &whole).map_err(std::io::Error::from)?;
    capabilities.flush()?;

    let mut command = command()?;
    // Not the variable, which cargo would split at spaces.
    let runner: Vec<_> = runner.iter().map(|word| json!(word.to_string_lossy())).collect();
    command.arg("--config").arg(format!("target.{TARGET}.runner={}", Value::Array(runner)));
    command.arg("--no-fail-fast").arg("--").args(filter);
    for name in DRIVERS {
        command.env_remove(name);
    }
    command
        .env(driver, &installation.driver)
        .env("WASM_BINDGEN_TEST_WEBDRIVER_JSON", capabilities.path())
        .envs(TIMEOUTS)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|source| BundleError::no_cargo(&command, source))?;
    let mut is_empty = false;
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).split(b'\n') {
            let line = line?;
            is_empty |= line.trim_ascii() == NO_TESTS.as_bytes();
            let mut out = std::io::stdout().lock();
            out.write_all(&line).and_then(|()| out.write_all(b"\n"))?;
        }
    }
    Ok(match (child.wait()?.success(), is_empty && filter.is_none()) {
        (false, _) => Ended::Failed,
        (true, true) => Ended::Empty,
        (true, false) => Ended::Passed,
    })
}

/// The capabilities with the browser that was found, which need not be the one that its driver
/// would find.
fn with_browser(
    mut capabilities: Map<String, Value>,
    options: &str,
    executable: Option<&Path>,
) -> Map<String, Value> {
    if let Some(executable) = executable {
        let options = capabilities.entry(options).or_insert_with(|| json!({}));
        if let Some(options) = options.as_object_mut() {
            options.insert("binary".into(), json!(executable.to_string_lossy()));
        }
    }
    capabilities
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browser_that_was_found_is_named() {
        let written = json!({"goog:chromeOptions": {"args": ["--a"]}, "other": 1});
        let written = written.as_object().unwrap();
        let with = |key, path: Option<&str>| {
            Value::Object(with_browser(written.clone(), key, path.map(Path::new)))
        };
        assert_eq!(
            with("goog:chromeOptions", Some("/opt/c")),
            json!({"goog:chromeOptions": {"args": ["--a"], "binary": "/opt/c"}, "other": 1})
        );
        assert_eq!(
            with("moz:firefoxOptions", Some("/opt/f"))["moz:firefoxOptions"],
            json!({"binary": "/opt/f"})
        );
        assert_eq!(with("moz:firefoxOptions", None), Value::Object(written.clone()));
    }

    /// The runner takes the first variable that is set: ours must be the only one.
    #[test]
    fn every_driver_that_is_set_here_is_unset_first() {
        for browser in BrowserName::ALL {
            if let Some((driver, _)) = keys(browser) {
                assert!(DRIVERS.contains(&driver), "{driver}");
            }
        }
    }
}
