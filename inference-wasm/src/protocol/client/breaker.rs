//! Circuit breakers as they are configured and kept between visits.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::tier::Tier;

/// When a breaker opens and closes. The defaults are the documented numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct BreakerLimits {
    /// This many failures open it: 3.
    pub failures: u32,
    /// If they come within this time: 5 minutes.
    pub window_ms: u64,
    /// How long it stays open the first time: 1 minute. Each time in a row doubles it.
    pub cooldown_ms: u64,
    /// How long it stays open at most: 15 minutes.
    pub longest_cooldown_ms: u64,
}

impl Default for BreakerLimits {
    fn default() -> Self {
        Self { failures: 3, window_ms: 300_000, cooldown_ms: 60_000, longest_cooldown_ms: 900_000 }
    }
}

/// Whether a tier may be tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Breaker {
    /// It may; these are the times of its recent failures.
    Closed {
        /// Milliseconds, in order.
        failures_ms: Vec<u64>,
    },
    /// It may not before that time.
    Open {
        /// Milliseconds.
        until_ms: u64,
        /// How often in a row it has opened.
        times: u32,
    },
    /// It is being tried once: a failure opens it again, a success closes it.
    HalfOpen {
        /// How often in a row it has opened.
        times: u32,
    },
}

impl Default for Breaker {
    fn default() -> Self {
        Self::Closed { failures_ms: Vec::new() }
    }
}

/// The breakers of all tiers; kept over visits by whoever keeps them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Breakers(pub(crate) BTreeMap<Tier, Breaker>);
