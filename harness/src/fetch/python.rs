//! Python environments in the cache, made on demand from pinned requirements. The user's own
//! environments are never used. Other modules decide what runs in them.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fs_err as fs;
use sha2::{Digest, Sha256};

/// Why an environment can't be made.
#[derive(Debug, thiserror::Error)]
pub enum PythonError {
    /// Python is not installed.
    #[error(
        "no `python3` on PATH\n  (hint: install Python 3.11 or later; `tierproof setup` does it)"
    )]
    NoPython,
    /// A command failed.
    #[error("`{line}` failed:\n{stderr}")]
    Command {
        /// The command line.
        line: String,
        /// Its standard error.
        stderr: String,
    },
    /// Reading or writing failed; the message names the file.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// An environment, whether it exists yet or not.
#[derive(Debug, Clone)]
pub(crate) struct Environment {
    folder: PathBuf,
    requirements: String,
}

impl Environment {
    /// The environment for requirements in pip's format. Its folder is named after them, so other
    /// requirements give another environment.
    pub(crate) fn of(cache: &Path, name: &str, requirements: &str) -> Self {
        let version: String = hex::encode(Sha256::digest(requirements)).chars().take(12).collect();
        let folder = cache.join(format!("{name}-{version}"));
        Self { folder, requirements: requirements.to_owned() }
    }

    /// Whether it is complete.
    pub(crate) fn is_ready(&self) -> bool {
        self.seal().is_file()
    }

    /// The file that is written last. Without it, making the environment was interrupted.
    fn seal(&self) -> PathBuf {
        self.folder.join("ready")
    }

    /// Its interpreter. Makes the environment if it does not exist.
    pub(crate) fn interpreter(
        &self,
        progress: &mut dyn FnMut(String),
    ) -> Result<PathBuf, PythonError> {
        let folder = &self.folder;
        let python = if cfg!(windows) {
            folder.join("Scripts").join("python.exe")
        } else {
            folder.join("bin").join("python")
        };
        if self.is_ready() {
            return Ok(python);
        }
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir_all(folder)?;
        progress(format!("making a Python environment in {}", folder.display()));
        let system = which::which("python3").or_else(|_| which::which("python"));
        let system = system.map_err(|_| PythonError::NoPython)?;
        run(Command::new(system).args([OsStr::new("-m"), "venv".as_ref(), folder.as_os_str()]))?;
        progress("installing its requirements".to_owned());
        let requirements = folder.join("requirements.txt");
        fs::write(&requirements, &self.requirements)?;
        let install = ["-m", "pip", "install", "--quiet", "--requirement"].map(OsStr::new);
        run(Command::new(&python).args(install).arg(requirements.as_os_str()))?;
        fs::write(self.seal(), "")?;
        Ok(python)
    }
}

/// Runs a command to its end. Its standard error becomes part of the error.
fn run(command: &mut Command) -> Result<(), PythonError> {
    let line = format!("{command:?}");
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(PythonError::Command { line, stderr })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_requirements_give_another_environment() {
        let cache = tempfile::tempdir().unwrap();
        let [one, two] =
            ["a==1\n", "a==2\n"].map(|text| Environment::of(cache.path(), "tools", text));
        assert_ne!(one.folder, two.folder);
        fs::create_dir(&one.folder).unwrap();
        assert!(!one.is_ready());
        fs::write(one.seal(), "").unwrap();
        assert!(one.is_ready() && !two.is_ready());
        assert!(one.interpreter(&mut |_| {}).unwrap().starts_with(cache.path()));
    }
}
