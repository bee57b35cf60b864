//! A project: the folder of matrices, fixtures, goldens, and the engine's source.

use std::path::{Path, PathBuf};

use super::LabError;
use crate::fetch::models::{self, Catalogue, Model};
use crate::judge::golden::{Goldens, Traces};

/// A checkout of tierproof.
#[derive(Debug, Clone)]
pub struct Project {
    root: PathBuf,
}

impl Project {
    /// The named folder; else the nearest checkout from the current folder upwards, or from the
    /// executable's.
    ///
    /// # Errors
    /// The named folder, or every folder looked at, lacks `fixtures/` or `matrices/`.
    pub fn find(named: Option<&Path>) -> Result<Self, LabError> {
        if let Some(named) = named {
            return if is_root(named) {
                Ok(Self { root: named.to_owned() })
            } else {
                Err(LabError::NotACheckout(named.to_owned()))
            };
        }
        let here = std::env::current_dir().ok();
        let executable = std::env::current_exe().ok();
        let starts = [here.as_deref(), executable.as_deref()];
        let mut candidates = starts.into_iter().flatten().flat_map(Path::ancestors);
        let root = candidates.find(|folder| is_root(folder)).ok_or(LabError::NoCheckout)?;
        Ok(Self { root: root.to_owned() })
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A path in the folder.
    pub(crate) fn join(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// The catalogue of models.
    pub(crate) fn catalogue(&self) -> Result<Catalogue, LabError> {
        Ok(Catalogue::load(&self.join("fixtures/models/catalogue.toml"))?)
    }

    /// The user's cache of models and tools.
    pub(crate) fn cache() -> Result<PathBuf, LabError> {
        Ok(models::cache_folder()?)
    }

    /// A model by its name in the catalogue or the path of a GGUF file; a model of the catalogue
    /// may still have to be fetched.
    pub(crate) fn model(&self, name_or_path: &str) -> Result<Model, LabError> {
        Ok(self.catalogue()?.resolve(name_or_path, &Self::cache()?)?)
    }

    /// The files in `matrices/`, sorted.
    pub(crate) fn matrices(&self) -> Result<Vec<PathBuf>, LabError> {
        let mut paths: Vec<PathBuf> = fs_err::read_dir(self.join("matrices"))?
            .map(|entry| Ok(entry?.path()))
            .collect::<std::io::Result<_>>()?;
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
        paths.sort();
        Ok(paths)
    }

    /// The goldens.
    pub(crate) fn goldens(&self) -> Goldens {
        Goldens::new(self.join("golden"))
    }

    /// The golden traces of the hybrid client.
    pub(crate) fn traces(&self) -> Traces {
        Traces::new(&self.join("golden"))
    }
}

fn is_root(folder: &Path) -> bool {
    ["fixtures", "matrices"].iter().all(|name| folder.join(name).is_dir())
}
