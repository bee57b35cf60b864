//! A fake machine for tests.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::machine::{Machine, Offer, PackageManager, Platform, Privilege, System};
use crate::drive::browser::Environment;

#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Fake {
    platform: Platform,
    variables: BTreeMap<String, String>,
    programs: BTreeSet<String>,
    files: BTreeSet<PathBuf>,
    has_wasm: bool,
    has_wasm_threads: bool,
    has_python: bool,
    has_gate_tools: bool,
    has_lists: bool,
    /// Packages whose presence differs from the rule that apt offers everything.
    offers: BTreeMap<String, bool>,
}

impl Fake {
    fn new(system: System, packages: PackageManager) -> Self {
        Self {
            platform: Platform {
                system,
                arch: "x86_64".to_owned(),
                packages: Some(packages),
                privilege: Privilege::Root,
            },
            variables: BTreeMap::from([("CARGO_HOME".to_owned(), "/cargo".to_owned())]),
            programs: BTreeSet::new(),
            files: BTreeSet::new(),
            has_wasm: false,
            has_wasm_threads: false,
            has_python: false,
            has_gate_tools: false,
            has_lists: true,
            offers: BTreeMap::from([("geckodriver".to_owned(), false)]),
        }
    }

    pub(crate) fn debian() -> Self {
        Self::new(System::Linux, PackageManager::Apt)
    }

    pub(crate) fn fedora() -> Self {
        Self::new(System::Linux, PackageManager::Dnf).user()
    }

    pub(crate) fn macos() -> Self {
        Self::new(System::MacOs, PackageManager::Brew).user()
    }

    pub(crate) fn user(mut self) -> Self {
        self.platform.privilege = Privilege::Sudo;
        self
    }

    pub(crate) fn without_sudo(mut self) -> Self {
        self.platform.privilege = Privilege::None;
        self
    }

    pub(crate) fn without_lists(mut self) -> Self {
        self.has_lists = false;
        self
    }

    pub(crate) fn lacks(mut self, packages: &[&str]) -> Self {
        self.offers.extend(packages.iter().map(|name| ((*name).to_owned(), false)));
        self
    }

    pub(crate) fn has_package(mut self, package: &str) -> Self {
        self.offers.insert(package.to_owned(), true);
        self
    }

    pub(crate) fn program(mut self, name: &str) -> Self {
        self.programs.insert(name.to_owned());
        self
    }

    pub(crate) fn programs(self, names: &[&str]) -> Self {
        names.iter().fold(self, |machine, name| machine.program(name))
    }

    pub(crate) fn file(mut self, path: &str) -> Self {
        self.files.insert(path.into());
        self
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn with_wasm(mut self) -> Self {
        self.has_wasm = true;
        self
    }

    pub(crate) fn with_wasm_threads(mut self) -> Self {
        self.has_wasm_threads = true;
        self
    }

    pub(crate) fn with_gate_tools(mut self) -> Self {
        self.has_gate_tools = true;
        self
    }

    pub(crate) fn with_python(mut self) -> Self {
        self.has_python = true;
        self
    }
}

impl Environment for Fake {
    fn variable(&self, name: &str) -> Option<OsString> {
        self.variables.get(name).map(OsString::from)
    }

    fn on_path(&self, name: &str) -> Option<PathBuf> {
        self.programs.contains(name).then(|| Path::new("/usr/bin").join(name))
    }

    fn is_executable(&self, path: &Path) -> bool {
        self.files.contains(path)
    }

    fn entries(&self, folder: &Path) -> Vec<PathBuf> {
        let below = self.files.iter().filter_map(|file| file.strip_prefix(folder).ok());
        let names: BTreeSet<_> = below.filter_map(|path| path.iter().next()).collect();
        names.into_iter().map(|name| folder.join(name)).collect()
    }

    fn home(&self) -> Option<PathBuf> {
        Some("/user".into())
    }
}

impl Machine for Fake {
    fn platform(&self) -> &Platform {
        &self.platform
    }

    fn environment(&self) -> &dyn Environment {
        self
    }

    fn is_file(&self, path: &Path) -> bool {
        self.files.contains(path)
    }

    fn cache_folder(&self) -> Option<PathBuf> {
        Some("/cache".into())
    }

    fn wasm_standard_library(&self) -> Option<PathBuf> {
        self.has_wasm.then(|| "/rust/lib".into())
    }

    fn wasm_threads(&self) -> Option<PathBuf> {
        self.has_wasm_threads.then(|| "/rust/threads".into())
    }

    fn python_with_venv(&self) -> Option<PathBuf> {
        self.has_python.then(|| "/usr/bin/python3".into())
    }

    fn gate_tools(&self) -> Option<PathBuf> {
        self.has_gate_tools.then(|| "/checkout/tests/gates".into())
    }

    fn offer(&self, package: &str) -> Offer {
        if !self.has_lists {
            return Offer::NoLists;
        }
        if self.offers.get(package).copied().unwrap_or(true) { Offer::Yes } else { Offer::No }
    }
}
