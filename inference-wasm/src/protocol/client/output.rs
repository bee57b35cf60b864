//! What a user gets: one schema, whichever tier answered.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::model::Versions;
use super::reason::Reason;
use super::tier::Tier;
use crate::protocol::result::FinishReason;

/// An answer, of any tier, the server included.
///
/// ```
/// # use inference_wasm::client::output::Answer;
/// let json = r#"{"request":3,"text":"positive","tokens":[1788],"finish_reason":"stop",
///     "usage":{"prompt_tokens":12,"completion_tokens":1,"total_tokens":13},
///     "timings":{"first_token_ms":40,"total_ms":52},"tier":"webgl","variant":"scribe-mid-q4",
///     "versions":null,"generation":4,"recoveries":0,
///     "trail":[{"from":"webgpu","to":"webgl","reason":"probe-failed"}]}"#;
/// let answer: Answer = serde_json::from_str(json).unwrap();
/// assert_eq!(answer.trail.len(), 1);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Answer {
    /// The request that it answers.
    pub request: u64,
    /// The text, without stop tokens and stop strings.
    pub text: String,
    /// Ids of the tokens as the user saw them, each in the vocabulary of the model that gave it.
    pub tokens: Vec<u32>,
    /// Why it ended.
    pub finish_reason: FinishReason,
    /// Tokens read and written.
    pub usage: Usage,
    /// How long it took.
    pub timings: AnswerTimings,
    /// The tier that finished it.
    pub tier: Tier,
    /// The model variant that finished it.
    pub variant: Option<String>,
    /// Its versions; `None` where the server keeps them to itself.
    pub versions: Option<Versions>,
    /// The generation that finished it.
    pub generation: u64,
    /// How often a device was lost, or hung, and replaced on the way.
    pub recoveries: u32,
    /// Every step away from the best tier, in order, with its reason.
    pub trail: Vec<FallbackStep>,
}

/// Tokens read and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Usage {
    /// Of the prompt.
    pub prompt_tokens: u32,
    /// Of the answer.
    pub completion_tokens: u32,
    /// Both.
    pub total_tokens: u32,
}

impl Usage {
    /// Both counts, and their sum.
    pub fn new(prompt_tokens: u32, completion_tokens: u32) -> Self {
        let total_tokens = prompt_tokens.saturating_add(completion_tokens);
        Self { prompt_tokens, completion_tokens, total_tokens }
    }
}

/// How long an answer took, from the request on, recoveries included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct AnswerTimings {
    /// Milliseconds to the first token that the user saw; `None` where there was none.
    pub first_token_ms: Option<u64>,
    /// Milliseconds to the end.
    pub total_ms: u64,
}

/// A step of the fallback chain that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct FallbackStep {
    /// The tier that was left.
    pub from: Tier,
    /// The tier that is tried next.
    pub to: Tier,
    /// Why.
    pub reason: Reason,
}

/// A request that ended without an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, thiserror::Error)]
#[error("request {request}: {kind}")]
pub struct ClientError {
    /// The request.
    pub request: u64,
    /// What kind of error.
    pub kind: ClientErrorKind,
    /// Why the last tier was left, where that is what ended it.
    pub reason: Option<Reason>,
    /// The tier that it ended on.
    pub tier: Option<Tier>,
    /// Tokens that the user has seen already.
    pub tokens_emitted: u32,
    /// Every step away from the best tier, in order, with its reason.
    pub trail: Vec<FallbackStep>,
}

/// The kinds of error that a request can end with.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum ClientErrorKind {
    /// Another request is being answered.
    Busy,
    /// The request itself makes no sense to the engine or the server.
    InvalidRequest,
    /// It does not fit into the context of any tier that may answer it.
    ContextOverflow,
    /// A replay came to another token than the user has seen.
    ReplayDiverged,
    /// A token is missing in what a tier sent.
    TokenMissing,
    /// No tier is left that may answer it.
    NoTierLeft,
    /// The time for it is over.
    DeadlineExceeded,
}

impl ClientErrorKind {
    /// The name as it stands in JSON and traces.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::InvalidRequest => "invalid-request",
            Self::ContextOverflow => "context-overflow",
            Self::ReplayDiverged => "replay-diverged",
            Self::TokenMissing => "token-missing",
            Self::NoTierLeft => "no-tier-left",
            Self::DeadlineExceeded => "deadline-exceeded",
        }
    }
}

impl std::fmt::Display for ClientErrorKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}
