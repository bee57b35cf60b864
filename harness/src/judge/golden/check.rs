//! Checks that the goldens that matrices need exist, are fresh and complete, and that no others do.

use std::collections::{BTreeMap, BTreeSet};

use super::{CaseRequest, GoldenError, Goldens, ReferenceKind, Rows};

/// A golden that some cell of a matrix is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Name of the model in the catalogue.
    pub model: String,
    /// SHA-256 of its file, by the catalogue.
    pub model_sha256: String,
    /// The reference for the model.
    pub reference: ReferenceKind,
    /// Name of the scenario that the golden is filed under.
    pub scenario: String,
    /// The cases of the model's prompt set that name the scenario.
    pub cases: Vec<CaseRequest>,
    /// Whether the scenario compares logits, which takes whole rows.
    pub needs_logits: bool,
}

/// A problem with the goldens.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// A golden that is needed can't be used.
    #[error(transparent)]
    Golden(#[from] GoldenError),
    /// A file that no matrix needs.
    #[error(
        "no matrix needs `{0}` in the folder of goldens\n  \
         (hint: remove it, or add the model or the scenario to a matrix)"
    )]
    Unreferenced(String),
}

/// Checks everything and reports all problems.
///
/// `wanted` lists the needs of *all* matrices. `sources` has the current SHA-256 of each reference:
/// a golden made by another version is stale, since this one may compute something else.
pub fn check(
    goldens: &Goldens,
    wanted: &[Wanted],
    sources: &BTreeMap<ReferenceKind, String>,
) -> Vec<Problem> {
    let (mut problems, mut referenced) = (Vec::new(), BTreeSet::new());
    for wanted in wanted {
        let name = format!("{}/{}", wanted.model, wanted.scenario);
        referenced.insert(format!("{name}.json"));
        if wanted.needs_logits {
            referenced.insert(format!("{name}.safetensors"));
        }
        problems.extend(check_one(goldens, wanted, sources).err().map(Problem::Golden));
    }
    match goldens.files() {
        Err(error) => problems.push(error.into()),
        Ok(files) => {
            // Traces are of the hybrid client: `Traces::problems` looks at them.
            let left_over = files
                .into_iter()
                .filter(|file| !referenced.contains(file) && !file.starts_with("traces/"));
            problems.extend(left_over.map(Problem::Unreferenced));
        }
    }
    problems
}

fn check_one(
    goldens: &Goldens,
    wanted: &Wanted,
    sources: &BTreeMap<ReferenceKind, String>,
) -> Result<(), GoldenError> {
    let Wanted { model, scenario, cases, .. } = wanted;
    let golden = goldens.load_fresh((model, scenario), &wanted.model_sha256, cases)?;
    let stale = |reason: String| {
        Err(GoldenError::Stale { model: model.clone(), scenario: scenario.clone(), reason })
    };
    if sources.get(&wanted.reference) != Some(&golden.reference.source_sha256) {
        return stale("it was made by another version of `fixtures/reference/`".to_owned());
    }
    match goldens.logits(&golden)? {
        None if wanted.needs_logits => return stale("it has no rows of logits".to_owned()),
        None => {}
        Some(logits) => {
            for case in &golden.cases {
                let (values, columns) = logits.case(&case.id, case.generated_ids.len())?;
                let rows = Rows::new(&values, columns);
                let is_whole =
                    rows.is_some_and(|rows| rows.iter().flatten().all(|x| x.is_finite()));
                if !is_whole {
                    return stale(format!("case `{}` has logits that are not finite", case.id));
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::format::tests::golden;
    use super::*;

    #[test]
    fn missing_stale_and_unreferenced_goldens_are_all_reported() {
        let folder = tempfile::tempdir().unwrap();
        let goldens = Goldens::new(folder.path());
        fs_err::create_dir_all(folder.path().join("m/tokens")).unwrap();
        fs_err::write(folder.path().join("README.md"), "about").unwrap();
        let write = |name: &str| {
            let text = serde_json::to_string(&golden()).unwrap();
            fs_err::write(folder.path().join("m/tokens").join(name), text).unwrap();
        };
        write("greedy.json");
        let wanted = Wanted {
            model: "m".to_owned(),
            model_sha256: "ab".to_owned(),
            reference: ReferenceKind::Numpy,
            scenario: "tokens/greedy".to_owned(),
            cases: vec![golden().cases[0].request()],
            needs_logits: false,
        };
        let problems = |wanted: &[Wanted], source: &str| -> Vec<String> {
            let sources = BTreeMap::from([(ReferenceKind::Numpy, source.to_owned())]);
            let problems = check(&goldens, wanted, &sources);
            problems.iter().map(|p| p.to_string().lines().next().unwrap().to_owned()).collect()
        };
        let stale = "the golden for scenario `tokens/greedy` on model `m` is stale: ";
        assert!(problems(std::slice::from_ref(&wanted), "cd").is_empty());
        assert_eq!(
            problems(std::slice::from_ref(&wanted), "ee"),
            [format!("{stale}it was made by another version of `fixtures/reference/`")]
        );
        let logits = Wanted { needs_logits: true, ..wanted.clone() };
        assert_eq!(problems(&[logits], "cd"), [format!("{stale}it has no rows of logits")]);
        write("old.json");
        let other = Wanted { scenario: "a/b".to_owned(), ..wanted.clone() };
        let found = problems(&[wanted, other], "cd");
        assert!(found[0].starts_with("no golden for scenario `a/b` on model `m`"), "{found:?}");
        assert_eq!(found[1], "no matrix needs `m/tokens/old.json` in the folder of goldens");
        assert_eq!(found.len(), 2);
    }
}
