//! `--driver NAME=PATH`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::drive::browser::vendors::vendor;
use crate::spec::cell::{BrowserName, UnknownName};

/// The drivers that `--driver` names, by browser.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides(BTreeMap<BrowserName, PathBuf>);

impl Overrides {
    /// Adds one `NAME=PATH`, where the name is a browser's (`chrome`) or its driver's
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

    /// The driver that the option names for a browser.
    pub(super) fn get(&self, browser: BrowserName) -> Option<&Path> {
        self.0.get(&browser).map(PathBuf::as_path)
    }
}

/// A `--driver` that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OverrideError {
    /// The `=` is missing.
    #[error("`--driver`: expected `NAME=PATH`, found `{0}`")]
    NoPath(String),
    /// The name is not a browser's.
    #[error("`--driver`: {0}")]
    Name(#[from] UnknownName),
    /// The native engine has no driver.
    #[error("`--driver`: `{0}` has no driver")]
    NoDriver(BrowserName),
}
