//! The address of a wheel, by the user's own pip.
//!
//! pip knows the user's index, mirror, proxy and certificates, so tierproof contains no registry's
//! address. [`super::download`](mod@super::download) fetches the bytes, since pip can't resume a download.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

/// Why pip does not report a wheel's address.
#[derive(Debug, thiserror::Error)]
pub enum PipError {
    /// Python is not installed.
    #[error(
        "no `python3` on PATH\n  (hint: install Python 3.9 or later; `tierproof setup` does it)"
    )]
    NoPython,
    /// Python could not be started.
    #[error("`{command}` could not be started: {error}")]
    Start {
        /// The command line.
        command: String,
        /// Why.
        error: std::io::Error,
    },
    /// pip failed.
    #[error(
        "`{command}` failed: {stderr}\n  (hint: if pip is missing, install it with `python3 -m ensurepip` or the package `python3-pip`)"
    )]
    Failed {
        /// The command line.
        command: String,
        /// The last line of its output.
        stderr: String,
    },
    /// pip's report has an unexpected form.
    #[error("pip's report: expected {expected}, found {found}")]
    Report {
        /// The expected content.
        expected: String,
        /// The actual content.
        found: String,
    },
}

#[derive(Deserialize)]
struct Report {
    install: Vec<Install>,
}

#[derive(Deserialize)]
struct Install {
    download_info: DownloadInfo,
}

#[derive(Deserialize)]
struct DownloadInfo {
    url: String,
}

/// Asks pip for the wheel's address. With an index that serves metadata separately, as the public
/// one does, this takes seconds and fetches no wheel.
pub(super) fn wheel_url(package: &str, version: &str) -> Result<String, PipError> {
    let requirement = format!("{package}=={version}");
    let flags = ["--dry-run", "--ignore-installed", "--no-deps", "--only-binary", ":all:"];
    let arguments = ["-m", "pip", "install", "--quiet", "--report", "-"];
    let arguments: Vec<_> = arguments.into_iter().chain(flags).chain([&requirement[..]]).collect();
    parse_report(&run(&arguments)?)
}

/// Makes pip fetch the wheel, for an index that only pip can log in to.
pub(super) fn download_wheel(
    package: &str,
    version: &str,
    folder: &Path,
) -> Result<PathBuf, PipError> {
    let requirement = format!("{package}=={version}");
    let destination = folder.to_string_lossy();
    let arguments = ["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"];
    let destination = ["--dest", &destination[..], &requirement[..]];
    run(&arguments.into_iter().chain(destination).collect::<Vec<_>>())?;
    let files = fs_err::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    files
        .into_iter()
        .find(|path| path.extension().is_some_and(|ending| ending == "whl"))
        .ok_or_else(|| PipError::Report {
            expected: format!("a wheel in `{}`", folder.display()),
            found: "none".to_owned(),
        })
}

fn run(arguments: &[&str]) -> Result<String, PipError> {
    let python = which::which("python3").or_else(|_| which::which("python"));
    let python = python.map_err(|_| PipError::NoPython)?;
    let command = format!("python3 {}", arguments.join(" "));
    let output = Command::new(python).args(arguments).stdin(Stdio::null()).output();
    let output = match output {
        Ok(output) => output,
        Err(error) => return Err(PipError::Start { command, error }),
    };
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let stderr = stderr.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no message");
        return Err(PipError::Failed { command, stderr: stderr.trim().to_owned() });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The address in the report of `pip install --dry-run --report -`.
fn parse_report(json: &str) -> Result<String, PipError> {
    let wrong =
        |expected: &str, found: String| PipError::Report { expected: expected.to_owned(), found };
    let report: Report = serde_json::from_str(json)
        .map_err(|error| wrong("JSON of version 1", error.to_string()))?;
    match &report.install[..] {
        [install] => Ok(install.download_info.url.clone()),
        more => Err(wrong("one package", more.len().to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_taken_from_the_report() {
        let report = r#"{"version":"1","install":[{"download_info":{"url":"file:///a.whl",
            "archive_info":{"hash":"sha256=00"}},"is_direct":false}],"environment":{}}"#;
        assert_eq!(parse_report(report).unwrap(), "file:///a.whl");
        for (json, message) in [
            (r#"{"install":[]}"#, "pip's report: expected one package, found 0"),
            (
                "WARNING",
                "pip's report: expected JSON of version 1, found expected value at line 1 column 1",
            ),
        ] {
            assert_eq!(parse_report(json).unwrap_err().to_string(), message);
        }
    }
}
