//! Converts a model to another weight type, so that engines can be compared on each.
//!
//! The `gguf` package quantizes, in the environment of the reference; tierproof has no quantizer.
//! Only matrices of the model's main type change: norms and embeddings stay as they are. The result
//! is in the cache, named after the hash of its source; the same source gives the same bytes.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fs_err as fs;

use crate::fetch::python::PythonError;
use crate::judge::golden::{ReferenceKind, python};

/// The weight types to convert to.
pub const TARGETS: [&str; 6] = ["Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "F16"];

const SCRIPT: &str = include_str!("requantize.py");

/// Why a model can't be converted.
#[derive(Debug, thiserror::Error)]
pub enum RequantizeError {
    /// The Python environment.
    #[error(transparent)]
    Python(#[from] PythonError),
    /// The conversion failed.
    #[error("{model} can't be requantized to {target}: {message}")]
    Failed {
        /// The model's name.
        model: String,
        /// The weight type.
        target: String,
        /// The last line that Python wrote.
        message: String,
    },
    /// The disk; the message names the file.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// The model at `target`, one of [`TARGETS`]; converted if it is not in the cache. `sha256` is the
/// hash of `model`.
pub fn requantized(
    cache: &Path,
    reference: &Path,
    model: &Path,
    sha256: &str,
    target: &str,
    progress: &mut dyn FnMut(String),
) -> Result<PathBuf, RequantizeError> {
    let stem = model.file_stem().unwrap_or_default().to_string_lossy();
    let short = sha256.get(..12).unwrap_or(sha256);
    let folder = cache.join("bench").join("requantized").join(short);
    let path = folder.join(format!("{stem}-{target}.gguf"));
    if path.is_file() {
        return Ok(path);
    }
    fs::create_dir_all(&folder)?;
    let python = python::interpreter(cache, reference, ReferenceKind::Numpy, progress)?;
    progress(format!("requantizing {stem} to {target}"));
    let part = folder.join(format!("{stem}-{target}.gguf.part"));
    let mut command = Command::new(python);
    command.args(["-c", SCRIPT]).arg(model).arg(&part).arg(target);
    let output = command.stdin(Stdio::null()).output()?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let last = stderr.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no message");
        let (model, target, message) = (stem.into_owned(), target.to_owned(), last.to_owned());
        return Err(RequantizeError::Failed { model, target, message });
    }
    fs::rename(part, &path)?;
    Ok(path)
}
