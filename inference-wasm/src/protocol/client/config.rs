//! What the client is told when it is made.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::breaker::{BreakerLimits, Breakers};
use super::experiment::Experiment;
use super::model::ModelVariant;
#[cfg(feature = "seeded-faults")]
use super::mutant::ClientFault;
use super::routing::{Preference, RouterConfig};

/// All that a client goes by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// How it starts.
    pub start: Start,
    /// What the user wants, as far as it is known.
    pub preference: Preference,
    /// The operator's rules.
    pub router: RouterConfig,
    /// The models.
    pub registry: Vec<ModelVariant>,
    /// The longest that each state lasts.
    pub deadlines: Deadlines,
    /// How often a lost device is replaced.
    pub recovery: RecoveryLimits,
    /// When a tier is left alone.
    pub breaker: BreakerLimits,
    /// Breakers of the visit before.
    pub breakers: Breakers,
    /// Downloads of more bytes are asked about on a metered or slow connection: 10 MiB.
    pub consent_above_bytes: u64,
    /// Attempts at the server for each request: 2.
    pub server_attempts: u32,
    /// Attempts at each shard: 3.
    pub shard_attempts: u32,
    /// The experiment, and who the visitor is.
    pub experiment: Option<Enrolment>,
    /// A defect to build in, for tests of what must notice it.
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
    /// The server answers at once, while the local model loads; the switch happens between
    /// requests.
    #[default]
    Progressive,
    /// The same, and loading waits for the page to be idle.
    IdlePreload,
    /// The server is never asked: what is said here stays here.
    LocalOnly,
}

/// An experiment and a visitor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Enrolment {
    /// The experiment.
    pub experiment: Experiment,
    /// A name for the visitor that stays the same over visits, and goes nowhere from here.
    pub visitor: String,
}

/// The longest that each state lasts, in milliseconds. The defaults are the documented numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Deadlines {
    /// Capabilities: 5 s.
    pub detect_ms: u64,
    /// A device: 10 s.
    pub device_ms: u64,
    /// Its first dispatch: 10 s.
    pub probe_ms: u64,
    /// Looking through storage: 5 s.
    pub inspect_ms: u64,
    /// Without a byte of a shard, or the hash of one: 60 s.
    pub shard_ms: u64,
    /// The user's answer about the download: 2 minutes.
    pub consent_ms: u64,
    /// Loading: 60 s.
    pub load_ms: u64,
    /// The first token: 30 s.
    pub first_token_ms: u64,
    /// Each other token: 10 s.
    pub token_ms: u64,
    /// Stopping: 5 s.
    pub stop_ms: u64,
    /// The server's next sign of life: 20 s.
    pub server_ms: u64,
    /// A request in all, whatever happens to it: 3 minutes.
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

/// How often a lost device is replaced before its tier is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RecoveryLimits {
    /// This many losses are recovered from: 3.
    pub losses: u32,
    /// Within this time: 1 minute.
    pub window_ms: u64,
    /// How long the second replacement within a window waits, each further one twice as long:
    /// 250 ms. A GPU process that has just died gives no adapter for a moment. The first
    /// replacement does not wait.
    pub pause_ms: u64,
}

impl Default for RecoveryLimits {
    fn default() -> Self {
        Self { losses: 3, window_ms: 60_000, pause_ms: 250 }
    }
}
