//! The results of commands: a loaded model, generated tokens, logits and timings.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::execution::ExecutionReport;

/// A model that is loaded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Loaded {
    /// `general.architecture` of the file.
    pub architecture: String,
    /// Number of weights.
    pub parameters: u64,
    /// Number of tokens in the vocabulary.
    pub vocabulary: u32,
    /// Positions that the key-value cache holds.
    pub context_tokens: u32,
    /// Bytes of weights in memory.
    pub weight_bytes: u64,
    /// Bytes of the key-value cache.
    pub cache_bytes: u64,
    /// Bytes of the model file.
    #[serde(default)]
    pub file_bytes: u64,
    /// Bytes of the module's linear memory once the model is ready. It never shrinks, so this is
    /// also the peak of loading. `None` natively.
    #[serde(default)]
    pub memory_bytes: Option<u64>,
    /// The model brings a chat template.
    pub has_chat_template: bool,
    /// Milliseconds from the command to the last byte fetched and checked.
    pub fetch_ms: f64,
    /// Milliseconds from there until the model could run.
    pub prepare_ms: f64,
    /// Milliseconds of those for a first token, which makes a GPU's driver compile what it has
    /// put off; 0 on a CPU.
    #[serde(default)]
    pub warm_up_ms: f64,
}

/// A finished generation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Generated {
    /// The prompt as the model saw it.
    pub prompt_ids: Vec<u32>,
    /// How many of them were already in the cache.
    pub reused_tokens: u32,
    /// What the model said, the token that stopped it included.
    pub generated_ids: Vec<u32>,
    /// The text of it, without stop tokens and stop strings.
    pub text: String,
    /// Why it ended.
    pub finish_reason: FinishReason,
    /// How long it took.
    pub timings: Timings,
    /// How it was executed.
    pub execution: ExecutionReport,
    /// The logits, if they were asked for: one row for each generated id.
    #[serde(default)]
    pub logits: Option<LogitsRef>,
}

/// Why a generation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FinishReason {
    /// The model said so with a stop token.
    Stop,
    /// A stop string came up.
    StopString,
    /// The number of tokens asked for is reached.
    Length,
    /// The host cancelled it.
    Cancelled,
}

/// Finished teacher-forced scoring.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Scored {
    /// One row for each position from `from` on.
    pub logits: LogitsRef,
    /// How long it took; all of it is prefill.
    pub timings: Timings,
    /// How it was executed.
    pub execution: ExecutionReport,
}

/// Logits that came, or come, in a request of their own.
///
/// The page posts the rows as little-endian f32, row after row, to `logits/{command}` beside
/// itself before it sends the event that refers to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogitsRef {
    /// Number of rows.
    pub rows: u32,
    /// Number of f32 in a row: the vocabulary.
    pub columns: u32,
}

/// How long the parts of a command took, on the engine's monotonic clock.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Timings {
    /// Milliseconds for the prompt's tokens that were not in the cache.
    pub prefill_ms: f64,
    /// How many tokens that were.
    pub prefill_tokens: u32,
    /// Milliseconds from the command to the first generated token.
    pub first_token_ms: f64,
    /// Milliseconds for the decode steps.
    pub decode_ms: f64,
    /// How many decode steps that were: one fewer than generated tokens, since the first token
    /// comes out of the prefill.
    pub decode_tokens: u32,
    /// Where the time of the decode steps went on a GPU; `None` on a CPU.
    #[serde(default)]
    pub decode_gpu: Option<GpuTime>,
    /// Dispatches or draws of the decode steps; 0 on a CPU.
    #[serde(default)]
    pub decode_dispatches: u64,
}

impl Timings {
    /// Prompt tokens a second; `None` where nothing was timed.
    pub fn prefill_rate(&self) -> Option<f64> {
        rate(self.prefill_tokens, self.prefill_ms)
    }

    /// Generated tokens a second; `None` where nothing was timed.
    pub fn decode_rate(&self) -> Option<f64> {
        rate(self.decode_tokens, self.decode_ms)
    }
}

fn rate(tokens: u32, ms: f64) -> Option<f64> {
    (tokens > 0 && ms > 0.0).then(|| f64::from(tokens) * 1000.0 / ms)
}

/// Where a GPU backend's time went, on the clock of the thread that feeds it.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct GpuTime {
    /// Milliseconds for putting commands together and handing them over.
    pub encode_ms: f64,
    /// Milliseconds from there until the GPU was through with them.
    pub compute_ms: f64,
    /// Milliseconds from there until the answer was in memory.
    pub readback_ms: f64,
}

impl GpuTime {
    /// What has come since an earlier reading.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            encode_ms: self.encode_ms - earlier.encode_ms,
            compute_ms: self.compute_ms - earlier.compute_ms,
            readback_ms: self.readback_ms - earlier.readback_ms,
        }
    }
}
