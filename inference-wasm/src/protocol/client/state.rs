//! The states of the client and the transitions between them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::reason::Reason;
use super::tier::Tier;

/// The state of the local engine. Requests are independent of it: the server may answer one in any
/// of these states.
#[derive(strum::Display, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "kebab-case")]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum State {
    /// Not started.
    #[default]
    New,
    /// Waiting for capabilities.
    Detect,
    /// Classifying the device.
    Classify,
    /// Choosing a variant for a tier of the chain.
    Choose,
    /// Waiting for an adapter and a device.
    Device,
    /// Verifying the first dispatch.
    Probe,
    /// Inspecting storage, hashing and fetching shards.
    Cache,
    /// Waiting for consent to a download.
    Consent,
    /// Loading the model from stored shards.
    Load,
    /// The model is loaded and idle.
    Ready,
    /// The model is answering a request.
    Running,
    /// Waiting for the engine to stop a run.
    Stop,
    /// A device was lost; pausing before the next one.
    Recover,
    /// No local engine: only the server answers.
    Server,
}

impl State {
    /// The name in JSON and traces.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A transition from one state to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Transition {
    /// Its time, by the clock of the inputs.
    pub at_ms: u64,
    /// The state that was left.
    pub from: State,
    /// The state that was entered.
    pub to: State,
    /// The tier after the transition.
    pub tier: Tier,
    /// Generation of the latest device.
    pub generation: u64,
    /// The reason.
    pub reason: Reason,
}
