//! Builds what a page loads: bundles, each the engine as WebAssembly with its glue, and the page's
//! files.
//!
//! The toolchain for WebAssembly is set up elsewhere; here it is only found, see [`toolchain`].
//! Serving is not done here either.

pub mod browser_tests;
mod error;
mod folder;
pub mod test_runner;
mod toolchain;
mod wasm_env;

pub use error::BundleError;
pub use folder::{BundleEntry, BundleFolder, BundleOptions, Manifest, build};
pub(crate) use wasm_env::{wasm_environment, wasm_toolchain_folder};
