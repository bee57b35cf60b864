//! The Python environment of a reference, and the hash of its sources.

use std::path::{Path, PathBuf};

use fs_err as fs;
use sha2::{Digest, Sha256};

use super::ReferenceKind;
use crate::fetch::python::{Environment, PythonError};

impl ReferenceKind {
    /// The files that determine the result, in the order in which they are hashed.
    fn sources(self) -> &'static [&'static str] {
        match self {
            Self::Numpy => &["llama.py", "text.py", "reference.py", "requirements.txt"],
            Self::Transformers => {
                &["architectures.py", "text.py", "reference.py", "requirements-architectures.txt"]
            }
        }
    }

    /// The script that answers requests.
    pub(super) fn script(self) -> &'static str {
        match self {
            Self::Numpy => "reference.py",
            Self::Transformers => "architectures.py",
        }
    }

    fn requirements(self) -> &'static str {
        match self {
            Self::Numpy => "requirements.txt",
            Self::Transformers => "requirements-architectures.txt",
        }
    }
}

/// SHA-256 over a reference's sources: for each file its name, a line feed and its bytes.
pub(super) fn source_sha256(folder: &Path, kind: ReferenceKind) -> std::io::Result<String> {
    let mut hasher = Sha256::new();
    for name in kind.sources() {
        hasher.update(name);
        hasher.update("\n");
        hasher.update(fs::read(folder.join(name))?);
    }
    Ok(hex::encode(hasher.finalize()))
}

/// The interpreter of the reference's environment, which is created if it is missing.
pub(crate) fn interpreter(
    cache: &Path,
    reference: &Path,
    kind: ReferenceKind,
    progress: &mut dyn FnMut(String),
) -> Result<PathBuf, PythonError> {
    let requirements = fs::read_to_string(reference.join(kind.requirements()))?;
    Environment::of(cache, "reference", &requirements).interpreter(progress)
}
