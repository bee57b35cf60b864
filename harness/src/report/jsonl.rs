//! `run.jsonl`: the stream itself, one JSON object a line.
//!
//! The format is that of [`RunEvent`], versioned by
//! [`LOG_VERSION`](crate::run::event::LOG_VERSION). Each line is written when its event
//! arrives, so a killed run leaves a log that [`super::replay`] can read.

use std::io::Write;
use std::path::Path;

use super::{ReportError, Reporter};
use crate::run::event::RunEvent;

/// Writes the log of a run.
#[derive(Debug)]
pub struct Jsonl<W = fs_err::File> {
    out: W,
}

impl Jsonl {
    /// Begins a log, replacing an earlier one.
    pub fn create(path: &Path) -> Result<Self, ReportError> {
        let begin = || {
            if let Some(folder) = path.parent() {
                fs_err::create_dir_all(folder)?;
            }
            fs_err::File::create(path)
        };
        Ok(Self { out: begin().map_err(|error| ReportError::new("log", error))? })
    }
}

impl<W: Write> Jsonl<W> {
    /// Writes to any writer.
    pub fn new(out: W) -> Self {
        Self { out }
    }
}

impl<W: Write + Send> Reporter for Jsonl<W> {
    fn event(&mut self, event: &RunEvent) -> Result<(), ReportError> {
        let mut line = serde_json::to_vec(event).map_err(|error| ReportError::new("log", error))?;
        line.push(b'\n');
        // One write a line, so that readers see whole lines, even after a kill.
        self.out.write_all(&line).map_err(|error| ReportError::new("log", error))?;
        self.out.flush().map_err(|error| ReportError::new("log", error))
    }

    fn finish(&mut self) -> Result<(), ReportError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn every_line_is_written_with_its_event() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/run.jsonl");
        let mut log = Jsonl::create(&path).unwrap();
        for (count, event) in (1..).zip(&sample::mixed()) {
            log.event(event).unwrap();
            let text = fs_err::read_to_string(&path).unwrap();
            assert!(text.ends_with('\n'));
            assert_eq!(text.lines().count(), count);
            let last: RunEvent = serde_json::from_str(text.lines().last().unwrap()).unwrap();
            assert_eq!(&last, event);
        }
    }

    #[test]
    fn a_log_that_can_t_be_created_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("report");
        fs_err::write(&file, "").unwrap();
        let error = Jsonl::create(&file.join("run.jsonl")).unwrap_err().to_string();
        assert!(error.starts_with("can't write the log report: "), "{error}");
        assert!(error.contains("report"), "{error}");
    }
}
