//! What the host asks of a page.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BackendName, ClientAction, OpsRequest};

/// One request. A page works on one at a time; a second one before the first has ended is an
/// error. Cancelling is not a command but a call, since a command would have to wait its turn.
///
/// ```
/// # use inference_wasm::protocol::Command;
/// let json = r#"{"id":3,"action":{"do":"generate","prompt":{"text":"Sentiment: I love it."},
///     "max_tokens":8}}"#;
/// let command: Command = serde_json::from_str(json).unwrap();
/// assert_eq!(command.id, 3);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Command {
    /// Chosen by the host, repeated in every event that the command causes.
    pub id: u32,
    /// What to do.
    pub action: Action,
}

/// What a page can be asked to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Action {
    /// Report what this browser can do. Needs no model.
    Probe,
    /// Fetch, check and load a model. Replaces one that is loaded.
    Load(LoadRequest),
    /// Continue a prompt.
    Generate(GenerateRequest),
    /// Teacher-forced logits: feed the ids as given and report the logits after each.
    Score(ScoreRequest),
    /// Hold every op of a backend against the scalar reference. Needs no model.
    Ops(OpsRequest),
    /// Drop the model and everything that belongs to it.
    Release,
    /// Something for the hybrid client; an engine's page refuses it.
    Client(ClientAction),
}

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

/// A known defect that a test build carries, to show that a run catches it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SeededFault {
    /// The two nibbles of every 4-bit byte are swapped.
    WrongNibbleOrder,
    /// The feed-forward output of one layer in the middle is all zeros.
    ZeroedLayer,
    /// The right token has the highest logit at every step, and all logits are wrong.
    RightTextWrongLogits,
    /// The worker stops answering at the first token, while the page goes on.
    HangInDecode,
    /// The engine panics at the first token.
    PanicInDecode,
    /// The report claims a backend that did not run.
    LyingBackend,
    /// A GPU's matrix product forgets the last 32 weights of a row that has an odd number of such
    /// groups.
    OffByOneTail,
    /// A GPU kernel reads what its other threads add up before they have.
    MissingBarrier,
    /// Sums of a GPU's matrix product pass through half precision, which ends at 65504.
    F16Overflow,
}

impl SeededFault {
    /// Every fault.
    pub const ALL: [Self; 9] = [
        Self::WrongNibbleOrder,
        Self::ZeroedLayer,
        Self::RightTextWrongLogits,
        Self::HangInDecode,
        Self::PanicInDecode,
        Self::LyingBackend,
        Self::OffByOneTail,
        Self::MissingBarrier,
        Self::F16Overflow,
    ];

    /// The name as it stands on the command line and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WrongNibbleOrder => "wrong-nibble-order",
            Self::ZeroedLayer => "zeroed-layer",
            Self::RightTextWrongLogits => "right-text-wrong-logits",
            Self::HangInDecode => "hang-in-decode",
            Self::PanicInDecode => "panic-in-decode",
            Self::LyingBackend => "lying-backend",
            Self::OffByOneTail => "off-by-one-tail",
            Self::MissingBarrier => "missing-barrier",
            Self::F16Overflow => "f16-overflow",
        }
    }
}
