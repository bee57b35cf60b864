//! Events from a page to the host.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::capability::CapabilityReport;
use super::client::{ClientInspection, ClientRun, ClientStarted, Effect};
use super::error::EngineError;
use super::loss::LossReason;
use super::ops::OpsReport;
use super::result::{Generated, Loaded, Scored};

/// One event of a page.
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
    /// Counts from 0 without gaps over the life of a page. By a gap or repeat the host detects a
    /// lost or duplicated message.
    pub seq: u64,
    /// Milliseconds since the page began to load, by the page's monotonic clock.
    pub at_ms: f64,
    /// The command that caused it; `None` for the page's own events.
    #[serde(default)]
    pub command: Option<u32>,
    /// What happened.
    pub kind: PageEventKind,
}

/// The kinds of event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
#[expect(clippy::large_enum_variant, reason = "results are few, and events are not stored")]
pub enum PageEventKind {
    /// The bundle is loaded, and the page accepts commands. Always the first event.
    Ready {
        /// The page's [`PROTOCOL_VERSION`](super::PROTOCOL_VERSION).
        protocol: u32,
        /// `navigator.userAgent`.
        user_agent: String,
        /// `crossOriginIsolated`: threads and precise timers are possible.
        cross_origin_isolated: bool,
    },
    /// The main thread is alive. A timer of the page sends it every second, not the engine.
    Heartbeat,
    /// The command has entered a phase.
    Phase {
        /// The new phase.
        phase: Phase,
    },
    /// The model download has progressed.
    LoadProgress {
        /// Bytes received.
        bytes: u64,
        /// Bytes in total.
        total_bytes: u64,
    },
    /// The op suite has progressed.
    OpsProgress {
        /// Finished cases.
        cases: u32,
        /// Cases in total.
        total_cases: u32,
    },
    /// A token was generated.
    Token {
        /// Its index among the generated tokens, from 0.
        index: u32,
        /// Its id.
        id: u32,
        /// The text that it completes; empty inside a multi-byte character.
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
    /// The engine's device was lost, during a command or between commands.
    DeviceLost {
        /// The browser's reason.
        reason: LossReason,
        /// The browser's message.
        message: String,
    },
    /// The hybrid client emitted an effect.
    Client {
        /// The effect.
        effect: Box<Effect>,
    },
    /// The engine has run a request of the hybrid client.
    ClientRan {
        /// The run.
        run: Box<ClientRun>,
    },
    /// A shim of a test has injected its fault.
    Injected {
        /// Name of the shim.
        shim: String,
        /// What it did, and where.
        detail: String,
    },
    /// The engine panicked, and its worker is dead.
    Panicked {
        /// The panic message and its location.
        message: String,
    },
    /// An `error` event on the page or the worker.
    PageError {
        /// The browser's message.
        message: String,
        /// File, line and column, as far as the browser reports them.
        source: String,
    },
    /// An `unhandledrejection` event on the page or the worker.
    UnhandledRejection {
        /// The reason, as text.
        reason: String,
    },
}

/// A phase of a command.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
#[derive(strum::Display, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "kebab-case")]
pub enum Phase {
    /// Reading the browser's capabilities.
    Probe,
    /// Fetching shards.
    Fetch,
    /// Reading the model file and preparing its weights.
    Prepare,
    /// Processing the prompt.
    Prefill,
    /// Generating tokens.
    Decode,
    /// Scoring given tokens.
    Score,
    /// Comparing ops with the reference.
    Ops,
    /// Dropping the model.
    Release,
}

impl Phase {
    /// The name in JSON and messages.
    pub fn as_str(self) -> &'static str {
        self.into()
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
    /// Of every other action of the client: the client has received it.
    ClientTold,
}
