//! What comes over a network: files by address, packages of npm and `PyPI`, models, and the Python
//! that runs some of them.
//!
//! Everything that is fetched is pinned by a hash. Whether the user agrees is asked elsewhere.

mod archive;
mod download;
pub mod models;
mod npm;
pub(crate) mod npm_project;
mod pip;
pub(crate) mod python;

pub use archive::ArchiveError;
pub use download::DownloadError;
pub(crate) use download::download;
pub use npm::NpmError;
pub use pip::PipError;
