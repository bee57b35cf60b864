//! What a page says back.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::capability::CapabilityReport;
use super::client::{ClientInspection, ClientRun, ClientStarted, Effect, LossReason};
use super::error::EngineError;
use super::ops::OpsReport;
use super::result::{Generated, Loaded, Scored};

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
