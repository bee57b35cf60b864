//! How a command of the engine fails.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A command that ended with an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, thiserror::Error)]
#[error("{message}")]
pub struct EngineError {
    /// What kind of error, for programs.
    pub kind: EngineErrorKind,
    /// What, where, expected, found; for people.
    pub message: String,
    /// What to do about it, where that is known.
    #[serde(default)]
    pub hint: Option<String>,
}

/// The kinds of error that an engine ends a command with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EngineErrorKind {
    /// A shard is not there, or the server says no: HTTP status in the message.
    ShardUnavailable,
    /// The connection broke off, or brought fewer bytes than announced.
    ShardTruncated,
    /// The bytes are not those of the manifest: their SHA-256 differs.
    ShardCorrupt,
    /// The file is not GGUF, or breaks its rules.
    InvalidModel,
    /// GGUF, but with something that this engine does not know: architecture, type, tokenizer.
    UnsupportedModel,
    /// The chat template is missing, or fails.
    ChatTemplate,
    /// The prompt and what is asked for do not fit into the context.
    ContextOverflow,
    /// The backend can't be had here; never replaced by another.
    BackendUnavailable,
    /// No memory for it.
    OutOfMemory,
    /// The GPU device is gone.
    DeviceLost,
    /// The GPU was given a command that is not valid, or could not carry one out.
    GpuError,
    /// The command makes no sense now: nothing loaded, an id out of the vocabulary, …
    InvalidRequest,
}

impl EngineErrorKind {
    /// The name as it stands in JSON, in scenarios and in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ShardUnavailable => "shard-unavailable",
            Self::ShardTruncated => "shard-truncated",
            Self::ShardCorrupt => "shard-corrupt",
            Self::InvalidModel => "invalid-model",
            Self::UnsupportedModel => "unsupported-model",
            Self::ChatTemplate => "chat-template",
            Self::ContextOverflow => "context-overflow",
            Self::BackendUnavailable => "backend-unavailable",
            Self::OutOfMemory => "out-of-memory",
            Self::DeviceLost => "device-lost",
            Self::GpuError => "gpu-error",
            Self::InvalidRequest => "invalid-request",
        }
    }
}

impl std::fmt::Display for EngineErrorKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}
