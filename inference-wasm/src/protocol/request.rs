//! What an engine is asked to load, generate and score.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::execution::BackendName;
use super::mutant::SeededFault;

/// Fetch, check and load a model on one backend, with no other to fall back to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoadRequest {
    /// The backend to run on.
    pub backend: BackendName,
    /// What to load.
    pub model: ModelManifest,
    /// Positions that the key-value cache holds; the model's own context length when absent.
    #[serde(default)]
    pub context_tokens: Option<u32>,
    /// What the key-value cache holds; `f32` when absent.
    #[serde(default)]
    pub cache_type: CacheType,
    /// Threads to compute with; when absent, as many as stand ready: one, unless the page was told
    /// to start others. More than one needs a bundle with threads.
    #[serde(default)]
    pub threads: Option<u32>,
    /// A defect to build in, for tests of the harness. Refused by a build without them.
    #[serde(default)]
    pub fault: Option<SeededFault>,
}

/// The numbers that a key-value cache holds.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum CacheType {
    /// 4 bytes each, as they are computed.
    #[default]
    F32,
    /// 2 bytes each, rounded to half precision.
    F16,
}

/// A model file as it lies on the server: shards that are concatenated in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelManifest {
    /// Name in the catalogue, or the file's stem.
    pub name: String,
    /// Size of the whole file in bytes.
    pub bytes: u64,
    /// SHA-256 of the whole file, in hex.
    pub sha256: String,
    /// The parts, in order.
    pub shards: Vec<Shard>,
}

/// One part of a model file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Shard {
    /// Where it is, relative to the page.
    pub url: String,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 in hex.
    pub sha256: String,
}

/// Continue a prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GenerateRequest {
    /// What to continue.
    pub prompt: Prompt,
    /// The most tokens to generate; fewer if the model stops.
    pub max_tokens: u32,
    /// How the next token is chosen; greedy when absent.
    #[serde(default)]
    pub sampling: Sampling,
    /// Go on after a stop token; it then stays in the ids and out of the text.
    #[serde(default)]
    pub ignore_stop: bool,
    /// Strings that end the output; the string itself is not part of the text.
    #[serde(default)]
    pub stop: Vec<String>,
    /// Which logits come back.
    #[serde(default)]
    pub logits: LogitsWanted,
}

/// What to continue. The key-value cache of what went before is reused as far as it agrees.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Prompt {
    /// One user message, through the model's chat template; as it is for a model without one.
    Text(String),
    /// A conversation, through the model's chat template.
    Messages(Vec<Message>),
    /// Text that is tokenized as it is, special tokens recognised, with the model's own rule on
    /// a leading beginning-of-sequence token.
    Raw(String),
    /// Token ids as they are.
    Ids(Vec<u32>),
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: String,
}

/// Who speaks, by the names that chat templates use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Instructions that hold for the conversation.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
}

/// How the next token is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Sampling {
    /// The token with the highest logit; the lowest id among equals.
    #[default]
    Greedy,
    /// A seeded draw. The filters apply in the order of the fields.
    Seeded {
        /// Seed of the generator; the same seed gives the same draws on every tier.
        seed: u64,
        /// Logits are divided by this; above 0.
        #[serde(deserialize_with = "finite")]
        temperature: f32,
        /// Keep this many of the most probable tokens; 0 keeps all.
        top_k: u32,
        /// Keep the fewest tokens whose probabilities reach this sum; 1 keeps all.
        #[serde(deserialize_with = "finite")]
        top_p: f32,
        /// Keep tokens at least this probable, relative to the most probable; 0 keeps all.
        #[serde(deserialize_with = "finite")]
        min_p: f32,
    },
}

/// A number that an `f32` holds. One that is too large would become infinite, which JSON can't
/// say.
fn finite<'de, D: serde::Deserializer<'de>>(number: D) -> Result<f32, D::Error> {
    let number = f32::deserialize(number)?;
    if number.is_finite() {
        return Ok(number);
    }
    Err(serde::de::Error::custom("expected a number of at most 3.4e38, found a larger one"))
}

/// Which logits come back from a generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LogitsWanted {
    /// None.
    #[default]
    None,
    /// A row for each generated token: the logits that it was chosen from.
    All,
}

/// Teacher-forced logits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScoreRequest {
    /// The ids to feed, as one sequence from position 0; the cache is cleared first.
    pub ids: Vec<u32>,
    /// The first position whose logits come back: rows for positions `from..ids.len()`, where
    /// row `p` predicts the token at `p + 1`.
    pub from: u32,
}
