//! Answers and errors: the same schema for every tier.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::model::Versions;
use super::reason::Reason;
use super::tier::Tier;
use crate::protocol::result::FinishReason;

/// An answer of any tier, including the server.
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
    /// Ids of the tokens in the order shown, each in the vocabulary of the model that generated it.
    pub tokens: Vec<u32>,
    /// Why it ended.
    pub finish_reason: FinishReason,
    /// Counts of tokens.
    pub usage: Usage,
    /// How long it took.
    pub timings: AnswerTimings,
    /// The tier that finished it.
    pub tier: Tier,
    /// The model variant that finished it.
    pub variant: Option<String>,
    /// Versions of that variant; `None` if the server does not report them.
    pub versions: Option<Versions>,
    /// The generation that finished it.
    pub generation: u64,
    /// Number of devices that were lost or hung, and replaced.
    pub recoveries: u32,
    /// Every fallback from the best tier, in order.
    pub trail: Vec<FallbackStep>,
}

/// Counts of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Usage {
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// Tokens of the answer.
    pub completion_tokens: u32,
    /// The sum of the two.
    pub total_tokens: u32,
}

impl Usage {
    /// The two counts and their sum.
    pub fn new(prompt_tokens: u32, completion_tokens: u32) -> Self {
        let total_tokens = prompt_tokens.saturating_add(completion_tokens);
        Self { prompt_tokens, completion_tokens, total_tokens }
    }
}

/// How long an answer took after the request, including recoveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct AnswerTimings {
    /// Milliseconds until the user saw the first token; `None` without tokens.
    pub first_token_ms: Option<u64>,
    /// Milliseconds until the end.
    pub total_ms: u64,
}

/// A fallback from one tier to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct FallbackStep {
    /// The tier that was left.
    pub from: Tier,
    /// The tier that was tried next.
    pub to: Tier,
    /// The reason.
    pub reason: Reason,
}

/// A request that ended without an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, thiserror::Error)]
#[error("request {request}: {kind}")]
pub struct ClientError {
    /// Id of the request.
    pub request: u64,
    /// The kind of error.
    pub kind: ClientErrorKind,
    /// Why the last tier was left, if that ended the request.
    pub reason: Option<Reason>,
    /// The tier that it ended on.
    pub tier: Option<Tier>,
    /// Tokens that the user has seen.
    pub tokens_emitted: u32,
    /// Every fallback from the best tier, in order.
    pub trail: Vec<FallbackStep>,
}

/// The kinds of error that a request can end with.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
#[derive(strum::Display, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "kebab-case")]
pub enum ClientErrorKind {
    /// Another request is being answered.
    Busy,
    /// The engine or the server refuses the request itself.
    InvalidRequest,
    /// It does not fit into the context of any tier that may answer it.
    ContextOverflow,
    /// A replay generated a token that differs from the one that the user has seen.
    ReplayDiverged,
    /// A tier skipped a token.
    TokenMissing,
    /// No tier is left that may answer it.
    NoTierLeft,
    /// It reached its deadline.
    DeadlineExceeded,
}

impl ClientErrorKind {
    /// The name in JSON and traces.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
