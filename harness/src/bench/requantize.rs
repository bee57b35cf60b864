//! A model at another weight type, for engines to be compared on all of them.
//!
//! The `gguf` package quantizes, in the environment of the reference; tierproof has no quantizer.
//! Only matrices of the model's main type change: norms stay F32 and embeddings as they are. The
//! result lies in the cache, named after the hash of what it was made from, and the same input
//! gives the same bytes.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fs_err as fs;

use crate::judge::golden::{ReferenceKind, python};

/// The weight types that can be made.
pub const TARGETS: [&str; 6] = ["Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "F16"];

const SCRIPT: &str = include_str!("requantize.py");

/// The model at `target`, one of [`TARGETS`]; made unless it is there. `sha256` is of `model`.
///
/// # Errors
/// Python's own words, or the disk's.
pub fn requantized(
    cache: &Path,
    reference: &Path,
    model: &Path,
    sha256: &str,
    target: &str,
    progress: &mut dyn FnMut(String),
) -> Result<PathBuf, String> {
    let stem = model.file_stem().unwrap_or_default().to_string_lossy();
    let short = sha256.get(..12).unwrap_or(sha256);
    let folder = cache.join("bench").join("requantized").join(short);
    let path = folder.join(format!("{stem}-{target}.gguf"));
    if path.is_file() {
        return Ok(path);
    }
    let told = |error: std::io::Error| error.to_string();
    fs::create_dir_all(&folder).map_err(told)?;
    let python = python::interpreter(cache, reference, ReferenceKind::Numpy, progress)
        .map_err(|error| error.to_string())?;
    progress(format!("requantizing {stem} to {target}"));
    let part = folder.join(format!("{stem}-{target}.gguf.part"));
    let mut command = Command::new(python);
    command.args(["-c", SCRIPT]).arg(model).arg(&part).arg(target);
    let output = command.stdin(Stdio::null()).output().map_err(told)?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let last = stderr.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no message");
        return Err(format!("{stem} can't be requantized to {target}: {last}"));
    }
    fs::rename(part, &path).map_err(told)?;
    Ok(path)
}
