//! Circuit breakers: their limits, and their state, which is kept between visits.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::tier::Tier;

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
