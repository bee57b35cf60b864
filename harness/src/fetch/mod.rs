//! What comes over a network: files by address, packages of npm and `PyPI`, models, and the Python
//! that runs some of them.
//!
//! Everything that is fetched is pinned by a hash. Other modules ask the user for consent.

mod archive;
mod cache;
mod download;
pub mod models;
pub(crate) mod npm;
mod pip;
mod progress;
pub(crate) mod python;

pub use archive::ArchiveError;
pub use download::DownloadError;
pub use pip::PipError;
