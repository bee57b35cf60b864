//! The configuration of the client.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::breaker::{BreakerLimits, Breakers};
use super::experiment::Experiment;
use super::model::ModelVariant;
#[cfg(feature = "seeded-faults")]
use super::mutant::ClientFault;
use super::routing::{Preference, RouterConfig};

/// The configuration of a client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// When the local engine starts, and whether the server is used.
    pub start: Start,
    /// The user's preference.
    pub preference: Preference,
    /// The operator's routing rules.
    pub router: RouterConfig,
    /// The model variants.
    pub registry: Vec<ModelVariant>,
    /// The time limit of each state.
    pub deadlines: Deadlines,
    /// How often a lost device is replaced.
    pub recovery: RecoveryLimits,
    /// When a failing tier is skipped.
    pub breaker: BreakerLimits,
    /// Breakers kept from the previous visit.
    pub breakers: Breakers,
    /// Larger downloads need consent on a metered or slow connection: 10 MiB.
    pub consent_above_bytes: u64,
    /// Attempts at the server per request: 2.
    pub server_attempts: u32,
    /// Attempts per shard: 3.
    pub shard_attempts: u32,
    /// The experiment that the visitor takes part in.
    pub experiment: Option<Enrolment>,
    /// The mutant to be, for tests of what must detect it.
    #[cfg(feature = "seeded-faults")]
    #[serde(skip)]
    pub fault: Option<ClientFault>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            start: Start::default(),
            preference: Preference::default(),
            router: RouterConfig::default(),
            registry: Vec::new(),
            deadlines: Deadlines::default(),
            recovery: RecoveryLimits::default(),
            breaker: BreakerLimits::default(),
            breakers: Breakers::default(),
            consent_above_bytes: 10 << 20,
            server_attempts: 2,
            shard_attempts: 3,
            experiment: None,
            #[cfg(feature = "seeded-faults")]
            fault: None,
        }
    }
}

/// How a client starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// The server answers while the local model loads; the client switches between requests.
    #[default]
    Progressive,
    /// Like `Progressive`, but loading waits until the page is idle.
    IdlePreload,
    /// The server is never asked: prompts stay on the device.
    LocalOnly,
}

/// An experiment and the visitor who takes part in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Enrolment {
    /// The experiment.
    pub experiment: Experiment,
    /// An id that is the same on every visit of a visitor. It is never sent anywhere.
    pub visitor: String,
}

/// The time limit of each state in milliseconds. The defaults are documented numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Deadlines {
    /// Detecting capabilities: 5 s.
    pub detect_ms: u64,
    /// Creating a device: 10 s.
    pub device_ms: u64,
    /// A device's first dispatch: 10 s.
    pub probe_ms: u64,
    /// Inspecting storage: 5 s.
    pub inspect_ms: u64,
    /// Waiting for bytes of a shard, or for its hash: 60 s.
    pub shard_ms: u64,
    /// The user's consent to a download: 2 minutes.
    pub consent_ms: u64,
    /// Loading the model: 60 s.
    pub load_ms: u64,
    /// The first token: 30 s.
    pub first_token_ms: u64,
    /// Each further token: 10 s.
    pub token_ms: u64,
    /// Stopping a run: 5 s.
    pub stop_ms: u64,
    /// The server's next event: 20 s.
    pub server_ms: u64,
    /// A whole request: 3 minutes.
    pub request_ms: u64,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            detect_ms: 5_000,
            device_ms: 10_000,
            probe_ms: 10_000,
            inspect_ms: 5_000,
            shard_ms: 60_000,
            consent_ms: 120_000,
            load_ms: 60_000,
            first_token_ms: 30_000,
            token_ms: 10_000,
            stop_ms: 5_000,
            server_ms: 20_000,
            request_ms: 180_000,
        }
    }
}

/// How often a lost device is replaced before the client leaves its tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RecoveryLimits {
    /// Number of losses that are recovered from: 3.
    pub losses: u32,
    /// The period in which losses count: 1 minute.
    pub window_ms: u64,
    /// Pause before the second replacement in the window: 250 ms. The first has no pause; each
    /// further one doubles it. A GPU process that has just died offers no adapter for a moment.
    pub pause_ms: u64,
}

impl Default for RecoveryLimits {
    fn default() -> Self {
        Self { losses: 3, window_ms: 60_000, pause_ms: 250 }
    }
}
