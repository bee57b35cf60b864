//! A circuit breaker for each tier: one that keeps failing is left alone for a while.
//!
//! It counts and tells; who asks it, and what happens instead, is the state machine's business.

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

impl Breaker {
    /// Asks for leave to try; an open breaker whose time is over becomes half-open.
    pub fn try_begin(&mut self, now_ms: u64) -> bool {
        match *self {
            Self::Closed { .. } | Self::HalfOpen { .. } => true,
            Self::Open { until_ms, times } => {
                if now_ms < until_ms {
                    return false;
                }
                *self = Self::HalfOpen { times };
                true
            }
        }
    }

    /// Counts a failure.
    pub fn fail(&mut self, now_ms: u64, limits: &BreakerLimits) {
        let times = match self {
            Self::Closed { failures_ms } => {
                failures_ms.retain(|at| now_ms.saturating_sub(*at) < limits.window_ms);
                failures_ms.push(now_ms);
                if (failures_ms.len() as u64) < u64::from(limits.failures) {
                    return;
                }
                1
            }
            Self::HalfOpen { times } => times.saturating_add(1),
            // A straggler of the attempt that opened it.
            Self::Open { .. } => return,
        };
        let doubled = limits.cooldown_ms.saturating_mul(1 << (times - 1).min(16));
        let cooldown = doubled.min(limits.longest_cooldown_ms.max(limits.cooldown_ms));
        *self = Self::Open { until_ms: now_ms.saturating_add(cooldown), times };
    }

    /// The tier has given an answer.
    pub fn succeed(&mut self) {
        *self = Self::default();
    }

    /// When an open one may be tried again.
    pub fn open_until_ms(&self) -> Option<u64> {
        match self {
            Self::Open { until_ms, .. } => Some(*until_ms),
            Self::Closed { .. } | Self::HalfOpen { .. } => None,
        }
    }
}

/// The breakers of all tiers; kept over visits by whoever keeps them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Breakers(BTreeMap<Tier, Breaker>);

impl Breakers {
    /// The breaker of a tier.
    pub fn of(&mut self, tier: Tier) -> &mut Breaker {
        self.0.entry(tier).or_default()
    }

    /// When the first open breaker of this device may be tried again.
    pub fn next_trial_ms(&self) -> Option<u64> {
        let local = self.0.iter().filter(|(tier, _)| **tier != Tier::Server);
        local.filter_map(|(_, breaker)| breaker.open_until_ms()).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: BreakerLimits =
        BreakerLimits { failures: 3, window_ms: 1000, cooldown_ms: 100, longest_cooldown_ms: 350 };

    #[test]
    fn three_failures_within_the_window_open_it() {
        let mut breaker = Breaker::default();
        for at in [0, 900, 1100] {
            breaker.fail(at, &LIMITS);
            assert_eq!(breaker.open_until_ms(), None, "the first one is forgotten by {at}");
        }
        breaker.fail(1200, &LIMITS);
        assert_eq!(breaker.open_until_ms(), Some(1300));
        assert!(!breaker.try_begin(1299));
    }

    #[test]
    fn a_trial_decides() {
        let mut breaker = Breaker::default();
        (0..3).for_each(|at| breaker.fail(at, &LIMITS));
        let mut cooldowns = Vec::new();
        let mut now = 2;
        for _ in 0..4 {
            let until = breaker.open_until_ms().unwrap();
            cooldowns.push(until - now);
            now = until;
            assert!(breaker.try_begin(now));
            breaker.fail(now, &LIMITS);
        }
        assert_eq!(cooldowns, [100, 200, 350, 350]);

        assert!(breaker.try_begin(now + 350));
        breaker.succeed();
        assert_eq!(breaker, Breaker::default());
    }

    #[test]
    fn a_success_forgets_failures() {
        let mut breaker = Breaker::default();
        breaker.fail(0, &LIMITS);
        breaker.fail(1, &LIMITS);
        breaker.succeed();
        breaker.fail(2, &LIMITS);
        assert!(breaker.try_begin(3));
    }

    #[test]
    fn breakers_survive_a_visit() {
        let mut breakers = Breakers::default();
        (0..3).for_each(|at| breakers.of(Tier::Webgpu).fail(at, &LIMITS));
        breakers.of(Tier::Server).fail(0, &LIMITS);
        let json = serde_json::to_string(&breakers).unwrap();
        let read: Breakers = serde_json::from_str(&json).unwrap();
        assert_eq!(read, breakers);
        assert_eq!(read.next_trial_ms(), Some(102));
    }
}
