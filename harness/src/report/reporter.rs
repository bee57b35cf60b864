//! Reporters, and the list of them that receives every event of a run.

use std::fmt;
use std::io::Write;
use std::path::Path;

use crate::run::event::RunEvent;

/// Reports a run.
///
/// Events arrive in order. A stream may end without
/// [`RunFinished`](crate::run::event::RunEventKind::RunFinished), which a reporter must report
/// rather than fail.
pub trait Reporter: Send {
    /// Takes one event. After an error the reporter is not called again.
    fn event(&mut self, event: &RunEvent) -> Result<(), ReportError>;

    /// Ends the stream: writes reports that need all of it. Called at most once.
    fn finish(&mut self) -> Result<(), ReportError>;
}

/// A report that can't be written.
#[derive(Debug, thiserror::Error)]
#[error("can't write the {report} report: {cause}")]
pub struct ReportError {
    /// `terminal`, `log`, `junit` or `html`.
    pub report: &'static str,
    /// The cause, with the path if there is one.
    pub cause: Box<dyn std::error::Error + Send + Sync>,
}

impl ReportError {
    pub(crate) fn new(
        report: &'static str,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { report, cause: cause.into() }
    }
}

/// Every report that could not be written. A green run then ends with exit code 4.
#[derive(Debug, thiserror::Error)]
pub struct ReportErrors(pub Vec<ReportError>);

impl fmt::Display for ReportErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            write!(f, "{}{error}", if index == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

/// Passes every event to every reporter, in the order in which they were added.
///
/// A reporter that fails is dropped, and [`Reporters::finish`] returns its error: a full disk must
/// not cost the verdicts on the terminal.
#[derive(Default)]
pub struct Reporters {
    reporters: Vec<Box<dyn Reporter>>,
    errors: Vec<ReportError>,
}

impl Reporters {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a reporter.
    #[must_use]
    pub fn with(mut self, reporter: impl Reporter + 'static) -> Self {
        self.reporters.push(Box::new(reporter));
        self
    }

    /// Passes one event to all.
    pub fn event(&mut self, event: &RunEvent) {
        let errors = &mut self.errors;
        self.reporters.retain_mut(|reporter| match reporter.event(event) {
            Ok(()) => true,
            Err(error) => {
                errors.push(error);
                false
            }
        });
    }

    /// Finishes every reporter.
    pub fn finish(mut self) -> Result<(), ReportErrors> {
        for reporter in &mut self.reporters {
            if let Err(error) = reporter.finish() {
                self.errors.push(error);
            }
        }
        if self.errors.is_empty() { Ok(()) } else { Err(ReportErrors(self.errors)) }
    }
}

impl fmt::Debug for Reporters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reporters")
            .field("reporters", &self.reporters.len())
            .field("errors", &self.errors)
            .finish()
    }
}

/// Writes a file atomically, by renaming a temporary file.
pub(crate) fn write_whole(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    fs_err::create_dir_all(folder)?;
    let named = |error: std::io::Error| {
        std::io::Error::new(error.kind(), format!("`{}`: {error}", path.display()))
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".report");
    // A temporary file is private by default, a report is not.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    let mut file = builder.tempfile_in(folder).map_err(named)?;
    file.write_all(content).map_err(named)?;
    file.persist(path).map_err(|error| named(error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;
    use std::sync::{Arc, Mutex};

    /// Records its calls, and fails at the event with the given number.
    struct Counter {
        calls: Arc<Mutex<Vec<String>>>,
        fails_at: Option<u64>,
        fails_at_end: bool,
    }

    impl Reporter for Counter {
        fn event(&mut self, event: &RunEvent) -> Result<(), ReportError> {
            self.calls.lock().unwrap().push(event.seq.to_string());
            if self.fails_at == Some(event.seq) {
                return Err(ReportError::new("log", "no space left"));
            }
            Ok(())
        }

        fn finish(&mut self) -> Result<(), ReportError> {
            self.calls.lock().unwrap().push("finish".to_owned());
            if self.fails_at_end { Err(ReportError::new("html", "no such folder")) } else { Ok(()) }
        }
    }

    #[test]
    fn one_broken_reporter_does_not_stop_the_others() {
        let calls: [Arc<Mutex<Vec<String>>>; 3] = Default::default();
        let counter = |index: usize, fails_at, fails_at_end| Counter {
            calls: Arc::clone(&calls[index]),
            fails_at,
            fails_at_end,
        };
        let mut reporters = Reporters::new()
            .with(counter(0, Some(0), false))
            .with(counter(1, None, true))
            .with(counter(2, None, false));
        for event in sample::run("chrome/wasm/tierproof/m/tokens/greedy: pass").iter().take(2) {
            reporters.event(event);
        }
        let errors = reporters.finish().unwrap_err();
        assert_eq!(
            errors.to_string(),
            "can't write the log report: no space left\ncan't write the html report: no such folder"
        );
        let calls = calls.map(|calls| calls.lock().unwrap().join(" "));
        assert_eq!(calls, ["0", "0 1 finish", "0 1 finish"]);
    }

    #[test]
    fn a_file_is_written_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/index.html");
        write_whole(&path, b"first").unwrap();
        write_whole(&path, b"second").unwrap();
        assert_eq!(fs_err::read(&path).unwrap(), b"second");
        assert_eq!(fs_err::read_dir(path.parent().unwrap()).unwrap().count(), 1);

        let taken = folder.path().join("taken");
        fs_err::create_dir_all(taken.join("a-folder")).unwrap();
        let error = write_whole(&taken, b"x").unwrap_err().to_string();
        assert!(error.contains("taken`"), "{error}");
        assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 2, "a partial file stays");
    }
}
