//! Finds the browsers and models of this machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{LabError, Project};
use crate::drive::browser::{Overrides, installation};
use crate::engines;
use crate::fetch::models::{Catalogue, Entry};
use crate::plan::ModelFile;
use crate::plan::expectation::Facts;
use crate::spec::cell::BrowserName;
use crate::spec::matrix::{Matrix, ModelFacts};
use crate::spec::scenario::Fixtures;

/// The browsers and models of this machine.
#[derive(Debug)]
pub(super) struct Inventory {
    pub(super) drivers: Overrides,
    pub(super) facts: Facts,
    catalogue: Catalogue,
    cache: PathBuf,
}

/// A matrix that was read against its fixtures and the catalogue of models.
#[derive(Debug)]
pub struct ResolvedMatrix {
    /// The matrix.
    pub matrix: Matrix,
    /// Its scenarios and prompt sets.
    pub(crate) fixtures: Fixtures,
}

impl Inventory {
    pub(super) fn look(project: &Project, drivers: Overrides) -> Result<Self, LabError> {
        let browsers = BrowserName::ALL.into_iter().filter(|name| *name != BrowserName::Native);
        let missing_browsers = browsers
            .filter(|name| installation(*name, &drivers).is_err())
            .map(|name| (name, "tierproof setup".to_owned()))
            .collect();
        let facts =
            Facts { is_macos: cfg!(target_os = "macos"), missing_browsers, ..Facts::default() };
        let (catalogue, cache) = (project.catalogue()?, Project::cache()?);
        Ok(Self { drivers, facts, catalogue, cache })
    }

    pub(super) fn matrix(
        &self,
        project: &Project,
        path: &Path,
    ) -> Result<ResolvedMatrix, LabError> {
        let facts = |entry: &Entry| ModelFacts {
            name: entry.name.clone(),
            weights: entry.weights.clone(),
            prompts: entry.prompt_set().to_owned(),
            is_present: self.path(entry).is_file(),
        };
        let models: Vec<_> = self.catalogue.entries().iter().map(facts).collect();
        let path = if path.exists() { path.to_owned() } else { project.root().join(path) };
        let today = jiff::Zoned::now().date();
        let (matrix, fixtures) =
            Matrix::load(&path, project.root(), &models, &engines::facts(), today)?;
        Ok(ResolvedMatrix { matrix, fixtures })
    }

    /// The files of the installed models.
    pub(super) fn model_files(&self) -> BTreeMap<String, ModelFile> {
        let files = self.catalogue.entries().iter().filter_map(|entry| {
            let file = ModelFile { path: self.path(entry), sha256: entry.sha256.clone() };
            file.path.is_file().then(|| (entry.name.clone(), file))
        });
        files.collect()
    }

    fn path(&self, entry: &Entry) -> PathBuf {
        self.catalogue.path_of(entry, &self.cache)
    }
}
