//! The Python that the reference runs in: an environment of its own in the cache, made on demand
//! from pinned requirements. The reference's arithmetic is not known here.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fs_err as fs;
use sha2::{Digest, Sha256};

use super::ReferenceKind;
use super::generate::GenerateError;

impl ReferenceKind {
    /// The files that decide what comes out, in the order in which they are hashed.
    fn sources(self) -> &'static [&'static str] {
        match self {
            Self::Numpy => &["llama.py", "text.py", "reference.py", "requirements.txt"],
            Self::Transformers => {
                &["architectures.py", "text.py", "reference.py", "requirements-architectures.txt"]
            }
        }
    }

    /// What answers requests.
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

/// The interpreter of an environment that has the requirements; makes it if it is not there.
pub(super) fn interpreter(
    cache: &Path,
    reference: &Path,
    kind: ReferenceKind,
    progress: &mut dyn FnMut(String),
) -> Result<PathBuf, GenerateError> {
    let requirements = reference.join(kind.requirements());
    let version =
        hex::encode(Sha256::digest(fs::read(&requirements)?)).chars().take(12).collect::<String>();
    let environment = cache.join(format!("reference-{version}"));
    let python = if cfg!(windows) {
        environment.join("Scripts").join("python.exe")
    } else {
        environment.join("bin").join("python")
    };
    // Written last: an environment without it was interrupted half-way.
    let ready = environment.join("ready");
    if ready.is_file() {
        return Ok(python);
    }
    if environment.exists() {
        fs::remove_dir_all(&environment)?;
    }
    fs::create_dir_all(cache)?;
    progress(format!("making a Python environment in {}", environment.display()));
    let system = which::which("python3").or_else(|_| which::which("python"));
    let system = system.map_err(|_| GenerateError::NoPython)?;
    run(Command::new(system).args([OsStr::new("-m"), "venv".as_ref(), environment.as_os_str()]))?;
    progress("installing the reference's requirements".to_owned());
    let install = ["-m", "pip", "install", "--quiet", "--requirement"].map(OsStr::new);
    run(Command::new(&python).args(install).arg(requirements.as_os_str()))?;
    fs::write(ready, "")?;
    Ok(python)
}

/// Runs a command to its end; what it writes to its standard error goes into the error.
fn run(command: &mut Command) -> Result<(), GenerateError> {
    let line = format!("{command:?}");
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(GenerateError::Command { line, stderr })
}
