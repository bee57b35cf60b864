//! Reads a log.
//!
//! The log of a killed run is readable: a broken last line is left out and reported. Anything
//! broken before it is an error, since a report with a gap would be wrong.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::run::event::{LOG_VERSION, RunEvent, RunEventKind};

/// A log that can't be read.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// It can't be read; the message has the path.
    #[error("can't read the log: {0}")]
    Read(#[from] std::io::Error),
    /// It has no event.
    #[error("`{path}` holds no event: the run was killed before it began", path = .0.display())]
    Empty(PathBuf),
    /// It is not a log of a run.
    #[error(
        "`{path}` is not the log of a run: expected a `run-started` event on line 1{found}",
        path = .path.display()
    )]
    NotALog {
        /// The file.
        path: PathBuf,
        /// The first line's content, ready to print.
        found: String,
    },
    /// Written by a newer tierproof.
    #[error(
        "`{path}` has log version {found}, this tierproof reads up to {LOG_VERSION}\n\
         (hint: read it with the tierproof that wrote it, or a newer one)",
        path = .path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
    /// A line in the middle is not an event.
    #[error("`{path}`, line {line}: not an event: {cause}", path = .path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The syntax error.
        cause: serde_json::Error,
    },
    /// Lines are missing, repeated or out of order.
    #[error("`{path}`, line {line}: expected event {expected}, found event {found}", path = .path.display())]
    Gap {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The expected number.
        expected: u64,
        /// The number found.
        found: u64,
    },
}

/// A log that was read.
#[derive(Debug, Clone)]
pub struct Log {
    /// The file.
    pub path: PathBuf,
    /// Its events; never empty, the first is [`RunEventKind::RunStarted`].
    pub events: Vec<RunEvent>,
    /// Whether the last line was broken and is left out.
    pub is_cut_off: bool,
}

impl Log {
    /// Whether the run finished, even by interruption.
    pub fn is_finished(&self) -> bool {
        self.events.iter().any(|event| matches!(event.kind, RunEventKind::RunFinished { .. }))
    }
}

/// The first line, which decides whether the others can be read.
#[derive(Deserialize)]
struct Head {
    kind: HeadKind,
}

#[derive(Deserialize)]
struct HeadKind {
    #[serde(rename = "type")]
    name: String,
    log_version: Option<u64>,
}

/// Reads one log.
pub fn read(path: &Path) -> Result<Log, ReplayError> {
    parse(path, &fs_err::read(path)?)
}

pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<Log, ReplayError> {
    let path = path.to_owned();
    // Text after the last line end is an incomplete line; usually it is empty.
    let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    let mut is_cut_off = lines.pop().is_some_and(|rest| !rest.is_empty());
    let Some(first) = lines.first() else { return Err(ReplayError::Empty(path)) };
    check_head(&path, first)?;
    let mut events = Vec::with_capacity(lines.len());
    for (index, line) in lines.iter().enumerate() {
        let event: RunEvent = match serde_json::from_slice(line) {
            Ok(event) => event,
            Err(_) if index > 0 && index + 1 == lines.len() && !is_cut_off => {
                is_cut_off = true;
                break;
            }
            Err(cause) => return Err(ReplayError::Line { path, line: index + 1, cause }),
        };
        let expected = index as u64;
        if event.seq != expected {
            let found = event.seq;
            return Err(ReplayError::Gap { path, line: index + 1, expected, found });
        }
        events.push(event);
    }
    Ok(Log { path, events, is_cut_off })
}

fn check_head(path: &Path, line: &[u8]) -> Result<(), ReplayError> {
    let not_a_log = |found: String| ReplayError::NotALog { path: path.to_owned(), found };
    let head: Head =
        serde_json::from_slice(line).map_err(|error| not_a_log(format!(": {error}")))?;
    match (head.kind.name.as_str(), head.kind.log_version) {
        ("run-started", Some(version)) if version <= u64::from(LOG_VERSION) => Ok(()),
        ("run-started", Some(found)) => Err(ReplayError::Newer { path: path.to_owned(), found }),
        ("run-started", None) => Err(not_a_log(", found one without `log_version`".to_owned())),
        (name, _) => Err(not_a_log(format!(", found `{name}`"))),
    }
}
