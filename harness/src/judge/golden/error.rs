//! The reasons not to trust a golden.

use std::path::PathBuf;

/// Why a golden can't be used.
#[derive(Debug, thiserror::Error)]
pub enum GoldenError {
    /// The file does not exist.
    #[error(
        "no golden for scenario `{scenario}` on model `{model}`: expected `{path}`\n  \
         (hint: `tierproof golden generate --model {model} --scenario {scenario}` makes it)"
    )]
    Missing {
        /// The model's name.
        model: String,
        /// The scenario's name.
        scenario: String,
        /// The expected file.
        path: PathBuf,
    },
    /// The golden answers another question than the one that is asked now.
    #[error(
        "the golden for scenario `{scenario}` on model `{model}` is stale: {reason}\n  \
         (hint: `tierproof golden generate --model {model} --scenario {scenario}` makes a new one)"
    )]
    Stale {
        /// The model's name.
        model: String,
        /// The scenario's name.
        scenario: String,
        /// Expected and found.
        reason: String,
    },
    /// The file is damaged or has another format.
    #[error("golden `{path}` is broken: {reason}")]
    Broken {
        /// The file.
        path: PathBuf,
        /// Expected and found.
        reason: String,
    },
    /// The file can't be read; the message names it.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}
