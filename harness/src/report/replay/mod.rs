//! `tierproof report`: reads logs and passes them to the same reporters as a run.

mod log;
mod merge;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

pub use log::{Log, ReplayError, read};

use super::Reporters;
use crate::run::event::RunEventKind;
use merge::merge;

/// The end of a replayed run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replayed {
    /// The exit code of the run; 4 if it did not finish.
    pub exit_code: u8,
    /// Every log has an end.
    pub is_finished: bool,
}

/// Reads logs and passes their events to reporters, which the caller finishes. Several logs are
/// merged into one run; the last log that ran a cell counts.
///
/// # Errors
/// A log can't be read; then no event is passed on.
pub fn replay(paths: &[PathBuf], reporters: &mut Reporters) -> Result<Replayed, ReplayError> {
    let logs = paths.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
    let is_finished = !logs.is_empty() && logs.iter().all(Log::is_finished);
    let events = merge(&logs);
    for event in &events {
        reporters.event(event);
    }
    let exit_code = events.iter().rev().find_map(|event| match &event.kind {
        RunEventKind::RunFinished { exit_code, .. } => Some(*exit_code),
        _ => None,
    });
    Ok(Replayed { exit_code: exit_code.unwrap_or(4), is_finished })
}
