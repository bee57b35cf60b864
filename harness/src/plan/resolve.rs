//! What the runnable cells of a plan need from disk, read and checked before anything is
//! launched.
//!
//! Everything that is missing or stale is told at once.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::judge::golden::{CaseRequest, Golden, GoldenError, Goldens, LogitsGolden};
use crate::plan::Plan;
use crate::spec::cell::CellId;
use crate::spec::matrix::Matrix;
use crate::spec::scenario::{Fixtures, PromptSet, Scenario};
use crate::spec::tolerance::ToleranceClass;

/// A model's file on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFile {
    /// Where it is.
    pub path: PathBuf,
    /// SHA-256 of the whole file as the catalogue pins it, in hex.
    pub sha256: String,
}

/// A golden with its rows of logits, if it has them.
#[derive(Debug)]
pub(crate) struct LoadedGolden {
    /// The golden.
    pub(crate) golden: Golden,
    /// The rows.
    pub(crate) logits: Option<LogitsGolden>,
}

/// Everything that a cell is judged by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CellInputs<'a> {
    /// What to do.
    pub(crate) scenario: &'a Scenario,
    /// The model's file.
    pub(crate) model: &'a ModelFile,
    /// The answers.
    pub(crate) golden: Option<&'a LoadedGolden>,
    /// How far off is allowed.
    pub(crate) class: &'a ToleranceClass,
}

/// Inputs of all runnable cells.
#[derive(Debug)]
pub struct Inputs<'a> {
    matrix: &'a Matrix,
    fixtures: &'a Fixtures,
    models: BTreeMap<String, ModelFile>,
    goldens: BTreeMap<(String, String), LoadedGolden>,
}

/// Goldens that a plan needs and that can't be used.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("{} of the goldens that this run needs can't be used", errors.len())]
pub struct UnusableGoldens {
    /// Each with its own way out.
    #[related]
    errors: Vec<UnusableGolden>,
}

/// One of them.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error(transparent)]
pub(crate) struct UnusableGolden(GoldenError);

impl<'a> Inputs<'a> {
    /// Reads the goldens of every runnable cell. `models` are the files of models that are here.
    ///
    /// # Errors
    /// Every golden that is missing, stale or broken.
    pub fn read(
        plan: &Plan,
        (matrix, fixtures): (&'a Matrix, &'a Fixtures),
        models: BTreeMap<String, ModelFile>,
        goldens: &Goldens,
    ) -> Result<Self, UnusableGoldens> {
        let mut inputs = Self { matrix, fixtures, models, goldens: BTreeMap::new() };
        let mut errors = Vec::new();
        let mut broken = std::collections::BTreeSet::new();
        for planned in plan.runnable() {
            let cell = &planned.cell;
            let Some(scenario) = fixtures.scenarios.get(&cell.scenario) else { continue };
            if !scenario.needs_golden() {
                continue;
            }
            let key = (cell.model.clone(), scenario.golden_key().to_owned());
            if inputs.goldens.contains_key(&key) || broken.contains(&key) {
                continue;
            }
            match inputs.golden(&key, goldens) {
                Ok(golden) => {
                    inputs.goldens.insert(key, golden);
                }
                Err(error) => {
                    broken.insert(key);
                    errors.push(UnusableGolden(error));
                }
            }
        }
        if errors.is_empty() { Ok(inputs) } else { Err(UnusableGoldens { errors }) }
    }

    fn golden(
        &self,
        (model, scenario): &(String, String),
        goldens: &Goldens,
    ) -> Result<LoadedGolden, GoldenError> {
        let sha256 = self.models.get(model).map_or("", |file| file.sha256.as_str());
        let set = self
            .matrix
            .models
            .get(model)
            .and_then(|facts| self.fixtures.prompts.get(&facts.prompts));
        let cases = set.map(|set| requests(set, scenario)).unwrap_or_default();
        let golden = goldens.load_fresh((model, scenario), sha256, &cases)?;
        let logits = goldens.logits(&golden)?;
        Ok(LoadedGolden { golden, logits })
    }

    /// What a cell needs; `None` for a cell that was not runnable when the inputs were read.
    pub(crate) fn of(&self, cell: &CellId) -> Option<CellInputs<'_>> {
        let scenario = self.fixtures.scenarios.get(&cell.scenario)?;
        let key = (cell.model.clone(), scenario.golden_key().to_owned());
        Some(CellInputs {
            scenario,
            model: self.models.get(&cell.model)?,
            golden: self.goldens.get(&key),
            class: self.matrix.tolerance(cell)?,
        })
    }

    /// The file of a model that is here.
    pub(crate) fn model(&self, name: &str) -> Option<&ModelFile> {
        self.models.get(name)
    }

    /// The matrix that the cells come from.
    pub(crate) fn matrix(&self) -> &'a Matrix {
        self.matrix
    }
}

/// What a prompt set asks under a golden key.
pub fn requests(set: &PromptSet, golden_key: &str) -> Vec<CaseRequest> {
    set.cases_of(golden_key)
        .map(|case| CaseRequest {
            id: case.id.clone(),
            messages: case.messages.clone(),
            max_tokens: case.max_tokens,
        })
        .collect()
}
