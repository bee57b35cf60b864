//! Finds drivers and browsers, for launches and for `tierproof doctor`: nothing else decides where
//! one is looked for.
//!
//! The order: the variable, `--driver`, then PATH and the well-known places, of which the vendor's
//! table says which come first. Nothing is installed here; the error names the command that does.

mod environment;
mod overrides;

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::vendor::{Executable, Vendor};
use super::vendors::vendor;
use crate::spec::cell::BrowserName;
pub(crate) use environment::{Environment, ProcessEnvironment};
pub use overrides::Overrides;

/// How long a program may take to print its version.
const VERSION_LIMIT: Duration = Duration::from_secs(10);

/// Where a browser and its driver are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    /// The browser.
    pub browser: BrowserName,
    /// The driver's executable.
    pub driver: PathBuf,
    /// The browser's executable; `None` where the driver finds it (Safari).
    pub executable: Option<PathBuf>,
}

/// The versions that the programs print, one line each; `None` where they print none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Versions {
    /// The driver.
    pub driver: Option<String>,
    /// The browser.
    pub browser: Option<String>,
}

/// A program that is not installed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} was not found\n  looked at: {}\n  hint: {hint}", looked_at.join("\n             "))]
pub struct NotFound {
    /// The program: ``the driver of `chrome` ``.
    pub what: String,
    /// Every place, in order, and what was found there.
    pub looked_at: Vec<String>,
    /// How to fix it.
    pub hint: String,
}

/// Finds a browser and its driver on this machine.
pub fn installation(browser: BrowserName, overrides: &Overrides) -> Result<Installation, NotFound> {
    if browser == BrowserName::Safari && !cfg!(target_os = "macos") {
        return Err(NotFound {
            what: "`safari`".to_owned(),
            looked_at: vec![format!("the operating system: {}", std::env::consts::OS)],
            hint: "Safari runs on macOS only; `webkit` is the same engine on Linux".to_owned(),
        });
    }
    installation_in(&ProcessEnvironment::current(), browser, overrides)
}

/// Finds a browser and its driver in an environment.
pub(crate) fn installation_in(
    environment: &dyn Environment,
    browser: BrowserName,
    overrides: &Overrides,
) -> Result<Installation, NotFound> {
    let vendor = vendor(browser).ok_or_else(|| NotFound {
        what: format!("a driver of `{browser}`"),
        looked_at: vec!["nowhere: it is not a browser".to_owned()],
        hint: "the engine's native build needs no driver".to_owned(),
    })?;
    installation_of(environment, vendor, overrides)
}

/// The driver of a browser, where [`installation_in`] finds it without `--driver`.
pub(crate) fn driver_in(environment: &dyn Environment, browser: BrowserName) -> Option<PathBuf> {
    find_driver(environment, vendor(browser)?, &Overrides::default()).ok()
}

/// The executable of a browser, where [`installation_in`] finds it.
pub(crate) fn browser_in(environment: &dyn Environment, browser: BrowserName) -> Option<PathBuf> {
    let vendor = vendor(browser)?;
    find_browser(environment, vendor.name, vendor.browser.as_ref()?).ok()
}

fn installation_of(
    environment: &dyn Environment,
    vendor: &Vendor,
    overrides: &Overrides,
) -> Result<Installation, NotFound> {
    let driver = find_driver(environment, vendor, overrides)?;
    let find = |browser| find_browser(environment, vendor.name, browser);
    let executable = vendor.browser.as_ref().map(find).transpose()?;
    Ok(Installation { browser: vendor.name, driver, executable })
}

fn find_driver(
    environment: &dyn Environment,
    vendor: &Vendor,
    overrides: &Overrides,
) -> Result<PathBuf, NotFound> {
    let mut search = Search::new(environment, format!("the driver of `{}`", vendor.name));
    search.variable(&vendor.driver)?;
    search.given(overrides.get(vendor.name), vendor.name)?;
    search.places(&vendor.driver)
}

fn find_browser(
    environment: &dyn Environment,
    name: BrowserName,
    executable: &Executable,
) -> Result<PathBuf, NotFound> {
    let mut search = Search::new(environment, format!("the browser `{name}`"));
    search.variable(executable)?;
    search.places(executable)
}

impl Installation {
    /// Asks both programs for their versions.
    pub async fn versions(&self) -> Versions {
        let browser = async { version_of(self.executable.as_deref()?).await };
        let (driver, browser) = futures::join!(version_of(&self.driver), browser);
        Versions { driver, browser }
    }
}

/// The first line with a digit that a program prints for `--version`.
pub(crate) async fn version_of(executable: &Path) -> Option<String> {
    let output = tokio::process::Command::new(executable)
        .arg("--version")
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(VERSION_LIMIT, output).await.ok()?.ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find(|line| line.contains(|c: char| c.is_ascii_digit()))?;
    output.status.success().then(|| line.trim().to_owned())
}

/// One search, and the places where nothing was found.
struct Search<'a> {
    environment: &'a dyn Environment,
    what: String,
    looked_at: Vec<String>,
    found: Option<PathBuf>,
}

impl<'a> Search<'a> {
    fn new(environment: &'a dyn Environment, what: String) -> Self {
        Self { environment, what, looked_at: Vec::new(), found: None }
    }

    fn not_found(&self, hint: String) -> NotFound {
        NotFound { what: self.what.clone(), looked_at: self.looked_at.clone(), hint }
    }

    /// A path that the user named is used or refused, never skipped silently.
    fn named(&mut self, place: &str, path: &Path, hint: &str) -> Result<(), NotFound> {
        if self.environment.is_executable(path) {
            self.found.get_or_insert_with(|| path.to_owned());
            return Ok(());
        }
        self.looked_at.push(format!("{place}: `{}` is not an executable file", path.display()));
        Err(self.not_found(hint.to_owned()))
    }

    fn variable(&mut self, executable: &Executable) -> Result<(), NotFound> {
        let name = executable.variable;
        if let Some(path) = self.environment.variable(name) {
            let place = format!("variable `{name}`");
            return self.named(&place, Path::new(&path), "correct or unset the variable");
        }
        self.looked_at.push(format!("variable `{name}`: not set"));
        Ok(())
    }

    fn given(&mut self, path: Option<&Path>, browser: BrowserName) -> Result<(), NotFound> {
        if self.found.is_some() {
            return Ok(());
        }
        let Some(path) = path else {
            self.looked_at.push(format!("option `--driver {browser}=PATH`: not given"));
            return Ok(());
        };
        self.named(&format!("option `--driver {browser}=…`"), path, "correct the option")
    }

    fn places(mut self, executable: &Executable) -> Result<PathBuf, NotFound> {
        let mut orders: [fn(&mut Self, &Executable) -> Option<PathBuf>; 2] =
            [Self::on_path, Self::well_known];
        if executable.is_well_known_first {
            orders.reverse();
        }
        for order in orders {
            if self.found.is_none() {
                self.found = order(&mut self, executable);
            }
        }
        let hint = format!("run `tierproof setup` to install it, or set `{}`", executable.variable);
        self.found.take().ok_or_else(|| self.not_found(hint))
    }

    fn on_path(&mut self, executable: &Executable) -> Option<PathBuf> {
        let found = executable.names.iter().find_map(|name| self.environment.on_path(name));
        if found.is_none() {
            let names: Vec<_> = executable.names.iter().map(|name| format!("`{name}`")).collect();
            self.looked_at.push(format!("PATH: no {}", names.join(", ")));
        }
        found
    }

    fn well_known(&mut self, executable: &Executable) -> Option<PathBuf> {
        for pattern in executable.well_known {
            let mut paths = environment::matches(self.environment, pattern).into_iter();
            let found = paths.find(|path| self.environment.is_executable(path));
            if found.is_some() {
                return found;
            }
            self.looked_at.push(format!("`{pattern}`: not found"));
        }
        None
    }
}

#[cfg(test)]
mod tests;
