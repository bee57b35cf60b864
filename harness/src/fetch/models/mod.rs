//! The models that tierproof knows by name, and where their files are.
//!
//! Owns the catalogue, fetching, and checking files. The engine reads the contents of a model file.

mod catalogue;
mod fetch;
mod files;
mod need;
mod resolve;
mod table;

pub use super::cache::cache_folder;
pub use super::progress::FetchProgress;
pub use catalogue::{Catalogue, CatalogueError, Entry, Package, Source, Terms};
pub use fetch::{FetchError, FetchOptions, fetch};
pub use files::{FileProblem, check_file};
pub use need::{LINEAR_BYTES, PIECE_BYTES, USUAL_POSITIONS, cache_bytes, weight_bytes};
pub use resolve::{Model, ResolveError};
pub use table::{details, list, rows};
