//! The results of commands: a loaded model, generated tokens, logits and timings.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::execution::ExecutionReport;

/// A loaded model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Loaded {
    /// `general.architecture` of the file.
    pub architecture: String,
    /// Number of weights.
    pub parameters: u64,
    /// Number of tokens in the vocabulary.
    pub vocabulary: u32,
    /// Positions of the key-value cache.
    pub context_tokens: u32,
    /// Bytes of weights in memory.
    pub weight_bytes: u64,
    /// Bytes of the key-value cache.
    pub cache_bytes: u64,
    /// Bytes of the model file.
    #[serde(default)]
    pub file_bytes: u64,
    /// Bytes of the module's linear memory when the model is ready. It never shrinks, so this is
    /// also the peak of loading. `None` natively.
    #[serde(default)]
    pub memory_bytes: Option<u64>,
    /// The model has a chat template.
    pub has_chat_template: bool,
    /// Milliseconds from the command until the last byte was fetched and verified.
    pub fetch_ms: f64,
    /// Milliseconds from then until the model could run.
    pub prepare_ms: f64,
    /// The part of `prepare_ms` for a first token, which makes a GPU's driver compile what it has
    /// deferred; 0 on a CPU.
    #[serde(default)]
    pub warm_up_ms: f64,
}

/// A finished generation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Generated {
    /// The prompt as fed to the model.
    pub prompt_ids: Vec<u32>,
    /// Prompt tokens that were in the cache already.
    pub reused_tokens: u32,
    /// The generated ids, including a stop token.
    pub generated_ids: Vec<u32>,
    /// The generated text, without stop tokens and stop strings.
    pub text: String,
    /// Why it ended.
    pub finish_reason: FinishReason,
    /// How long it took.
    pub timings: Timings,
    /// How it was executed.
    pub execution: ExecutionReport,
    /// The logits, if requested: one row per generated id.
    #[serde(default)]
    pub logits: Option<LogitsRef>,
}

/// Why a generation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FinishReason {
    /// The model generated a stop token.
    Stop,
    /// The text reached a stop string.
    StopString,
    /// The maximum number of tokens was reached.
    Length,
    /// The host cancelled it.
    Cancelled,
}

/// The result of teacher-forced scoring.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Scored {
    /// One row per position, starting at `from`.
    pub logits: LogitsRef,
    /// How long it took; all of it counts as prefill.
    pub timings: Timings,
    /// How it was executed.
    pub execution: ExecutionReport,
}

/// Logits that the page posts in a request of their own.
///
/// The body has the rows one after another as little-endian f32. The address is
/// `logits/{command}`, relative to the page. The event that refers to them follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogitsRef {
    /// Number of rows.
    pub rows: u32,
    /// Number of f32 in a row: the size of the vocabulary.
    pub columns: u32,
}

/// The times of a command's parts, by the engine's monotonic clock.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Timings {
    /// Milliseconds for the prompt tokens that were not in the cache.
    pub prefill_ms: f64,
    /// The number of those tokens.
    pub prefill_tokens: u32,
    /// Milliseconds from the command to the first generated token.
    pub first_token_ms: f64,
    /// Milliseconds for the decode steps.
    pub decode_ms: f64,
    /// The number of decode steps: one fewer than the generated tokens, because the first token
    /// comes from the prefill.
    pub decode_tokens: u32,
    /// The parts of the decode time on a GPU; `None` on a CPU.
    #[serde(default)]
    pub decode_gpu: Option<GpuTime>,
    /// Dispatches or draws in the decode steps; 0 on a CPU.
    #[serde(default)]
    pub decode_dispatches: u64,
}

impl Timings {
    /// Prompt tokens per second; `None` if nothing was timed.
    pub fn prefill_rate(&self) -> Option<f64> {
        rate(self.prefill_tokens, self.prefill_ms)
    }

    /// Generated tokens per second; `None` if nothing was timed.
    pub fn decode_rate(&self) -> Option<f64> {
        rate(self.decode_tokens, self.decode_ms)
    }
}

fn rate(tokens: u32, ms: f64) -> Option<f64> {
    (tokens > 0 && ms > 0.0).then(|| f64::from(tokens) * 1000.0 / ms)
}

/// The parts of a GPU backend's time, by the clock of the thread that submits its commands.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct GpuTime {
    /// Milliseconds to encode and submit commands.
    pub encode_ms: f64,
    /// Milliseconds from then until the GPU finished them.
    pub compute_ms: f64,
    /// Milliseconds from then until the result was in memory.
    pub readback_ms: f64,
}

impl GpuTime {
    /// The time since an earlier reading.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            encode_ms: self.encode_ms - earlier.encode_ms,
            compute_ms: self.compute_ms - earlier.compute_ms,
            readback_ms: self.readback_ms - earlier.readback_ms,
        }
    }
}
