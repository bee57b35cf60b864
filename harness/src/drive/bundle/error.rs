//! Why a bundle can't be built.

use std::path::PathBuf;
use std::process::Command;

use crate::spec::cell::BrowserName;

/// The target that pages are compiled for.
pub(super) const TARGET: &str = "wasm32-unknown-unknown";

/// Why a bundle can't be built.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// A file could not be read or written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// Cargo could not be started.
    #[error("`{program}` can't be started: {source}")]
    NoCargo {
        /// What was called.
        program: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The engine does not compile, or nothing here can compile it.
    #[error("building the engine for `{TARGET}` failed:\n{output}{hint}")]
    Cargo {
        /// The end of cargo's output.
        output: String,
        /// A line on what to do, or nothing.
        hint: &'static str,
    },
    /// No standard library with atomics was set up.
    #[error(
        "bundle `threads` needs a standard library for WebAssembly with atomics, and there is \
         none\n  hint: run `tierproof setup --for threads`"
    )]
    NoThreads,
    /// Tests can't run in this browser.
    #[error("tests of wasm-bindgen can't run in `{0}`")]
    NoRunner(BrowserName),
    /// The glue could not be generated.
    #[error("generating the glue for `{path}` failed: {reason}")]
    Bindgen {
        /// The module.
        path: PathBuf,
        /// What the generator says.
        reason: String,
    },
}

impl BundleError {
    pub(super) fn no_cargo(command: &Command, source: std::io::Error) -> Self {
        Self::NoCargo { program: command.get_program().to_string_lossy().into_owned(), source }
    }
}
