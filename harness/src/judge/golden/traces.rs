//! Golden traces: the steps of the hybrid client in a scenario, from a starting tier, as text in
//! `golden/traces/<scenario>/<backend>.txt`.
//!
//! One trace serves all browsers. A browser that has to differ has `<backend>.<browser>.txt`, whose
//! first line gives the reason. No program accepts a trace: on request a run writes `.txt.new`
//! beside it, for a person to review and rename.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use inference_wasm::protocol::BackendName;
use similar::TextDiff;

use crate::spec::cell::BrowserName;

/// The beginning of the first line of a browser's own trace.
const REASON: &str = "# reason: ";

/// The folder of traces, and whether a run writes new ones for review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traces {
    folder: PathBuf,
    is_recording: bool,
}

/// The result of comparing a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Compared {
    /// The traces are equal.
    Same,
    /// They differ, or the golden is missing.
    Different {
        /// The problem, on one line.
        what: String,
        /// A hint or a diff.
        detail: String,
    },
}

impl Traces {
    /// The traces under `golden/`.
    pub fn new(goldens: &Path) -> Self {
        Self { folder: goldens.join("traces"), is_recording: false }
    }

    /// The same, writing traces that differ beside their goldens.
    #[must_use]
    pub fn recording(self) -> Self {
        Self { is_recording: true, ..self }
    }

    /// Compares the trace of a cell with its golden.
    ///
    /// # Errors
    /// A file can't be read or written.
    pub(crate) fn compare(
        &self,
        scenario: &str,
        (browser, backend): (BrowserName, BackendName),
        measured: &str,
    ) -> std::io::Result<Compared> {
        let folder = self.folder.join(scenario);
        let shared = folder.join(format!("{backend}.txt"));
        let own = folder.join(format!("{backend}.{browser}.txt"));
        let (path, golden) = match read(&own)? {
            Some(text) => (own, Some(text)),
            None => (shared.clone(), read(&shared)?),
        };
        let shown = format!("golden/traces/{scenario}/{}", file_name(&path));
        let compared = judge(&shown, golden.as_deref(), measured);
        if self.is_recording && compared != Compared::Same {
            fs_err::create_dir_all(&folder)?;
            let pending = folder.join(format!("{}.new", file_name(&path)));
            // Where browsers differ, each of their traces needs a review.
            let is_taken = read(&pending)?.is_some_and(|text| text != measured);
            let pending = if is_taken {
                folder.join(format!("{backend}.{browser}.txt.new"))
            } else {
                pending
            };
            fs_err::write(pending, measured)?;
        }
        Ok(compared)
    }

    /// The problems of the folder: traces that are missing, left over, or without a required reason.
    /// `wanted` lists the needs of all matrices.
    pub(crate) fn problems(
        &self,
        wanted: &BTreeSet<(String, BackendName)>,
    ) -> std::io::Result<Vec<String>> {
        let mut problems = Vec::new();
        for (scenario, backend) in wanted {
            let path = self.folder.join(scenario).join(format!("{backend}.txt"));
            if read(&path)?.is_none() {
                problems.push(format!("`{}` is missing", self.shown(&path)));
            }
        }
        let mut folders = vec![self.folder.clone()];
        while let Some(folder) = folders.pop() {
            let entries = match fs_err::read_dir(&folder) {
                Ok(entries) => entries,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            for entry in entries {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let (name, shown) = (file_name(&path), self.shown(&path));
                let is_own = name.matches('.').count() > 1;
                let is_wanted = wanted.iter().any(|(scenario, backend)| {
                    let is_there = folder == self.folder.join(scenario);
                    is_there && name.split('.').next() == Some(backend.as_str())
                });
                if path.extension().is_some_and(|extension| extension == "new") {
                    problems.push(format!("`{shown}` is waiting for review"));
                } else if !is_wanted {
                    problems.push(format!("no matrix needs `{shown}`"));
                } else if is_own && reason(&fs_err::read_to_string(&path)?).is_none() {
                    problems.push(without_reason(&shown));
                }
            }
        }
        problems.sort();
        Ok(problems)
    }
}

impl Traces {
    /// A path relative to the project.
    fn shown(&self, path: &Path) -> String {
        let relative = path.strip_prefix(&self.folder).unwrap_or(path);
        format!("golden/traces/{}", relative.display())
    }
}

fn judge(path: &str, golden: Option<&str>, measured: &str) -> Compared {
    const HINT: &str = "hint: `tierproof run … --update-traces` writes it with the suffix \
                        `.new`: review it, then rename it";
    let Some(golden) = golden else {
        let what = format!("`{path}` is missing");
        return Compared::Different { what, detail: format!("{HINT}\n{measured}") };
    };
    let is_own = path.matches('.').count() > 1;
    let golden = match (is_own, reason(golden)) {
        (false, _) => golden,
        (true, Some(rest)) => rest,
        (true, None) => {
            let (what, detail) = (without_reason(path), String::new());
            return Compared::Different { what, detail };
        }
    };
    if golden == measured {
        return Compared::Same;
    }
    let diff = TextDiff::from_lines(golden, measured);
    let diff = diff.unified_diff().context_radius(3).header(path, "measured").to_string();
    Compared::Different { what: format!("the trace differs from `{path}`"), detail: diff }
}

/// The trace after the reason of a browser's own file.
fn reason(text: &str) -> Option<&str> {
    let (reason, rest) = text.strip_prefix(REASON)?.split_once('\n')?;
    (!reason.trim().is_empty()).then_some(rest)
}

fn without_reason(path: &str) -> String {
    format!("`{path}` is for one browser only, so its first line must be `{REASON}…`")
}

fn read(path: &Path) -> std::io::Result<Option<String>> {
    match fs_err::read_to_string(path) {
        Ok(text) => Ok(Some(text.replace('\r', ""))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CELL: (BrowserName, BackendName) = (BrowserName::Firefox, BackendName::Webgl);

    fn wanted() -> BTreeSet<(String, BackendName)> {
        [("resilience/s".to_owned(), BackendName::Webgl)].into()
    }

    #[test]
    fn missing_and_left_over_traces_are_reported() {
        let root = tempfile::tempdir().unwrap();
        let traces = Traces::new(root.path());
        write(root.path(), "wasm.txt", "a\n");
        assert_eq!(
            traces.problems(&wanted()).unwrap(),
            [
                "`golden/traces/resilience/s/webgl.txt` is missing",
                "no matrix needs `golden/traces/resilience/s/wasm.txt`"
            ]
        );
    }

    fn write(root: &Path, name: &str, text: &str) {
        let path = root.join("traces/resilience/s").join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }

    fn compare(traces: &Traces, measured: &str) -> Compared {
        traces.compare("resilience/s", CELL, measured).unwrap()
    }

    #[test]
    fn a_trace_is_compared_with_its_golden() {
        let root = tempfile::tempdir().unwrap();
        let traces = Traces::new(root.path());
        let Compared::Different { what, detail } = compare(&traces, "visit 1\n") else { panic!() };
        assert_eq!(what, "`golden/traces/resilience/s/webgl.txt` is missing");
        assert!(detail.contains("--update-traces") && detail.ends_with("visit 1\n"), "{detail}");

        write(root.path(), "webgl.txt", "visit 1\n  a\n");
        assert_eq!(compare(&traces, "visit 1\n  a\n"), Compared::Same);
        let Compared::Different { detail, .. } = compare(&traces, "visit 1\n  b\n") else {
            panic!()
        };
        assert!(detail.contains("-  a\n+  b\n"), "{detail}");
    }

    #[test]
    fn a_browsers_own_trace_needs_a_reason() {
        let root = tempfile::tempdir().unwrap();
        let traces = Traces::new(root.path());
        write(root.path(), "webgl.txt", "a\n");
        write(root.path(), "webgl.firefox.txt", "b\n");
        let Compared::Different { what, .. } = compare(&traces, "b\n") else { panic!() };
        assert!(what.contains("is for one browser only"), "{what}");
        let wanted = wanted();
        assert_eq!(traces.problems(&wanted).unwrap().len(), 1);
        write(root.path(), "webgl.firefox.txt", "# reason: it has no contexts\nb\n");
        assert_eq!(compare(&traces, "b\n"), Compared::Same);
        assert_eq!(traces.problems(&wanted).unwrap(), [""; 0]);
        let chrome = (BrowserName::Chrome, BackendName::Webgl);
        assert_eq!(traces.compare("resilience/s", chrome, "a\n").unwrap(), Compared::Same);
    }

    #[test]
    fn traces_are_written_only_on_request_and_never_over_a_golden() {
        let root = tempfile::tempdir().unwrap();
        let traces = Traces::new(root.path());
        write(root.path(), "webgl.txt", "a\n");
        compare(&traces, "b\n");
        assert_eq!(traces.problems(&wanted()).unwrap(), [""; 0]);
        compare(&traces.clone().recording(), "b\n");
        let folder = root.path().join("traces/resilience/s");
        assert_eq!(fs_err::read_to_string(folder.join("webgl.txt")).unwrap(), "a\n");
        assert_eq!(fs_err::read_to_string(folder.join("webgl.txt.new")).unwrap(), "b\n");
        // A third trace, from another browser.
        let chrome = (BrowserName::Chrome, BackendName::Webgl);
        traces.clone().recording().compare("resilience/s", chrome, "c\n").unwrap();
        assert_eq!(fs_err::read_to_string(folder.join("webgl.chrome.txt.new")).unwrap(), "c\n");
        assert_eq!(traces.problems(&wanted()).unwrap().len(), 2);
    }
}
