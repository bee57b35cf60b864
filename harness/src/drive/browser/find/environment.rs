//! The machine as a search for programs sees it: variables, PATH and folders.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Everything that the outcome of a search depends on.
pub(crate) trait Environment {
    /// An environment variable; an empty one counts as unset.
    fn variable(&self, name: &str) -> Option<OsString>;
    /// The first executable of this name on `PATH`.
    fn on_path(&self, name: &str) -> Option<PathBuf>;
    /// Whether a path is a file that can be executed.
    fn is_executable(&self, path: &Path) -> bool;
    /// Paths of the entries of a folder; none where it can't be read.
    fn entries(&self, folder: &Path) -> Vec<PathBuf>;
    /// The user's home folder.
    fn home(&self) -> Option<PathBuf>;

    /// The folder that `cargo install` fills, without its `bin`.
    fn cargo_home(&self) -> Option<PathBuf> {
        let named = self.variable("CARGO_HOME").map(PathBuf::from);
        named.or_else(|| Some(self.home()?.join(".cargo")))
    }
}

/// The environment of this process.
#[derive(Debug)]
pub(crate) struct ProcessEnvironment {
    pub(super) variables: BTreeMap<OsString, OsString>,
    pub(super) home: Option<PathBuf>,
}

impl ProcessEnvironment {
    pub(crate) fn current() -> Self {
        Self { variables: std::env::vars_os().collect(), home: std::env::home_dir() }
    }
}

impl Environment for ProcessEnvironment {
    fn variable(&self, name: &str) -> Option<OsString> {
        self.variables.get(&OsString::from(name)).filter(|value| !value.is_empty()).cloned()
    }

    fn on_path(&self, name: &str) -> Option<PathBuf> {
        which::which_in_global(name, self.variable("PATH")).ok()?.next()
    }

    fn is_executable(&self, path: &Path) -> bool {
        fs_err::metadata(path)
            .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
    }

    fn entries(&self, folder: &Path) -> Vec<PathBuf> {
        let entries = fs_err::read_dir(folder).into_iter().flatten();
        entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
    }

    fn home(&self) -> Option<PathBuf> {
        self.home.clone()
    }
}

/// Paths that a pattern of [`Executable::well_known`](crate::drive::browser::vendor::Executable)
/// matches, the highest name first.
pub(super) fn matches(environment: &dyn Environment, pattern: &str) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for part in Path::new(pattern) {
        let text = part.to_string_lossy();
        if text == "~" {
            found = environment.home().into_iter().collect();
        } else if text == "{cargo-home}" {
            found = environment.cargo_home().into_iter().collect();
        } else if text.contains('*') {
            let Ok(glob) = globset::Glob::new(&text) else { return Vec::new() };
            let glob = glob.compile_matcher();
            found = found.iter().flat_map(|folder| environment.entries(folder)).collect();
            found.retain(|path| path.file_name().is_some_and(|name| glob.is_match(name)));
            found.sort_unstable_by(|a, b| b.cmp(a));
        } else {
            for path in &mut found {
                path.push(part);
            }
        }
    }
    found
}
