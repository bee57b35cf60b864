//! Finding drivers and browsers, in the documented order: environment, `--driver`, PATH and
//! well-known places.
//!
//! Installing what is missing is not done here; the error names the command that does.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::vendor::{Executable, Vendor, vendor};
use crate::spec::cell::{BrowserName, UnknownName};

/// How long a program may take to tell its version.
const VERSION_LIMIT: Duration = Duration::from_secs(10);

/// What `--driver NAME=PATH` says, by browser.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides(BTreeMap<BrowserName, PathBuf>);

impl Overrides {
    /// Takes one `NAME=PATH`, where the name is a browser's (`chrome`) or its driver's
    /// (`chromedriver`).
    pub fn add(&mut self, argument: &str) -> Result<(), OverrideError> {
        let (name, path) =
            argument.split_once('=').ok_or_else(|| OverrideError::NoPath(argument.to_owned()))?;
        let by_driver = BrowserName::ALL.into_iter().find(|browser| {
            vendor(*browser).is_some_and(|vendor| vendor.driver.names.contains(&name))
        });
        let browser = match by_driver {
            Some(browser) => browser,
            None => name.parse()?,
        };
        if vendor(browser).is_none() {
            return Err(OverrideError::NoDriver(browser));
        }
        self.0.insert(browser, path.into());
        Ok(())
    }
}

/// A `--driver` that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OverrideError {
    /// There is no `=`.
    #[error("`--driver`: expected `NAME=PATH`, found `{0}`")]
    NoPath(String),
    /// The name is no browser's.
    #[error("`--driver`: {0}")]
    Name(#[from] UnknownName),
    /// The browser is none.
    #[error("`--driver`: `{0}` has no driver")]
    NoDriver(BrowserName),
}

/// Where a browser and its driver are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    /// The browser.
    pub browser: BrowserName,
    /// The driver's executable.
    pub driver: PathBuf,
    /// The browser's executable; `None` where the driver knows best (Safari).
    pub executable: Option<PathBuf>,
}

/// What the programs say about themselves, one line each; `None` where they don't.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Versions {
    /// The driver.
    pub driver: Option<String>,
    /// The browser.
    pub browser: Option<String>,
}

/// Something that is not installed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} was not found\n  looked at: {}\n  hint: {hint}", looked_at.join("\n             "))]
pub struct NotFound {
    /// What was looked for: ``the driver of `chrome` ``.
    pub what: String,
    /// Every place, in order, with what was there.
    pub looked_at: Vec<String>,
    /// What to do.
    pub hint: String,
}

/// Finds a browser and its driver.
pub fn installation(browser: BrowserName, overrides: &Overrides) -> Result<Installation, NotFound> {
    let vendor = vendor(browser).ok_or_else(|| NotFound {
        what: format!("a driver of `{browser}`"),
        looked_at: vec!["nowhere: it is no browser".to_owned()],
        hint: "the engine's native build needs no driver".to_owned(),
    })?;
    if browser == BrowserName::Safari && !cfg!(target_os = "macos") {
        return Err(NotFound {
            what: "`safari`".to_owned(),
            looked_at: vec![format!("the operating system: {}", std::env::consts::OS)],
            hint: "Safari runs on macOS only; `webkit` is the same engine on Linux".to_owned(),
        });
    }
    Surroundings::of_this_process().installation(vendor, overrides)
}

impl Installation {
    /// Asks both programs for their versions.
    pub async fn versions(&self) -> Versions {
        let browser = async {
            match &self.executable {
                Some(executable) => version_of(executable).await,
                None => None,
            }
        };
        let (driver, browser) = futures::join!(version_of(&self.driver), browser);
        Versions { driver, browser }
    }
}

async fn version_of(executable: &Path) -> Option<String> {
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

/// Whatever the search depends on.
struct Surroundings {
    variables: BTreeMap<OsString, OsString>,
    home: Option<PathBuf>,
    /// What `cargo install` fills.
    cargo_home: Option<PathBuf>,
}

impl Surroundings {
    fn of_this_process() -> Self {
        let home = std::env::home_dir();
        let named = std::env::var_os("CARGO_HOME").filter(|folder| !folder.is_empty());
        let cargo_home = named.map(PathBuf::from).or_else(|| Some(home.as_deref()?.join(".cargo")));
        Self { variables: std::env::vars_os().collect(), home, cargo_home }
    }

    fn installation(
        &self,
        vendor: &Vendor,
        overrides: &Overrides,
    ) -> Result<Installation, NotFound> {
        let name = vendor.name;
        let mut search = Search::new(self, format!("the driver of `{name}`"));
        search.variable(&vendor.driver)?;
        search.given(overrides.0.get(&name), name)?;
        let driver = search.places(&vendor.driver)?;
        let mut executable = None;
        if let Some(browser) = &vendor.browser {
            let mut search = Search::new(self, format!("the browser `{name}`"));
            search.variable(browser)?;
            executable = Some(search.places(browser)?);
        }
        Ok(Installation { browser: name, driver, executable })
    }
}

impl Surroundings {
    /// Files that a pattern of [`Executable::well_known`] matches, the highest name first.
    fn matches(&self, pattern: &str) -> Vec<PathBuf> {
        let pattern = Path::new(pattern);
        let mut found = vec![PathBuf::new()];
        for part in pattern {
            let text = part.to_string_lossy();
            if text == "~" {
                found = self.home.clone().into_iter().collect();
            } else if text == "{cargo-home}" {
                found = self.cargo_home.clone().into_iter().collect();
            } else if text.contains('*') {
                let Ok(glob) = globset::Glob::new(&text) else { return Vec::new() };
                let glob = glob.compile_matcher();
                let entries = found.iter().filter_map(|folder| fs_err::read_dir(folder).ok());
                let mut names: Vec<_> = entries
                    .flatten()
                    .filter_map(|entry| Some(entry.ok()?.path()))
                    .filter(|path| path.file_name().is_some_and(|name| glob.is_match(name)))
                    .collect();
                names.sort_unstable_by(|a, b| b.cmp(a));
                found = names;
            } else {
                for path in &mut found {
                    path.push(part);
                }
            }
        }
        found
    }
}

/// One search, and where it has been.
struct Search<'a> {
    surroundings: &'a Surroundings,
    what: String,
    looked_at: Vec<String>,
    found: Option<PathBuf>,
}

impl<'a> Search<'a> {
    fn new(surroundings: &'a Surroundings, what: String) -> Self {
        Self { surroundings, what, looked_at: Vec::new(), found: None }
    }

    fn not_found(&self, hint: String) -> NotFound {
        NotFound { what: self.what.clone(), looked_at: self.looked_at.clone(), hint }
    }

    /// A path that a person named is used or refused, never passed over in silence.
    fn named(&mut self, place: &str, path: &Path, hint: &str) -> Result<(), NotFound> {
        if is_executable(path) {
            self.found.get_or_insert_with(|| path.to_owned());
            return Ok(());
        }
        self.looked_at.push(format!("{place}: `{}` is no executable file", path.display()));
        Err(self.not_found(hint.to_owned()))
    }

    fn variable(&mut self, executable: &Executable) -> Result<(), NotFound> {
        let name = executable.variable;
        match self.surroundings.variables.get(&OsString::from(name)) {
            Some(path) if !path.is_empty() => {
                let path = PathBuf::from(path);
                self.named(&format!("variable `{name}`"), &path, "correct or unset the variable")
            }
            _ => {
                self.looked_at.push(format!("variable `{name}`: not set"));
                Ok(())
            }
        }
    }

    fn given(&mut self, path: Option<&PathBuf>, browser: BrowserName) -> Result<(), NotFound> {
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
        let hint = format!(
            "`tierproof setup` installs what is missing; or set `{}` to a path",
            executable.variable
        );
        self.found.take().ok_or_else(|| self.not_found(hint))
    }

    fn on_path(&mut self, executable: &Executable) -> Option<PathBuf> {
        let path = self.surroundings.variables.get(&OsString::from("PATH"));
        let found = executable
            .names
            .iter()
            .find_map(|name| which::which_in_global(name, path).ok()?.next());
        if found.is_none() {
            let names: Vec<_> = executable.names.iter().map(|name| format!("`{name}`")).collect();
            self.looked_at.push(format!("PATH: no {}", names.join(", ")));
        }
        found
    }

    fn well_known(&mut self, executable: &Executable) -> Option<PathBuf> {
        for pattern in executable.well_known {
            let found =
                self.surroundings.matches(pattern).into_iter().find(|path| is_executable(path));
            if found.is_some() {
                return found;
            }
            self.looked_at.push(format!("`{pattern}`: not there"));
        }
        None
    }
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs_err::metadata(path)
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests;
