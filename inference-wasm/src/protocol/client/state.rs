//! The states of the client, and a transition between two of them.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::reason::Reason;
use super::tier::Tier;

/// What the local engine is at. Requests have a life of their own: the server may answer one
/// while the engine is in any of these.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Nothing has begun.
    New,
    /// Capabilities are asked for.
    Detect,
    /// The device's tier is decided.
    Classify,
    /// A variant is chosen for a tier of the chain.
    Choose,
    /// An adapter and a device are asked for.
    Device,
    /// The first dispatch is held against what it must be.
    Probe,
    /// Storage is looked through; shards are hashed and fetched.
    Cache,
    /// The user is asked about a download.
    Consent,
    /// The model is loaded from where its shards lie.
    Load,
    /// The model can run.
    Ready,
    /// The model answers a request.
    Running,
    /// A request was given up, and the engine is still at it.
    Stop,
    /// A device is gone, and the next one is waited for.
    Recover,
    /// No local engine, for now or for good: the server is all there is.
    Server,
}

impl State {
    /// The name as it stands in JSON and traces.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Detect => "detect",
            Self::Classify => "classify",
            Self::Choose => "choose",
            Self::Device => "device",
            Self::Probe => "probe",
            Self::Cache => "cache",
            Self::Consent => "consent",
            Self::Load => "load",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Stop => "stop",
            Self::Recover => "recover",
            Self::Server => "server",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One change of state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Transition {
    /// When, on the clock of the inputs.
    pub at_ms: u64,
    /// The state that was left.
    pub from: State,
    /// The state that was entered.
    pub to: State,
    /// The tier that it is about from now on.
    pub tier: Tier,
    /// The latest generation that was handed out.
    pub generation: u64,
    /// Why.
    pub reason: Reason,
}
