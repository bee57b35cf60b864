//! What an engine is asked to load, generate and score.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::execution::BackendName;
use super::mutant::SeededFault;

/// Fetch, verify and load a model on one backend, without fallback to another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoadRequest {
    /// The backend to load it on.
    pub backend: BackendName,
    /// The model to load.
    pub model: ModelManifest,
    /// Positions of the key-value cache; the model's context length when absent.
    #[serde(default)]
    pub context_tokens: Option<u32>,
    /// Element type of the key-value cache; `f32` when absent.
    #[serde(default)]
    pub cache_type: CacheType,
    /// Threads to compute with. When absent, every thread that is ready: one, unless the page
    /// started others. More than one needs a bundle with threads.
    #[serde(default)]
    pub threads: Option<u32>,
    /// The mutant to be, for tests of the harness. A build without mutants refuses it.
    #[serde(default)]
    pub fault: Option<SeededFault>,
}

/// The element type of a key-value cache.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum CacheType {
    /// 4 bytes each, as computed.
    #[default]
    F32,
    /// 2 bytes each, rounded to half precision.
    F16,
}

/// A model file on the server: shards that are concatenated in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelManifest {
    /// The name in the catalogue, or the file's stem.
    pub name: String,
    /// Size of the whole file in bytes.
    pub bytes: u64,
    /// SHA-256 of the whole file, in hex.
    pub sha256: String,
    /// The shards, in order.
    pub shards: Vec<Shard>,
}

/// One part of a model file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Shard {
    /// Its address, relative to the page.
    pub url: String,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 in hex.
    pub sha256: String,
}

/// A generation from a prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GenerateRequest {
    /// The prompt.
    pub prompt: Prompt,
    /// Maximum number of tokens to generate; the model may stop earlier.
    pub max_tokens: u32,
    /// How the next token is chosen; greedy when absent.
    #[serde(default)]
    pub sampling: Sampling,
    /// Continue after a stop token; it then stays in the ids, but not in the text.
    #[serde(default)]
    pub ignore_stop: bool,
    /// Strings that end the output; the text ends before them.
    #[serde(default)]
    pub stop: Vec<String>,
    /// Which logits to return.
    #[serde(default)]
    pub logits: LogitsWanted,
}

/// A prompt. The engine reuses the key-value cache for the prefix that it has in common with the
/// previous sequence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Prompt {
    /// One user message, through the model's chat template; unchanged for a model without one.
    Text(String),
    /// A conversation, through the model's chat template.
    Messages(Vec<Message>),
    /// Text that is tokenized unchanged: special tokens are recognised, and the model's rule on a
    /// leading beginning-of-sequence token applies.
    Raw(String),
    /// Token ids, unchanged.
    Ids(Vec<u32>),
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Message {
    /// The author.
    pub role: Role,
    /// The text.
    pub content: String,
}

/// The author of a message, by the names that chat templates use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Instructions for the whole conversation.
    System,
    /// The user.
    User,
    /// The model.
    Assistant,
}

/// How the next token is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Sampling {
    /// The token with the highest logit, and the lowest id among equals.
    #[default]
    Greedy,
    /// A seeded random draw. The filters apply in the order of the fields.
    Seeded {
        /// Seed of the generator; a seed gives the same draws on every tier.
        seed: u64,
        /// Divides the logits; above 0.
        #[serde(deserialize_with = "finite")]
        temperature: f32,
        /// Keep this number of the most probable tokens; 0 keeps all.
        top_k: u32,
        /// Keep the fewest tokens whose probabilities reach this sum; 1 keeps all.
        #[serde(deserialize_with = "finite")]
        top_p: f32,
        /// Keep tokens at least this probable, relative to the most probable; 0 keeps all.
        #[serde(deserialize_with = "finite")]
        min_p: f32,
    },
}

/// Reads an `f32` and refuses a number outside its range: it would become infinite, which JSON
/// cannot express.
fn finite<'de, D: serde::Deserializer<'de>>(number: D) -> Result<f32, D::Error> {
    let number = f32::deserialize(number)?;
    if number.is_finite() {
        return Ok(number);
    }
    Err(serde::de::Error::custom("expected a number of at most 3.4e38, found a larger one"))
}

/// The logits that a generation returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LogitsWanted {
    /// None.
    #[default]
    None,
    /// One row per generated token: the logits that it was chosen from.
    All,
}

/// A request for teacher-forced logits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScoreRequest {
    /// The ids to feed as one sequence from position 0; the cache is cleared first.
    pub ids: Vec<u32>,
    /// The first position whose logits are returned: rows for positions `from..ids.len()`, where
    /// row `p` predicts the token at `p + 1`.
    pub from: u32,
}
