//! `junit.xml`: the run for the user interface of a CI service.
//!
//! A test suite for each browser and backend, a test case for each cell: class name
//! `browser.backend.engine.model`, name the scenario. The format lacks some of our verdicts;
//! they are mapped so that the report is red when the run is red:
//!
//! | verdict | JUnit |
//! |---|---|
//! | expected, a pass | success; infrastructure trouble before it as `flakyError` |
//! | expected, a known failure | `skipped`, type `known-failure` |
//! | unexpected, unexpected pass, flaky | `failure`; earlier attempts as `rerunFailure`, `rerunError` |
//! | inconclusive, or never settled | `error` |
//! | not run | `skipped`, type `unsupported` or `not-run`, with the reason |
//! | a missed floor, nothing ran, no end | a test case of the suite `run` |

use std::collections::BTreeMap;
use std::path::PathBuf;

use inference_wasm::protocol::BackendName;
use quick_junit::{
    FlakyOrRerun, NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestRerun, TestSuite,
};

use super::record::{AttemptRecord, CellRecord, RunRecord, Standing};
use super::wording::{exit_code_meaning, first_line, headline, reason, rerun_command};
use super::{ReportError, Reporter, proof, write_whole};
use crate::judge::outcome::{Disposition, Outcome};
use crate::run::event::RunEvent;
use crate::spec::cell::BrowserName;

/// Writes `junit.xml` at the end of a run.
#[derive(Debug)]
pub struct Junit {
    path: PathBuf,
    record: RunRecord,
}

impl Junit {
    /// The report will be written to `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), record: RunRecord::default() }
    }
}

impl Reporter for Junit {
    fn event(&mut self, event: &RunEvent) -> Result<(), ReportError> {
        self.record.event(event);
        Ok(())
    }

    fn finish(&mut self) -> Result<(), ReportError> {
        let mut xml =
            of_run(&self.record).to_string().map_err(|error| ReportError::new("junit", error))?;
        xml.push('\n');
        write_whole(&self.path, xml.as_bytes()).map_err(|error| ReportError::new("junit", error))
    }
}

fn of_run(record: &RunRecord) -> Report {
    let mut report = Report::new("tierproof");
    report.set_time(record.duration());
    if let Some(started) = &record.started {
        report.timestamp = started.at.to_string().parse().ok();
    }
    let mut suites: BTreeMap<(BrowserName, BackendName), Vec<&CellRecord>> = BTreeMap::new();
    for cell in &record.cells {
        suites.entry((cell.cell.browser, cell.cell.backend)).or_default().push(cell);
    }
    report.add_test_suite(run_suite(record));
    for ((browser, backend), cells) in suites {
        let mut suite = TestSuite::new(format!("{browser}/{backend}"));
        suite.set_time(cells.iter().map(|cell| cell.duration()).sum());
        suite.add_test_cases(cells.iter().map(|cell| test_case(record, cell)));
        report.add_test_suite(suite);
    }
    report
}

/// Test cases for the run itself.
fn run_suite(record: &RunRecord) -> TestSuite {
    let (_, sentence) = headline(record);
    let mut suite = TestSuite::new("run");
    let mut case = |name: &str, trouble: Option<(NonSuccessKind, &str, String)>| {
        let status = match trouble {
            None => TestCaseStatus::success(),
            Some((kind, ty, message)) => {
                let mut status = TestCaseStatus::non_success(kind);
                status.set_type(ty).set_message(message);
                status
            }
        };
        let mut case = TestCase::new(name, status);
        case.set_classname("run");
        suite.add_test_case(case);
    };
    let finished = record.finished.as_ref();
    case(
        "came to its end",
        match finished {
            Some(finished) if finished.is_interrupted => {
                Some((NonSuccessKind::Error, "interrupted", sentence.clone()))
            }
            Some(_) => None,
            None => Some((NonSuccessKind::Error, "unfinished", sentence.clone())),
        },
    );
    let ran = record.tally().ran() > 0;
    let nothing = || (NonSuccessKind::Failure, "nothing-ran", "nothing ran".to_owned());
    case("some cell ran", (!ran).then(nothing));
    let floors = finished.map(|finished| finished.missed_floors.as_slice()).unwrap_or_default();
    let missed = || (NonSuccessKind::Failure, "missed-floor", floors.join("\n"));
    case("floors of the matrix", (!floors.is_empty()).then(missed));
    if let Some(started) = &record.started {
        suite.add_property(Property::new("tierproof.version", started.version.as_str()));
        suite.add_property(Property::new("tierproof.matrix", started.matrix.as_str()));
        suite.add_property(Property::new("tierproof.narrowed_by", started.narrowed_by.join(" ")));
    }
    if let Some(finished) = finished {
        let code = finished.exit_code;
        suite.add_property(Property::new("tierproof.exit_code", code.to_string()));
        suite.add_property(Property::new("tierproof.exit_code_meaning", exit_code_meaning(code)));
    }
    for probe in &record.probes {
        let name = format!("tierproof.browser.{}.{}", probe.browser, probe.profile);
        suite.add_property(Property::new(name, probe.version.as_str()));
    }
    suite
}

fn test_case(record: &RunRecord, cell: &CellRecord) -> TestCase {
    let id = &cell.cell;
    let mut case = TestCase::new(id.scenario.as_str(), status(cell));
    case.set_classname(format!("{}.{}.{}.{}", id.browser, id.backend, id.engine, id.model));
    case.set_time(cell.duration());
    case.add_property(Property::new("tierproof.cell", id.to_string()));
    case.add_property(Property::new("tierproof.verdict", cell.standing().key()));
    if let Some(attempt) = cell.telling_attempt() {
        case.add_property(Property::new("tierproof.outcome", attempt.outcome.name()));
        case.add_property(Property::new("tierproof.attempts", cell.attempts.len().to_string()));
        case.add_property(Property::new("tierproof.rerun", rerun_command(record, cell)));
        if let Outcome::Pass { proof: passed } = &attempt.outcome {
            case.add_property(Property::new("tierproof.proof", proof::in_a_line(passed)));
        }
        let tail = &attempt.evidence.driver_log_tail;
        if !tail.is_empty() {
            case.set_system_err(tail.join("\n"));
        }
    }
    case
}

fn status(cell: &CellRecord) -> TestCaseStatus {
    let standing = cell.standing();
    let text = reason(cell);
    let mut status = match (standing, &cell.disposition) {
        (Standing::Expected, Disposition::KnownFailure { .. }) => {
            let mut status = TestCaseStatus::skipped();
            status.set_type("known-failure").set_message(text);
            return status;
        }
        (Standing::Expected, _) => TestCaseStatus::success(),
        (Standing::Unsupported | Standing::NotRun, _) => {
            let mut status = TestCaseStatus::skipped();
            status.set_type(standing.key()).set_message(text);
            return status;
        }
        (Standing::Inconclusive | Standing::Unsettled, _) => {
            described(NonSuccessKind::Error, standing.key(), &text)
        }
        (Standing::Unexpected, _) => {
            let outcome = cell.telling_attempt().map_or("unexpected", |a| a.outcome.name());
            described(NonSuccessKind::Failure, outcome, &text)
        }
        (Standing::UnexpectedPass | Standing::Flaky, _) => {
            described(NonSuccessKind::Failure, standing.key(), &text)
        }
    };
    let others = cell
        .attempts
        .iter()
        .filter(|attempt| !matches!(attempt.outcome, Outcome::Pass { .. }))
        .filter(|attempt| {
            standing == Standing::Expected
                || cell.telling_attempt().is_none_or(|telling| telling.attempt != attempt.attempt)
        });
    status.add_reruns(others.map(rerun));
    if standing != Standing::Expected && matches!(status, TestCaseStatus::NonSuccess { .. }) {
        status.set_rerun_kind(FlakyOrRerun::Rerun);
    }
    status
}

fn described(kind: NonSuccessKind, ty: &str, text: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(ty).set_message(first_line(text)).set_description(text);
    status
}

fn rerun(attempt: &AttemptRecord) -> TestRerun {
    let kind = if attempt.outcome.is_infrastructure() {
        NonSuccessKind::Error
    } else {
        NonSuccessKind::Failure
    };
    let message = attempt.outcome.message();
    let mut rerun = TestRerun::new(kind);
    rerun.set_type(attempt.outcome.name()).set_message(first_line(&message));
    rerun.set_time(attempt.duration).set_description(message);
    rerun
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn written(events: &[RunEvent]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("junit.xml");
        let mut junit = Junit::new(&path);
        for event in events {
            junit.event(event).unwrap();
        }
        assert!(!path.exists(), "written before the end");
        junit.finish().unwrap();
        fs_err::read_to_string(path).unwrap()
    }

    /// The elements with their attributes, by an XML parser that knows nothing of `JUnit`.
    fn elements(xml: &str) -> Vec<(String, BTreeMap<String, String>)> {
        use quick_xml::events::Event;
        let mut reader = quick_xml::Reader::from_str(xml);
        let mut elements = Vec::new();
        loop {
            match reader.read_event().unwrap() {
                Event::Start(element) | Event::Empty(element) => {
                    let attributes = element.attributes().map(|attribute| {
                        let attribute = attribute.unwrap();
                        let value = attribute
                            .normalized_value(quick_xml::XmlVersion::Implicit1_0)
                            .unwrap()
                            .into_owned();
                        (String::from_utf8(attribute.key.as_ref().to_vec()).unwrap(), value)
                    });
                    let name = String::from_utf8(element.name().as_ref().to_vec()).unwrap();
                    elements.push((name, attributes.collect()));
                }
                Event::Eof => return elements,
                _ => {}
            }
        }
    }

    #[test]
    fn every_cell_is_a_case_and_every_failure_is_red() {
        let elements = elements(&written(&sample::mixed()));
        let count = |name: &str| elements.iter().filter(|(found, _)| found == name).count();
        assert_eq!(elements[0].0, "testsuites");
        assert_eq!(elements[0].1["tests"], "15", "12 cells and 3 on the run");
        assert_eq!(elements[0].1["failures"], "5");
        assert_eq!(elements[0].1["errors"], "1");
        assert_eq!(count("testsuite"), 6);
        assert_eq!(count("testcase"), 15);
        assert_eq!(count("failure"), 5, "2 mismatches, hung, unexpected pass, flaky");
        assert_eq!(count("error"), 1, "inconclusive");
        assert_eq!(count("skipped"), 4, "2 unsupported, 1 unavailable, 1 known failure");
        assert_eq!(count("flakyError"), 1);
        assert_eq!(count("rerunError"), 1);
        let cells: std::collections::BTreeSet<_> = elements
            .iter()
            .filter(|(name, _)| name == "testcase")
            .map(|(_, attributes)| (&attributes["classname"], &attributes["name"]))
            .collect();
        assert_eq!(cells.len(), 15, "two cases of one name");
        let mismatch = elements.iter().find(|(name, _)| name == "failure").unwrap();
        assert_eq!(mismatch.1["type"], "mismatch");
        assert_eq!(
            mismatch.1["message"],
            "step 2 (generate), case fix-002: token at step 7: measured 937 ` today`, \
             allowed 612 ` now`, or a near tie within 0.05 logits"
        );
    }

    #[test]
    fn a_run_that_is_not_green_has_a_case_that_is_not() {
        let cell = "chrome/wasm/tierproof/m/tokens/greedy";
        for description in [
            format!("{cell}: unsupported no backend"),
            format!("{cell}: pass\nfloor: `chrome` must run 2 cells"),
            format!("{cell}: pass\ninterrupted"),
            format!("{cell}: hung"),
            format!("{cell}: infrastructure"),
        ] {
            let events = sample::run(&description);
            let elements = elements(&written(&events));
            assert!(elements.iter().any(|(name, _)| name == "failure" || name == "error"));
        }
        let events = sample::run(&format!("{cell}: pass"));
        let green = elements(&written(&events));
        assert!(green.iter().all(|(name, _)| name != "failure" && name != "error"));
        let broken_off = elements(&written(&events[..events.len() - 1]));
        assert!(broken_off.iter().any(|(name, _)| name == "error"));
    }

    #[test]
    fn our_own_parser_reads_it_back() {
        let xml = written(&sample::large());
        let report = Report::deserialize_from_str(&xml).unwrap();
        assert_eq!(report.test_suites.len(), 10);
        assert_eq!(report.tests, 408);
        let names: Vec<_> = report.test_suites.iter().map(|s| s.name.as_str()).take(3).collect();
        assert_eq!(names, ["run", "chrome/webgpu", "chrome/webgl"]);
    }
}
