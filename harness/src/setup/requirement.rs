//! The columns of the table of requirements.
//!
//! [`super::check`] looks a requirement up, [`super::fix`] gets what is missing.

use serde::Serialize;

use crate::spec::cell::BrowserName;

/// What the machine is prepared for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// `tierproof run`: a matrix on every browser that this platform has.
    Run,
    /// Every test, including those with browsers.
    Test,
    /// `tierproof golden generate`: the reference in Python.
    Reference,
    /// The bundle `threads`.
    Threads,
    /// `./tierproof gates`: formatting, lints, documentation, spelling.
    Gates,
}

impl Purpose {
    /// Every purpose.
    pub(crate) const ALL: [Self; 5] =
        [Self::Run, Self::Test, Self::Reference, Self::Threads, Self::Gates];

    /// The word that `--for` takes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Test => "test",
            Self::Reference => "reference",
            Self::Threads => "threads",
            Self::Gates => "gates",
        }
    }
}

/// Something that a purpose needs: all of its parts together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Requirement {
    /// Stable name, for `--json`.
    pub(crate) id: &'static str,
    /// Name for people.
    pub(crate) title: &'static str,
    /// Why it is needed.
    pub(crate) why: &'static str,
    /// The purposes that need it.
    pub(crate) needed_for: &'static [Purpose],
    /// Nothing fails without it; `setup` installs it only with `--optional`.
    pub(crate) optional: bool,
    /// The operating systems on which it exists at all.
    pub(crate) only_on: OnlyOn,
    /// The parts, each found by itself.
    pub(crate) parts: &'static [Part],
}

/// The operating systems where a requirement can exist.
#[derive(Debug, Clone, Copy)]
pub(crate) enum OnlyOn {
    /// Everywhere.
    Any,
    /// On Linux; elsewhere it is unavailable, for this reason.
    Linux(&'static str),
    /// On macOS; elsewhere it is unavailable, for this reason.
    MacOs(&'static str),
}

/// One thing to find.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    /// Name, which the steps of `setup` print too.
    pub(crate) name: &'static str,
    /// How it is found.
    pub(crate) finder: Finder,
    /// The packages that contain it.
    pub(crate) packages: Packages,
    /// How else it is installed.
    pub(crate) otherwise: Otherwise,
}

/// How a part is found.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Finder {
    /// A program on `PATH`, under one of these names.
    Program(&'static [&'static str]),
    /// A browser's driver, where a launch finds it.
    Driver(BrowserName),
    /// A browser's executable, where a launch finds it.
    Browser(BrowserName),
    /// The virtual display, where a launch finds it.
    Display,
    /// A file in one of these places; `{arch}` is the architecture.
    File(&'static [&'static str]),
    /// The standard library of `wasm32-unknown-unknown`, of rustup or of our own folder.
    WasmStandardLibrary,
    /// The same with atomics, built by the rustc that it is used with.
    WasmThreads,
    /// A file in the user's cache, by its path in [`crate::fetch::models::cache_folder`].
    Cached { path: &'static str },
    /// The programs that the gates run, in the versions that are pinned now.
    GateTools,
    /// Python's `venv`, complete enough to make an environment with `pip` in it.
    PythonVenv,
}

/// Package names by package manager; empty where that manager has none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Packages {
    pub(crate) apt: &'static [&'static str],
    pub(crate) dnf: &'static [&'static str],
    pub(crate) pacman: &'static [&'static str],
    pub(crate) brew: &'static [&'static str],
}

/// How a part is installed that no package contains.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Otherwise {
    /// `cargo install NAME --locked --version VERSION`.
    CargoInstall { name: &'static str, version: &'static str },
    /// `harness/setup/setup-wasm.sh`.
    WasmToolchain,
    /// `harness/setup/setup-wasm.sh --threads`.
    WasmThreads,
    /// `harness/setup/tokenizer-vocabularies.sh`.
    TokenizerVocabularies,
    /// `harness/setup/gate-tools.sh`.
    GateTools,
    /// By the user: instructions in a whole sentence.
    ByHand(&'static str),
}
