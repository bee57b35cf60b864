//! Runs the reference, and stores its answers or compares them with the stored ones.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fs_err as fs;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::check::Wanted;
use super::{
    CaseRequest, GOLDEN_FORMAT, Golden, GoldenCase, GoldenError, Goldens, LogitsFile, LogitsGolden,
    Reference, ReferenceKind, python,
};
use crate::fetch::python::PythonError;

/// Allowed difference of a regenerated logit or logsumexp in the JSON: the file keeps nine decimals,
/// and the order of a float64 sum changes less than that.
const STEP_TOLERANCE: f64 = 2e-8;
/// Allowed difference of a regenerated float32 logit: one unit in the last place at 64.
const ROW_TOLERANCE: f64 = 8e-6;

/// The folders of the reference and of its environment.
#[derive(Debug, Clone)]
pub struct Generator {
    /// `fixtures/reference/`.
    pub reference: PathBuf,
    /// tierproof's cache folder.
    pub cache: PathBuf,
}

/// Why a golden could not be generated.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// Generation was requested in CI.
    #[error(
        "goldens are not written in CI, and `CI` is set\n  \
         (hint: `tierproof golden generate --check` compares without writing)"
    )]
    InCi,
    /// Its Python environment can't be created.
    #[error("the reference: {0}")]
    Python(#[from] PythonError),
    /// A command failed.
    #[error("`{line}` failed:\n{stderr}")]
    Command {
        /// The command line.
        line: String,
        /// Its standard error.
        stderr: String,
    },
    /// The reference's answer does not fit the request.
    #[error("the reference's answer for model `{model}`, scenario `{scenario}`: {reason}")]
    Answer {
        /// The model.
        model: String,
        /// The scenario.
        scenario: String,
        /// Expected and found.
        reason: String,
    },
    /// The golden to compare with can't be read.
    #[error(transparent)]
    Golden(#[from] GoldenError),
    /// The disk; the message names the file.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a Path,
    logits: bool,
    cases: &'a [CaseRequest],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    versions: std::collections::BTreeMap<String, String>,
    cases: Vec<GoldenCase>,
}

/// A golden that is not stored yet.
struct Fresh {
    golden: Golden,
    logits: Option<Vec<u8>>,
}

impl Generator {
    /// SHA-256 over a reference's sources as they are now.
    pub fn source_sha256(&self, kind: ReferenceKind) -> std::io::Result<String> {
        python::source_sha256(&self.reference, kind)
    }

    /// Generates and stores a golden, replacing an earlier one.
    ///
    /// # Errors
    /// The reference fails, or this is CI.
    pub fn generate(
        &self,
        goldens: &Goldens,
        wanted: &Wanted,
        model_path: &Path,
        progress: &mut dyn FnMut(String),
    ) -> Result<PathBuf, GenerateError> {
        if crate::spec::environment::is_ci() {
            return Err(GenerateError::InCi);
        }
        let fresh = self.run(wanted, model_path, progress)?;
        let path = goldens.path(&wanted.model, &wanted.scenario);
        if let (Some(file), Some(bytes)) = (&fresh.golden.logits, &fresh.logits) {
            write(&path.with_file_name(&file.file), bytes)?;
        }
        let mut text = serde_json::to_string(&fresh.golden).map_err(std::io::Error::from)?;
        text.push('\n');
        write(&path, text.as_bytes())?;
        Ok(path)
    }

    /// Generates a golden without storing it, and returns its differences from the stored one.
    pub fn differences(
        &self,
        goldens: &Goldens,
        wanted: &Wanted,
        model_path: &Path,
        progress: &mut dyn FnMut(String),
    ) -> Result<Vec<String>, GenerateError> {
        let Wanted { model, scenario, cases, .. } = wanted;
        let filed = goldens.load_fresh((model, scenario), &wanted.model_sha256, cases)?;
        let fresh = self.run(wanted, model_path, progress)?;
        let mut found = Vec::new();
        for (old, new) in filed.cases.iter().zip(&fresh.golden.cases) {
            found.extend(case_difference(old, new));
        }
        let (old, new) = (goldens.logits(&filed)?, fresh.logits);
        match (old, new.map(|bytes| LogitsGolden::new(Path::new("the regenerated rows"), bytes))) {
            (None, None) => {}
            (Some(old), Some(new)) => {
                for case in &filed.cases {
                    let rows = case.generated_ids.len();
                    let ((old, _), (new, _)) =
                        (old.case(&case.id, rows)?, new.case(&case.id, rows)?);
                    found.extend(rows_difference(&case.id, &old, &new));
                }
            }
            (old, _) => {
                let (filed, made) = if old.is_some() { ("some", "none") } else { ("none", "some") };
                found.push(format!("rows of logits: stored {filed}, regenerated {made}"));
            }
        }
        Ok(found)
    }

    /// Runs the reference in a folder of its own.
    fn run(
        &self,
        wanted: &Wanted,
        model_path: &Path,
        progress: &mut dyn FnMut(String),
    ) -> Result<Fresh, GenerateError> {
        let python = python::interpreter(&self.cache, &self.reference, wanted.reference, progress)?;
        let folder = tempfile::tempdir()?;
        let request =
            Request { model: model_path, logits: wanted.needs_logits, cases: &wanted.cases };
        let request = serde_json::to_vec(&request).map_err(std::io::Error::from)?;
        progress(format!("computing {} on {}", wanted.scenario, wanted.model));
        let mut command = Command::new(python);
        command.arg(self.reference.join(wanted.reference.script())).arg(folder.path());
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // If the reference has exited early, its standard error explains why.
            let _ = stdin.write_all(&request);
        }
        let output = child.wait_with_output()?;
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(GenerateError::Command { line: format!("{command:?}"), stderr });
        }
        let answer = fs::read_to_string(folder.path().join("cases.json"))?;
        let logits = if wanted.needs_logits {
            Some(fs::read(folder.path().join("logits.safetensors"))?)
        } else {
            None
        };
        let golden = self.assemble(wanted, &answer, logits.as_deref())?;
        Ok(Fresh { golden, logits })
    }

    /// Makes a golden of the reference's answer.
    fn assemble(
        &self,
        wanted: &Wanted,
        answer: &str,
        logits: Option<&[u8]>,
    ) -> Result<Golden, GenerateError> {
        let (model, scenario) = (wanted.model.clone(), wanted.scenario.clone());
        let wrong = |reason: String| {
            let (model, scenario) = (model.clone(), scenario.clone());
            GenerateError::Answer { model, scenario, reason }
        };
        let answer: Answer =
            serde_json::from_str(answer).map_err(|error| wrong(error.to_string()))?;
        let file = scenario.rsplit('/').next().unwrap_or(&scenario);
        let golden = Golden {
            format: GOLDEN_FORMAT,
            model: model.clone(),
            model_sha256: wanted.model_sha256.clone(),
            scenario: scenario.clone(),
            reference: Reference {
                name: wanted.reference.name().to_owned(),
                versions: answer.versions,
                source_sha256: self.source_sha256(wanted.reference)?,
            },
            cases: answer.cases,
            logits: logits.map(|bytes| LogitsFile {
                file: format!("{file}.safetensors"),
                sha256: hex::encode(Sha256::digest(bytes)),
            }),
        };
        let stale = super::store::staleness(&golden, &wanted.model_sha256, &wanted.cases);
        match golden.inconsistency().or(stale) {
            Some(reason) => Err(wrong(reason)),
            None => Ok(golden),
        }
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), GenerateError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    // Temporary files are private; goldens are not.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
    }
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Whether the difference exceeds the tolerance or is NaN.
fn is_off(old: f64, new: f64, tolerance: f64) -> bool {
    let difference = (old - new).abs();
    difference > tolerance || difference.is_nan()
}

/// The first difference of a case beyond rounding.
fn case_difference(old: &GoldenCase, new: &GoldenCase) -> Option<String> {
    let id = &old.id;
    if (&old.prompt_ids, &old.generated_ids) != (&new.prompt_ids, &new.generated_ids) {
        return Some(format!(
            "case `{id}`: stored ids {:?} {:?}, regenerated {:?} {:?}",
            old.prompt_ids, old.generated_ids, new.prompt_ids, new.generated_ids
        ));
    }
    if (&old.text, old.finish_reason) != (&new.text, new.finish_reason) {
        return Some(format!(
            "case `{id}`: stored text {:?}, regenerated {:?}",
            old.text, new.text
        ));
    }
    for (number, (old, new)) in old.steps.iter().zip(&new.steps).enumerate() {
        let is_off_step = |old: f64, new: f64| is_off(old, new, STEP_TOLERANCE);
        if is_off_step(old.logsumexp, new.logsumexp) {
            let (old, new) = (old.logsumexp, new.logsumexp);
            return Some(format!(
                "case `{id}`: step {number}: stored logsumexp {old}, regenerated {new}"
            ));
        }
        for token in &old.top {
            let found = new.find(token.0).map(|token| token.1);
            if found.is_none_or(|found| is_off_step(token.1, found)) {
                return Some(format!(
                    "case `{id}`: step {number}: token {}: stored logit {}, regenerated {found:?}",
                    token.0, token.1
                ));
            }
        }
    }
    None
}

fn rows_difference(id: &str, old: &[f32], new: &[f32]) -> Option<String> {
    if old.len() != new.len() {
        return Some(format!(
            "case `{id}`: stored {} logits, regenerated {}",
            old.len(),
            new.len()
        ));
    }
    let is_off_logit = |(_, (old, new)): &(usize, (&f32, &f32))| {
        is_off(f64::from(**old), f64::from(**new), ROW_TOLERANCE)
    };
    let (at, (old, new)) = old.iter().zip(new).enumerate().find(is_off_logit)?;
    Some(format!("case `{id}`: logit {at} of all rows: stored {old}, regenerated {new}"))
}

#[cfg(test)]
mod tests {
    use super::super::format::tests::case;
    use super::*;

    #[test]
    fn regenerated_goldens_may_differ_only_in_the_last_decimal() {
        let change = |change: fn(&mut GoldenCase)| {
            let mut new = case();
            change(&mut new);
            case_difference(&case(), &new)
        };
        assert_eq!(change(|case| case.steps[0].top[0].1 += 1e-9), None);
        for (found, expected) in [
            (
                change(|case| case.steps[1].top[0].1 += 1e-6),
                "case `c`: step 1: token 3: stored logit 3, regenerated Some(3.000001)",
            ),
            (
                change(|case| case.steps[0].logsumexp = f64::NAN),
                "case `c`: step 0: stored logsumexp 2.1, regenerated NaN",
            ),
            (change(|case| case.text.push('x')), "case `c`: stored text \"b\", regenerated \"bx\""),
            (
                change(|case| case.generated_ids[0] = 0),
                "case `c`: stored ids [0, 2] [1, 3], regenerated [0, 2] [0, 3]",
            ),
        ] {
            assert_eq!(found.as_deref(), Some(expected));
        }
        assert_eq!(rows_difference("c", &[30.0], &[30.000_002]), None);
        assert_eq!(
            rows_difference("c", &[1.0, 2.0], &[1.0, 2.1]).as_deref(),
            Some("case `c`: logit 1 of all rows: stored 2, regenerated 2.1")
        );
    }
}
