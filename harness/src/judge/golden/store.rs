//! The folder of goldens: lookup by model and scenario, with checks.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use fs_err as fs;
use sha2::{Digest, Sha256};

use super::{CaseRequest, Golden, GoldenError, LogitsGolden};

/// A folder of goldens.
#[derive(Debug, Clone)]
pub struct Goldens {
    root: PathBuf,
}

impl Goldens {
    /// Goldens in this folder: `golden/` of the repository.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The path of the golden of a model and a scenario, which need not exist.
    pub fn path(&self, model: &str, scenario: &str) -> PathBuf {
        self.root.join(model).join(format!("{scenario}.json"))
    }

    /// Reads a golden, which may be stale: see [`Self::load_fresh`].
    pub fn load(&self, model: &str, scenario: &str) -> Result<Golden, GoldenError> {
        let path = self.path(model, scenario);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let (model, scenario) = (model.to_owned(), scenario.to_owned());
                return Err(GoldenError::Missing { model, scenario, path });
            }
            Err(error) => return Err(error.into()),
        };
        let broken = |reason: String| GoldenError::Broken { path: path.clone(), reason };
        let golden: Golden =
            serde_json::from_str(&text).map_err(|error| broken(error.to_string()))?;
        if let Some(reason) = golden.inconsistency() {
            return Err(broken(reason));
        }
        for (what, expected, found) in
            [("model", model, &golden.model), ("scenario", scenario, &golden.scenario)]
        {
            if expected != found {
                return Err(broken(format!("expected {what} `{expected}`, found `{found}`")));
            }
        }
        Ok(golden)
    }

    /// Reads a golden and checks that it answers the current request.
    pub fn load_fresh(
        &self,
        (model, scenario): (&str, &str),
        model_sha256: &str,
        cases: &[CaseRequest],
    ) -> Result<Golden, GoldenError> {
        let golden = self.load(model, scenario)?;
        match staleness(&golden, model_sha256, cases) {
            None => Ok(golden),
            Some(reason) => {
                let (model, scenario) = (model.to_owned(), scenario.to_owned());
                Err(GoldenError::Stale { model, scenario, reason })
            }
        }
    }

    /// Reads the rows of logits of a golden; `None` if it has none.
    pub fn logits(&self, golden: &Golden) -> Result<Option<LogitsGolden>, GoldenError> {
        let Some(file) = &golden.logits else { return Ok(None) };
        let path = self.path(&golden.model, &golden.scenario).with_file_name(&file.file);
        let bytes = fs::read(&path)?;
        let found = hex::encode(Sha256::digest(&bytes));
        if found != file.sha256 {
            let reason = format!("expected SHA-256 `{}`, found `{found}`", file.sha256);
            return Err(GoldenError::Broken { path, reason });
        }
        Ok(Some(LogitsGolden::new(&path, bytes)))
    }

    /// Every file below the folder that is a golden's, relative to the folder, `/` between parts.
    pub(super) fn files(&self) -> Result<BTreeSet<String>, GoldenError> {
        let (mut found, mut folders) = (BTreeSet::new(), vec![self.root.clone()]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder)? {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                } else if let Ok(relative) = path.strip_prefix(&self.root)
                    && relative.components().count() > 1
                {
                    let parts =
                        relative.components().map(|part| part.as_os_str().to_string_lossy());
                    found.insert(parts.collect::<Vec<_>>().join("/"));
                }
            }
        }
        Ok(found)
    }
}

/// Why a golden does not answer the current request.
pub(super) fn staleness(
    golden: &Golden,
    model_sha256: &str,
    cases: &[CaseRequest],
) -> Option<String> {
    if golden.model_sha256 != model_sha256 {
        return Some(format!(
            "it was made from a model file with SHA-256 `{}`, the current one has `{model_sha256}`",
            golden.model_sha256
        ));
    }
    for asked in cases {
        match golden.case(&asked.id) {
            None => return Some(format!("it has no case `{}`", asked.id)),
            Some(case) if case.messages != asked.messages => {
                return Some(format!("the messages of case `{}` have changed", asked.id));
            }
            Some(case) if case.max_tokens != asked.max_tokens => {
                return Some(format!(
                    "case `{}` has at most {} tokens, the prompt set asks for {}",
                    asked.id, case.max_tokens, asked.max_tokens
                ));
            }
            Some(_) => {}
        }
    }
    let left_over = |case: &&super::GoldenCase| cases.iter().all(|asked| asked.id != case.id);
    golden
        .cases
        .iter()
        .find(left_over)
        .map(|case| format!("case `{}` is not in the prompt set", case.id))
}

#[cfg(test)]
mod tests {
    use super::super::format::tests::golden;
    use super::*;

    fn folder(golden: &Golden) -> (tempfile::TempDir, Goldens) {
        let folder = tempfile::tempdir().unwrap();
        let goldens = Goldens::new(folder.path());
        let path = goldens.path(&golden.model, "tokens/greedy");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, serde_json::to_string(golden).unwrap()).unwrap();
        (folder, goldens)
    }

    #[test]
    fn a_missing_golden_names_the_command_that_makes_it() {
        let error = Goldens::new("golden").load("m", "logits/teacher-forced").unwrap_err();
        insta::assert_snapshot!(error.to_string().replace('\\', "/"), @r"
        no golden for scenario `logits/teacher-forced` on model `m`: expected `golden/m/logits/teacher-forced.json`
          (hint: `tierproof golden generate --model m --scenario logits/teacher-forced` makes it)
        ");
    }

    #[test]
    fn a_stored_golden_reads_back_unchanged() {
        let (_folder, goldens) = folder(&golden());
        assert_eq!(goldens.load("m", "tokens/greedy").unwrap(), golden());
        assert_eq!(
            goldens.files().unwrap().into_iter().collect::<Vec<_>>(),
            ["m/tokens/greedy.json"]
        );
    }

    #[test]
    fn a_golden_of_another_scenario_is_broken() {
        let (_folder, goldens) = folder(&Golden { scenario: "other".to_owned(), ..golden() });
        let error = goldens.load("m", "tokens/greedy").unwrap_err().to_string();
        assert!(error.ends_with("is broken: expected scenario `tokens/greedy`, found `other`"));
    }

    #[test]
    fn staleness_names_the_difference() {
        let asked = golden().cases[0].request();
        let more = |change: fn(&mut CaseRequest)| {
            let mut asked = asked.clone();
            change(&mut asked);
            vec![asked]
        };
        for (sha256, cases, expected) in [
            ("ab", vec![asked.clone()], None),
            (
                "ef",
                vec![asked.clone()],
                Some("it was made from a model file with SHA-256 `ab`, the current one has `ef`"),
            ),
            ("ab", more(|case| case.id = "d".to_owned()), Some("it has no case `d`")),
            (
                "ab",
                more(|case| case.messages.clear()),
                Some("the messages of case `c` have changed"),
            ),
            (
                "ab",
                more(|case| case.max_tokens = 9),
                Some("case `c` has at most 4 tokens, the prompt set asks for 9"),
            ),
            ("ab", vec![], Some("case `c` is not in the prompt set")),
        ] {
            assert_eq!(staleness(&golden(), sha256, &cases).as_deref(), expected);
        }
    }
}
