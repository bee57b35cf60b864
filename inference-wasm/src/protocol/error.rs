//! How a command of the engine fails.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The error that a command ended with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, thiserror::Error)]
#[error("{message}")]
pub struct EngineError {
    /// The kind of error, for programs.
    pub kind: EngineErrorKind,
    /// What failed, where, expected and found, for people.
    pub message: String,
    /// What to do about it, if known.
    #[serde(default)]
    pub hint: Option<String>,
}

/// The kinds of error that a command can end with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[derive(strum::Display, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "kebab-case")]
pub enum EngineErrorKind {
    /// A shard is missing, or the server refuses it; the message has the HTTP status.
    ShardUnavailable,
    /// The connection broke, or delivered fewer bytes than announced.
    ShardTruncated,
    /// The SHA-256 of the bytes differs from the manifest's.
    ShardCorrupt,
    /// The file is not valid GGUF.
    InvalidModel,
    /// Valid GGUF with an architecture, type or tokenizer that the engine does not support.
    UnsupportedModel,
    /// The chat template is missing or fails.
    ChatTemplate,
    /// The prompt and the requested tokens do not fit into the context.
    ContextOverflow,
    /// The backend is not available here; the engine never replaces it with another.
    BackendUnavailable,
    /// Out of memory.
    OutOfMemory,
    /// The GPU device is lost.
    DeviceLost,
    /// A GPU command was invalid or failed.
    GpuError,
    /// The command is not valid now: no model is loaded, an id is outside the vocabulary, …
    InvalidRequest,
}

impl EngineErrorKind {
    /// The name in JSON, scenarios and messages.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
