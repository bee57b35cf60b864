//! The error of a model file: what, where, expected, found.
//!
//! It only says whether the file is broken or beyond this engine; the host decides what to do.

use crate::protocol::{EngineError, EngineErrorKind};

/// Why a model file can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}{place}: expected {expected}, found {found}", place = place(*.offset))]
pub struct ModelError {
    /// Broken, or beyond this engine.
    pub reason: Reason,
    /// What was being read: the magic, a key, a tensor.
    pub what: String,
    /// Its offset in the file, in bytes; `None` for what is missing.
    pub offset: Option<u64>,
    /// The expected content.
    pub expected: String,
    /// The actual content.
    pub found: String,
}

/// Whether the file or the engine is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The file breaks the rules of its format, or contradicts itself.
    Broken,
    /// The file is valid, but needs a feature that this engine lacks.
    Unsupported,
}

impl ModelError {
    /// The error of a broken file.
    pub(crate) fn broken(
        what: impl Into<String>,
        offset: impl Into<Option<u64>>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self {
            reason: Reason::Broken,
            what: what.into(),
            offset: offset.into(),
            expected: expected.into(),
            found: found.into(),
        }
    }

    /// The error of a valid file that this engine can't use.
    pub(crate) fn unsupported(
        what: impl Into<String>,
        offset: impl Into<Option<u64>>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self { reason: Reason::Unsupported, ..Self::broken(what, offset, expected, found) }
    }
}

impl From<ModelError> for EngineError {
    fn from(error: ModelError) -> Self {
        let (kind, hint) = match error.reason {
            Reason::Broken => (
                EngineErrorKind::InvalidModel,
                "fetch the file again, or check the tool that wrote it",
            ),
            Reason::Unsupported => (
                EngineErrorKind::UnsupportedModel,
                "convert the model to a form that this engine supports",
            ),
        };
        Self { kind, message: error.to_string(), hint: Some(hint.into()) }
    }
}

fn place(offset: Option<u64>) -> String {
    offset.map(|offset| format!(" at byte {offset}")).unwrap_or_default()
}
