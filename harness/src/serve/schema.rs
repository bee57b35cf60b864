//! What the API takes and gives where neither the client nor the engine's protocol has it yet.
//!
//! The answer, tokens, routing, models and records are the client's own types: one schema on every
//! tier. Doc comments here end up in the published document.

use inference_wasm::client::machine::{Begin, Token};
use inference_wasm::client::output::Answer;
use inference_wasm::client::registry::ModelVariant;
use inference_wasm::protocol::{GenerateRequest, LogitsWanted, Prompt, Sampling};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::problem::Problem;

/// What a request may take, however much the machine could do.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of a body.
    pub body_bytes: usize,
    /// Characters of a prompt, all messages together, or ids.
    pub prompt_length: usize,
    /// Tokens to generate.
    pub max_tokens: u32,
    /// Stop strings.
    pub stops: usize,
    /// Characters of each.
    pub stop_length: usize,
}

/// The limits. A prompt is smaller than a body, since JSON writes characters in up to six bytes.
pub const LIMITS: Limits = Limits {
    body_bytes: 512 << 10,
    prompt_length: 64 << 10,
    max_tokens: 4096,
    stops: 16,
    stop_length: 256,
};

/// The most errors reported for one body; more would not help.
pub(super) const MOST_ERRORS: usize = 32;

/// A request to generate.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GenerateBody {
    /// Repeated in the answer.
    #[serde(default)]
    pub request: u64,
    /// Id of the model; the server's first one when absent.
    #[serde(default)]
    pub model: Option<String>,
    /// What to continue: `{"text": …}`, `{"messages": […]}`, `{"raw": …}` or `{"ids": […]}`; at
    /// most 65536 characters or ids.
    pub prompt: Prompt,
    /// The most tokens to generate, those that the user has seen included.
    #[serde(default = "default_max_tokens")]
    #[schemars(range(min = 1, max = LIMITS.max_tokens))]
    pub max_tokens: u32,
    /// How the next token is chosen; greedy when absent.
    #[serde(default)]
    pub sampling: Sampling,
    /// Go on after a stop token.
    #[serde(default)]
    pub ignore_stop: bool,
    /// Strings that end the answer; they are not a part of it.
    #[serde(default)]
    #[schemars(length(max = LIMITS.stops), inner(length(min = 1, max = LIMITS.stop_length)))]
    pub stop: Vec<String>,
    /// Where to begin, if not at the beginning: what another tier has said already stays said.
    #[serde(default)]
    pub begin: Option<Begin>,
    /// Events as they happen instead of one answer.
    #[serde(default)]
    pub stream: bool,
}

fn default_max_tokens() -> u32 {
    256
}

impl GenerateBody {
    /// The request to the engine.
    pub(super) fn engine_request(&self, prompt: Prompt, max_tokens: u32) -> GenerateRequest {
        GenerateRequest {
            prompt,
            max_tokens,
            sampling: self.sampling,
            ignore_stop: self.ignore_stop,
            stop: self.stop.clone(),
            logits: LogitsWanted::None,
        }
    }
}

/// The data of a server-sent event; its name is the variant's: `token`, `answer` or `problem`.
/// An answer or a problem is the last one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum StreamEvent {
    /// A token, and the text that it completed.
    Token(Token),
    /// The whole answer.
    Answer(Box<Answer>),
    /// Why there is none.
    Problem(Box<Problem>),
}

/// The models on offer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(super) struct ModelList {
    /// Each with all that a device must have for it.
    pub(super) models: Vec<ModelVariant>,
}

/// State of the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    /// Whether the server answers.
    pub status: Status,
    /// Version of tierproof.
    pub version: String,
    /// Ids of the models on offer, the one that answers by default first.
    pub models: Vec<String>,
    /// Requests that compute now.
    pub running: u32,
    /// Requests that ended with an answer.
    pub answered: u64,
    /// Requests whose caller went away or whose time was over.
    pub cancelled: u64,
    /// Requests that ended with an error of the engine.
    pub failed: u64,
    /// Requests that found no free engine.
    pub refused: u64,
    /// Analytics records that were taken in.
    pub analytics_records: u64,
}

/// Whether the server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// The server answers.
    Ok,
}
