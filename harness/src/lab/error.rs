//! The reasons why work in a project can't start.

use std::path::PathBuf;

use crate::drive::bundle::BundleError;
use crate::fetch::models::{CatalogueError, ResolveError};
use crate::plan::{FilterError, NothingToRun, UnusableInputs};
use crate::run::exit::Exit;
use crate::spec::document::InvalidConfiguration;

/// Why work in a project can't start.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum LabError {
    /// The named folder is not a checkout.
    #[error("`{}` has no `fixtures/` and `matrices/`", .0.display())]
    #[diagnostic(help("name the folder of a checkout of tierproof"))]
    NotACheckout(PathBuf),
    /// No folder was named, and no checkout is found.
    #[error("there are no `fixtures/` and `matrices/` here or in any folder above")]
    #[diagnostic(help("run it inside a checkout of tierproof, or pass `--root DIR`"))]
    NoCheckout,
    /// The catalogue of models can't be used.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// A model is unknown.
    #[error(transparent)]
    Model(#[from] ResolveError),
    /// The matrix or its fixtures can't be used.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Matrix(#[from] InvalidConfiguration),
    /// A filter can't be parsed.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Filter(#[from] FilterError),
    /// The filters leave no cell.
    #[error(transparent)]
    #[diagnostic(transparent)]
    NothingToRun(#[from] NothingToRun),
    /// Goldens or models are missing, stale or broken.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Inputs(#[from] UnusableInputs),
    /// A bundle can't be built.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// A file, a port or a process; the message names it.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl LabError {
    /// The exit code of a command that fails with it.
    pub fn exit(&self) -> Exit {
        match self {
            Self::NotACheckout(_)
            | Self::NoCheckout
            | Self::Catalogue(_)
            | Self::Model(_)
            | Self::Matrix(_)
            | Self::Filter(_)
            | Self::Inputs(_) => Exit::Usage,
            Self::NothingToRun(_) => Exit::NothingRan,
            Self::Bundle(_) | Self::Io(_) => Exit::Setup,
        }
    }
}
