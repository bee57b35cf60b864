//! Why an entry is not measured, or not to the end. The reason goes into the record and the series
//! goes on without the entry.

use inference_wasm::protocol::Finished;

use crate::drive::browser::Trouble;
use crate::judge::outcome::Failed;
use crate::judge::proof;

/// Why an entry is not measured, or not to the end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unmeasured {
    #[error("it needs a browser")]
    NoBrowser,
    #[error("there is no ONNX export of `{0}`")]
    NoOnnx(String),
    #[error(transparent)]
    Trouble(#[from] Trouble),
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Failed(#[from] Failed),
    #[error("expected the result of a {expected}, found {found:?}")]
    Result { expected: &'static str, found: Box<Finished> },
    #[error("no tier proof: {}", .0.reasons.join("; "))]
    NoProof(proof::MissingProof),
    #[error("it answered, but its page counted no dispatch on the GPU")]
    NoDispatch,
    #[error("asked to process {asked} prompt tokens, it processed {processed}")]
    Prompt { asked: u32, processed: u32 },
    #[error("asked for {asked} tokens, it generated {generated}")]
    Tokens { asked: u32, generated: u32 },
    #[error("it reported no token as it came")]
    NoTokens,
}

impl Unmeasured {
    /// A command was answered with another command's result.
    pub(super) fn result(expected: &'static str, found: Finished) -> Self {
        Self::Result { expected, found: Box::new(found) }
    }
}
