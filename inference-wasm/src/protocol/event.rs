//! What a page says back.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    CapabilityReport, ClientInspection, ClientRun, ClientStarted, ExecutionReport, LossReason,
    OpsReport,
};
use crate::client::machine::Effect;

/// One thing that happened in a page.
///
/// ```
/// # use inference_wasm::protocol::{PageEvent, PageEventKind};
/// let json = r#"{"seq":7,"at_ms":1520.25,"command":3,
///     "kind":{"type":"token","index":0,"id":284,"text":"The"}}"#;
/// let event: PageEvent = serde_json::from_str(json).unwrap();
/// assert!(matches!(event.kind, PageEventKind::Token { id: 284, .. }));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PageEvent {
    /// Counts from 0 without gaps over the life of a page; a gap or a repeat is a lost or a
    /// doubled message, which the host notices.
    pub seq: u64,
    /// Milliseconds since the page began to load, on the page's monotonic clock.
    pub at_ms: f64,
    /// The command that caused it; `None` for the page's own.
    #[serde(default)]
    pub command: Option<u32>,
    /// What happened.
    pub kind: PageEventKind,
}

/// What can happen in a page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
#[expect(clippy::large_enum_variant, reason = "results are few, and no event is kept")]
pub enum PageEventKind {
    /// The worker runs and the bundle is loaded: commands may come. Always the first event.
    Ready {
        /// The page's [`PROTOCOL_VERSION`](super::PROTOCOL_VERSION).
        protocol: u32,
        /// The browser's own name for itself.
        user_agent: String,
        /// `crossOriginIsolated`: threads and fine timers are possible.
        cross_origin_isolated: bool,
    },
    /// The main thread is alive. Sent every second by a timer of the page, not by the engine.
    Heartbeat,
    /// The command has come to this phase.
    Phase {
        /// What it does now.
        phase: Phase,
    },
    /// Bytes of the model that have arrived.
    LoadProgress {
        /// Bytes so far.
        bytes: u64,
        /// Bytes in all.
        total_bytes: u64,
    },
    /// Cases of the op suite that are through.
    OpsProgress {
        /// Cases so far.
        cases: u32,
        /// Cases in all.
        total_cases: u32,
    },
    /// A token was generated.
    Token {
        /// Its place among the generated ones, from 0.
        index: u32,
        /// Its id.
        id: u32,
        /// The text that it completed; empty while a multi-byte character is still open.
        text: String,
    },
    /// The command ended with a result. The last event of a command.
    Finished {
        /// The result.
        result: Finished,
    },
    /// The command ended with a typed error. The last event of a command.
    Failed {
        /// The error.
        error: EngineError,
    },
    /// The device that the engine computed on is gone, whether a command is at work or not.
    DeviceLost {
        /// As the browser tells it.
        reason: LossReason,
        /// In the browser's words.
        message: String,
    },
    /// The hybrid client wants something to be done, or to be known.
    Client {
        /// It.
        effect: Box<Effect>,
    },
    /// The engine has carried out a request of the hybrid client.
    ClientRan {
        /// How.
        run: Box<ClientRun>,
    },
    /// A shim of a test has taken effect.
    Injected {
        /// Name of the shim.
        shim: String,
        /// What it did, and where.
        detail: String,
    },
    /// The engine panicked: the worker is dead.
    Panicked {
        /// The panic message and where it was raised.
        message: String,
    },
    /// `error` on the page or the worker.
    PageError {
        /// The browser's message.
        message: String,
        /// Where: file, line and column, as far as the browser tells.
        source: String,
    },
    /// `unhandledrejection` on the page or the worker.
    UnhandledRejection {
        /// The reason, as text.
        reason: String,
    },
}

/// Where a command is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Reading the browser's capabilities.
    Probe,
    /// Fetching shards.
    Fetch,
    /// Reading the model file and preparing its weights.
    Prepare,
    /// Working through the prompt.
    Prefill,
    /// Generating tokens.
    Decode,
    /// Scoring given tokens.
    Score,
    /// Holding ops against the reference.
    Ops,
    /// Dropping the model.
    Release,
}

impl Phase {
    /// The name as it stands in JSON and in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::Fetch => "fetch",
            Self::Prepare => "prepare",
            Self::Prefill => "prefill",
            Self::Decode => "decode",
            Self::Score => "score",
            Self::Ops => "ops",
            Self::Release => "release",
        }
    }
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// The result of a command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "of", rename_all = "kebab-case")]
pub enum Finished {
    /// Of [`Action::Probe`](super::Action::Probe).
    Probe(Box<CapabilityReport>),
    /// Of [`Action::Load`](super::Action::Load).
    Load(Loaded),
    /// Of [`Action::Generate`](super::Action::Generate).
    Generate(Generated),
    /// Of [`Action::Score`](super::Action::Score).
    Score(Scored),
    /// Of [`Action::Ops`](super::Action::Ops).
    Ops(Box<OpsReport>),
    /// Of [`Action::Release`](super::Action::Release).
    Release,
    /// Of [`ClientAction::Start`](super::ClientAction::Start).
    ClientStarted(ClientStarted),
    /// Of [`ClientAction::Inspect`](super::ClientAction::Inspect).
    ClientInspected(ClientInspection),
    /// Of every other action of a client: it was handed over.
    ClientTold,
}

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
