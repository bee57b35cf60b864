//! The folder that everything is found in: matrices, fixtures, goldens, the engine's source.

use std::path::{Path, PathBuf};

use super::Failure;
use crate::fetch::models::Catalogue;

/// A checkout of tierproof.
#[derive(Debug, Clone)]
pub(crate) struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// The folder that was named, or the nearest one from here upwards, or that of the
    /// executable, whichever first has `fixtures/` and `matrices/`.
    pub(crate) fn find(named: Option<&Path>) -> Result<Self, Failure> {
        if let Some(named) = named {
            return if is_root(named) {
                Ok(Self { root: named.to_owned() })
            } else {
                Err(Failure::usage(miette::miette!(
                    help = "name the folder of a checkout of tierproof",
                    "`{}` has no `fixtures/` and `matrices/`",
                    named.display()
                )))
            };
        }
        let here = std::env::current_dir().ok();
        let executable = std::env::current_exe().ok();
        let starts = [here.as_deref(), executable.as_deref()];
        let mut candidates = starts.into_iter().flatten().flat_map(Path::ancestors);
        match candidates.find(|folder| is_root(folder)) {
            Some(root) => Ok(Self { root: root.to_owned() }),
            None => Err(Failure::usage(miette::miette!(
                help = "run it inside of a checkout of tierproof, or pass `--root DIR`",
                "there are no `fixtures/` and `matrices/` here or in any folder above"
            ))),
        }
    }

    /// The folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Something in it.
    pub(crate) fn join(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// The models that there are.
    pub(crate) fn catalogue(&self) -> Result<Catalogue, Failure> {
        Catalogue::load(&self.join("fixtures/models/catalogue.toml"))
            .map_err(|error| Failure::usage(miette::miette!("{error}")))
    }
}

fn is_root(folder: &Path) -> bool {
    ["fixtures", "matrices"].iter().all(|name| folder.join(name).is_dir())
}
