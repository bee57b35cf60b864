//! The one error of a model file: what, where, expected, found.
//!
//! Does not decide what the host does about it; it only says whether the file is broken or merely
//! beyond this engine.

use crate::protocol::{EngineError, EngineErrorKind};

/// Why a model file can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}{place}: expected {expected}, found {found}", place = place(*.offset))]
pub struct ModelError {
    /// Broken, or beyond this engine.
    pub reason: Reason,
    /// What was being read: the magic, a key, a tensor.
    pub what: String,
    /// Where in the file, in bytes from its start; `None` for what is not there at all.
    pub offset: Option<u64>,
    /// What should have been there.
    pub expected: String,
    /// What was there.
    pub found: String,
}

/// Whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The file breaks the rules of its format, or contradicts itself.
    Broken,
    /// The file is in order, but asks for what this engine does not do.
    Unsupported,
}

impl ModelError {
    /// An error in a file that breaks the rules.
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

    /// An error for a file that asks for too much.
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
            Reason::Unsupported => {
                (EngineErrorKind::UnsupportedModel, "convert the model to what this engine knows")
            }
        };
        Self { kind, message: error.to_string(), hint: Some(hint.into()) }
    }
}

fn place(offset: Option<u64>) -> String {
    offset.map(|offset| format!(" at byte {offset}")).unwrap_or_default()
}
