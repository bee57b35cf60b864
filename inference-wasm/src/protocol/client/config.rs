//! The configuration of the client.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::model::ModelVariant;
#[cfg(feature = "seeded-faults")]
use super::mutant::ClientFault;
use super::tier::Tier;

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

/// The user's preference between browser and server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Preference {
    /// The router decides.
    #[default]
    Auto,
    /// In the browser if possible, regardless of complexity and battery.
    Always,
    /// On the server; the device fetches and computes nothing.
    Never,
}

/// The complexity of a request, as declared by its author.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Complexity {
    /// Not declared: estimated from lengths.
    #[default]
    Auto,
    /// A classification, a completion, a short answer.
    Simple,
    /// A paragraph.
    Medium,
    /// Reasoning over a long text.
    Complex,
}

/// The operator's settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RouterConfig {
    /// Inference in the browser is enabled.
    pub enable_browser_inference: bool,
    /// Maximum size of a model that a page may fetch, in bytes.
    pub max_browser_model_size_bytes: u64,
    /// Features whose requests stay in the browser regardless of complexity.
    pub prefer_browser_for: Vec<String>,
    /// A longer prompt is complex: 2000 characters.
    pub complex_prompt_length: u32,
    /// A request for more tokens is complex: 500.
    pub complex_max_tokens: u32,
    /// Memory that a page must be able to allocate, in GiB: 0.5.
    pub min_ram_gib: f64,
}

impl Default for RouterConfig {
    fn default() -> Self {
        Self {
            enable_browser_inference: true,
            max_browser_model_size_bytes: 4 << 30,
            prefer_browser_for: Vec::new(),
            complex_prompt_length: 2000,
            complex_max_tokens: 500,
            min_ram_gib: 0.5,
        }
    }
}

/// When a breaker opens and closes. The defaults are documented numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct BreakerLimits {
    /// Number of failures that open it: 3.
    pub failures: u32,
    /// The period in which they count: 5 minutes.
    pub window_ms: u64,
    /// How long it stays open at first: 1 minute. Each further opening in a row doubles it.
    pub cooldown_ms: u64,
    /// The longest that it stays open: 15 minutes.
    pub longest_cooldown_ms: u64,
}

impl Default for BreakerLimits {
    fn default() -> Self {
        Self { failures: 3, window_ms: 300_000, cooldown_ms: 60_000, longest_cooldown_ms: 900_000 }
    }
}

/// The state of a breaker: whether its tier may be tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Breaker {
    /// The tier may be tried.
    Closed {
        /// The times of recent failures in milliseconds, in order.
        failures_ms: Vec<u64>,
    },
    /// The tier may not be tried yet.
    Open {
        /// When a trial is allowed, in milliseconds.
        until_ms: u64,
        /// Number of openings in a row.
        times: u32,
    },
    /// One trial is running: a failure opens the breaker again, a success closes it.
    HalfOpen {
        /// Number of openings in a row.
        times: u32,
    },
}

impl Default for Breaker {
    fn default() -> Self {
        Self::Closed { failures_ms: Vec::new() }
    }
}

/// The breakers of all tiers. The page keeps them between visits.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Breakers(pub(crate) BTreeMap<Tier, Breaker>);

/// An experiment with weighted arms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Experiment {
    /// Its name; a new name reassigns all visitors.
    pub name: String,
    /// The arms, in order.
    pub arms: Vec<Arm>,
}

/// An arm of an experiment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Arm {
    /// Its name.
    pub name: String,
    /// Its share of visitors relative to the other arms; 0 for none.
    pub weight: u32,
    /// The model variant that it prefers; `None` does not change the choice.
    #[serde(default)]
    pub variant: Option<String>,
}
