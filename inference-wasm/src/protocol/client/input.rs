//! Inputs: the events that the client reacts to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::config::{Complexity, Preference};
use super::device::{Battery, Capabilities};
use super::model::{StorageTrouble, Stored, Versions};
use super::reason::Reason;
use crate::protocol::error::EngineErrorKind;
use crate::protocol::loss::LossReason;
use crate::protocol::request::GenerateRequest;
use crate::protocol::result::FinishReason;

/// Counts devices and attempts at the server. Events carry the generation that caused them, which
/// identifies late events of an old one.
pub type Generation = u64;

/// One event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "input", rename_all = "kebab-case")]
pub enum Input {
    /// The page has started.
    Start,
    /// The page is idle.
    Idle,
    /// The capabilities of the device are known.
    Detected {
        /// The capabilities.
        capabilities: Box<Capabilities>,
    },
    /// An event of a local device.
    Local {
        /// The device.
        generation: Generation,
        /// The event.
        event: LocalEvent,
    },
    /// An event of an attempt at the server.
    Server {
        /// The attempt.
        generation: Generation,
        /// The event.
        event: ServerEvent,
    },
    /// The user's answer about a download.
    Consent {
        /// The user agrees.
        given: bool,
    },
    /// A new request of the user.
    Request {
        /// Id of the request.
        request: Box<Request>,
    },
    /// The user cancels a request.
    Cancel {
        /// Id of the request.
        request: u64,
    },
    /// The user has changed the preference.
    Preference {
        /// The new preference.
        preference: Preference,
    },
    /// The battery's state has changed.
    Battery {
        /// The new state.
        battery: Battery,
    },
    /// The device's thermal pressure has changed.
    Thermal {
        /// The new pressure.
        pressure: Pressure,
    },
    /// Try the best tier again: the network is back, or the user asks for it.
    Retry,
    /// Time has passed, and nothing else has happened.
    Tick,
}

/// A request of the user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Request {
    /// Chosen by the page and never reused.
    pub id: u64,
    /// The prompt and its options.
    pub generate: GenerateRequest,
    /// Length of the prompt in characters.
    pub prompt_length: u32,
    /// Its complexity.
    #[serde(default)]
    pub complexity: Complexity,
    /// The capability that the model must have.
    #[serde(default)]
    pub capability: Option<String>,
    /// The feature that makes the request.
    #[serde(default)]
    pub feature: Option<String>,
}

/// Thermal pressure, by the names of the Compute Pressure API.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Pressure {
    /// No pressure.
    #[default]
    Nominal,
    /// Work can continue.
    Fair,
    /// New requests go to the server.
    Serious,
    /// The local engine is off until the pressure is fair again.
    Critical,
}

/// An event of a local device or of the engine on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum LocalEvent {
    /// A device, or an instance of the module, was created.
    DeviceCreated,
    /// No device could be created.
    DeviceFailed {
        /// The reason.
        failure: DeviceFailure,
    },
    /// The first dispatch has finished.
    Probed {
        /// Its result is correct.
        is_right: bool,
    },
    /// Storage was inspected.
    Inspected {
        /// What is stored of the variant.
        stored: Stored,
    },
    /// A stored shard was hashed.
    ShardVerified {
        /// Its index in the manifest.
        shard: u32,
        /// The hash matches the manifest.
        is_intact: bool,
    },
    /// Bytes of a shard have arrived: the download may be slow, but has not stalled.
    ShardProgress {
        /// Its index in the manifest.
        shard: u32,
        /// Bytes of it that have arrived.
        bytes: u64,
    },
    /// A shard was fetched, its hash matches, and it is stored.
    ShardStored {
        /// Its index in the manifest.
        shard: u32,
    },
    /// A shard could not be fetched.
    ShardFailed {
        /// Its index in the manifest.
        shard: u32,
        /// The kind of error.
        kind: EngineErrorKind,
        /// Bytes of its beginning that are stored.
        kept_bytes: u64,
    },
    /// A shard could not be stored.
    StoreFailed {
        /// Its index in the manifest.
        shard: u32,
        /// The browser's error.
        trouble: StorageTrouble,
    },
    /// The model is loaded and can run.
    Loaded {
        /// Versions of the loaded model.
        versions: Versions,
    },
    /// The model could not be loaded.
    LoadFailed {
        /// The kind of error.
        kind: EngineErrorKind,
    },
    /// A token was generated.
    Token {
        /// Id of the request.
        request: u64,
        /// The token.
        token: Token,
    },
    /// The request was answered or stopped.
    Finished {
        /// Id of the request.
        request: u64,
        /// How it ended.
        end: End,
    },
    /// The request has failed.
    Failed {
        /// Id of the request.
        request: u64,
        /// The kind of error.
        kind: EngineErrorKind,
    },
    /// The device was lost.
    DeviceLost {
        /// The browser's reason.
        reason: LossReason,
    },
    /// The engine panicked, or its worker died.
    Crashed,
}

/// An event of an attempt at the server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum ServerEvent {
    /// A token was generated.
    Token {
        /// The token.
        token: Token,
    },
    /// The rest of the answer and its end.
    Answered {
        /// Tokens that were not streamed.
        tokens: Vec<Token>,
        /// How it ended.
        end: End,
        /// The model that answered.
        variant: Option<String>,
    },
    /// The attempt failed.
    Failed {
        /// The request itself is invalid: another attempt would fail, too.
        is_request: bool,
    },
}

/// A token and the text that it completes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Token {
    /// Its index among the generated tokens, from 0.
    pub index: u32,
    /// Its id.
    pub id: u32,
    /// The text that it completes; may be empty.
    pub text: String,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct End {
    /// The reason.
    pub finish_reason: FinishReason,
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// Tokens of the whole answer.
    pub tokens: u32,
}

/// Why no device could be created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceFailure {
    /// There is no adapter, or no context.
    AdapterNull,
    /// The adapter refused to create a device.
    DeviceRejected,
    /// The device was lost on creation.
    BornLost,
}

impl From<DeviceFailure> for Reason {
    fn from(failure: DeviceFailure) -> Self {
        match failure {
            DeviceFailure::AdapterNull => Self::AdapterNull,
            DeviceFailure::DeviceRejected => Self::DeviceRejected,
            DeviceFailure::BornLost => Self::BornLost,
        }
    }
}
