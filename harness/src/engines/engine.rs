//! An engine under test, described by plain values.

use std::fmt;

use inference_wasm::protocol::BackendName;

use crate::fetch::npm::Package;
use crate::spec::matrix::EngineFacts;

/// An engine under test.
#[derive(Debug)]
pub struct Engine {
    /// Its name on the command line, in a matrix and in JSON.
    pub name: &'static str,
    /// Where it comes from and therefore where it runs.
    pub(crate) source: Source,
    /// The form in which it gets a model.
    pub(crate) model: ModelForm,
    /// The backends that it can be measured on.
    pub backends: &'static [BackendName],
    /// Backends that it claims to have and is not measured on, each with the reason.
    pub(crate) refused: &'static [(BackendName, &'static str)],
    /// It is ours, so a tier proof is demanded of it.
    pub(crate) is_ours: bool,
    /// It takes a prompt as token ids; otherwise as text, which it has to turn into the same ids.
    pub(crate) takes_ids: bool,
    /// It reports the token ids of its answer, not only the text.
    pub(crate) reports_ids: bool,
    /// Whether a matrix can judge it.
    pub(crate) in_matrix: InMatrix,
}

/// Where an engine comes from and therefore where it runs.
#[derive(Debug)]
pub(crate) enum Source {
    /// Our bundle, in a page of a browser.
    Bundle,
    /// Compiled into this command, on a thread of its own.
    BuiltIn,
    /// Packages from npm that the peers' page loads (`engines/page`), in a browser.
    Npm {
        /// The packages; the version of the first one is the engine's.
        packages: &'static [Package],
        /// Scripts of ours for the page, by file name; `adapter.js` is required.
        scripts: &'static [(&'static str, &'static str)],
    },
    /// A Python script of ours in an environment of its own, in a process.
    Python(Python),
}

/// The parts of an engine that runs in Python.
#[derive(Debug)]
pub(crate) struct Python {
    /// The script's file name.
    pub(crate) name: &'static str,
    /// The script.
    pub(crate) script: &'static str,
    /// Pinned requirements with hashes, which pip checks.
    pub(crate) requirements: &'static str,
    /// The package that computes, with its version.
    pub(crate) version: &'static str,
    /// Bytes to download for Linux on x86-64; other wheels have about the same size.
    pub(crate) bytes: u64,
    /// SPDX expression.
    pub(crate) licence: &'static str,
}

/// The form in which an engine gets a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ModelForm {
    /// A GGUF in shards.
    Shards,
    /// A GGUF in one piece.
    WholeFile,
    /// An ONNX export, beside the engine's page.
    Onnx,
}

/// Whether a matrix can judge an engine.
#[derive(Debug)]
pub(crate) enum InMatrix {
    /// It can, on these backends.
    Judged(&'static [BackendName]),
    /// It can't yet: how to go on, as a clause.
    NotYet(&'static str),
}

/// The reason where an engine gives none.
const NO_SUCH_BACKEND: &str = "it has no such backend";

impl Engine {
    /// It runs in a page of a browser.
    pub fn needs_browser(&self) -> bool {
        match self.source {
            Source::Bundle | Source::Npm { .. } => true,
            Source::BuiltIn | Source::Python(_) => false,
        }
    }

    /// Why it can't be measured on a backend; `None` if it can.
    pub fn why_not(&self, backend: BackendName) -> Option<&'static str> {
        if self.backends.contains(&backend) {
            return None;
        }
        let mut refused = self.refused.iter();
        let reason = refused.find(|(refused, _)| *refused == backend).map(|(_, reason)| *reason);
        Some(reason.unwrap_or(NO_SUCH_BACKEND))
    }

    /// The packages from npm that it needs.
    pub(crate) fn npm_packages(&self) -> &'static [Package] {
        match self.source {
            Source::Npm { packages, .. } => packages,
            Source::Bundle | Source::BuiltIn | Source::Python(_) => &[],
        }
    }

    /// What a matrix has to know of it.
    pub(crate) fn facts(&self) -> EngineFacts {
        let (backends, not_judged) = match self.in_matrix {
            InMatrix::Judged(backends) => (backends, None),
            InMatrix::NotYet(clause) => {
                let name = self.name;
                let reason = format!("`{name}` can be measured by `tierproof bench`; {clause}");
                (self.backends, Some(reason))
            }
        };
        let missing = BackendName::ALL.into_iter().filter(|backend| !backends.contains(backend));
        let why = |backend| self.why_not(backend).unwrap_or(NO_SUCH_BACKEND).to_owned();
        EngineFacts {
            name: self.name.to_owned(),
            missing_backends: missing.map(|backend| (backend, why(backend))).collect(),
            not_judged,
        }
    }
}

impl PartialEq for Engine {
    /// A name belongs to one engine.
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Engine {}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name)
    }
}
