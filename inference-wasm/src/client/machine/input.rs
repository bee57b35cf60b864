//! Everything that can happen to the client.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Reason;
use crate::client::cache::{StorageTrouble, Stored};
use crate::client::capability::{Battery, Capabilities};
use crate::client::registry::Versions;
use crate::client::router::{Complexity, Preference};
use crate::protocol::{EngineErrorKind, FinishReason, GenerateRequest, LossReason};

/// Counts devices, and attempts at the server. Whatever is caused by one carries its number, and
/// what comes late from an old one is recognised by it.
pub type Generation = u64;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "input", rename_all = "kebab-case")]
pub enum Input {
    /// The page is there.
    Start,
    /// The page has nothing better to do.
    Idle,
    /// What the device can do.
    Detected {
        /// That.
        capabilities: Box<Capabilities>,
    },
    /// Something that belongs to a local device.
    Local {
        /// The device.
        generation: Generation,
        /// What.
        event: LocalEvent,
    },
    /// Something that belongs to an attempt at the server.
    Server {
        /// The attempt.
        generation: Generation,
        /// What.
        event: ServerEvent,
    },
    /// The user's answer to the question about the download.
    Consent {
        /// Yes.
        given: bool,
    },
    /// The user wants something.
    Request {
        /// That.
        request: Box<Request>,
    },
    /// The user no longer wants it.
    Cancel {
        /// Id of the request.
        request: u64,
    },
    /// The user decides who decides.
    Preference {
        /// That.
        preference: Preference,
    },
    /// The battery's state has changed.
    Battery {
        /// To that.
        battery: Battery,
    },
    /// The device's temperature has changed.
    Thermal {
        /// To that.
        pressure: Pressure,
    },
    /// Try the best tier again: the network is back, or the user says so.
    Retry,
    /// Time has passed. Every input tells the time; this one tells nothing else.
    Tick,
}

/// What the user wants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Request {
    /// Chosen by the page, never twice.
    pub id: u64,
    /// What is to be generated.
    pub generate: GenerateRequest,
    /// Characters of its prompt.
    pub prompt_length: u32,
    /// How hard it is.
    #[serde(default)]
    pub complexity: Complexity,
    /// What the model must be good for.
    #[serde(default)]
    pub capability: Option<String>,
    /// The feature that asks.
    #[serde(default)]
    pub feature: Option<String>,
}

/// How hot the device is, by the names of the Compute Pressure API.
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
#[serde(rename_all = "kebab-case")]
pub enum Pressure {
    /// Nothing to note.
    #[default]
    Nominal,
    /// Work can go on.
    Fair,
    /// New requests go to the server.
    Serious,
    /// The local engine is given up until it is fair again.
    Critical,
}

/// What a local device, or the engine on it, reports.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum LocalEvent {
    /// There is a device, or an instance of the module.
    DeviceCreated,
    /// There is none.
    DeviceFailed {
        /// Why.
        failure: DeviceFailure,
    },
    /// The first dispatch has come out.
    Probed {
        /// As it must.
        is_right: bool,
    },
    /// What storage has of the variant.
    Inspected {
        /// That.
        stored: Stored,
    },
    /// A stored shard has been hashed.
    ShardVerified {
        /// Its place in the manifest.
        shard: u32,
        /// The hash is the manifest's.
        is_intact: bool,
    },
    /// Bytes of a shard have arrived: the download is slow, and does not stand still.
    ShardProgress {
        /// Its place in the manifest.
        shard: u32,
        /// Bytes of it that are there.
        bytes: u64,
    },
    /// A shard has been fetched whole, its hash is right, and it lies where it was to.
    ShardStored {
        /// Its place in the manifest.
        shard: u32,
    },
    /// A shard could not be fetched.
    ShardFailed {
        /// Its place in the manifest.
        shard: u32,
        /// Why.
        kind: EngineErrorKind,
        /// Bytes of it that are kept, and right as far as they go.
        kept_bytes: u64,
    },
    /// A shard could not be stored.
    StoreFailed {
        /// Its place in the manifest.
        shard: u32,
        /// Why.
        trouble: StorageTrouble,
    },
    /// The model can run.
    Loaded {
        /// What was loaded.
        versions: Versions,
    },
    /// It can't.
    LoadFailed {
        /// Why.
        kind: EngineErrorKind,
    },
    /// A token.
    Token {
        /// The request.
        request: u64,
        /// It.
        token: Token,
    },
    /// The request has been answered, or has been stopped.
    Finished {
        /// The request.
        request: u64,
        /// How.
        end: End,
    },
    /// The request has failed.
    Failed {
        /// The request.
        request: u64,
        /// Why.
        kind: EngineErrorKind,
    },
    /// The device is gone.
    DeviceLost {
        /// As the browser tells it.
        reason: LossReason,
    },
    /// The engine panicked, or its worker died.
    Crashed,
}

/// What the server reports.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum ServerEvent {
    /// A token.
    Token {
        /// It.
        token: Token,
    },
    /// The rest of the answer, and its end.
    Answered {
        /// Tokens that were not streamed.
        tokens: Vec<Token>,
        /// How it ended.
        end: End,
        /// The model that answered.
        variant: Option<String>,
    },
    /// No answer.
    Failed {
        /// The request itself is to blame: no other attempt will do better.
        is_request: bool,
    },
}

/// A token, and the text that it completed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Token {
    /// Its place among the generated ones, from 0.
    pub index: u32,
    /// Its id.
    pub id: u32,
    /// The text that it completed; may be empty.
    pub text: String,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct End {
    /// Why.
    pub finish_reason: FinishReason,
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// Tokens of the answer, from the first one on.
    pub tokens: u32,
}

/// Why there is no device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceFailure {
    /// No adapter, or no context.
    AdapterNull,
    /// The adapter gave no device.
    DeviceRejected,
    /// It gave one that was lost already.
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
