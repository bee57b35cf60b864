//! Circuit breakers: a tier that keeps failing is not tried for a while.
//!
//! A breaker only counts. The state machine asks it and chooses another tier.

use crate::protocol::client::Tier;
pub use crate::protocol::client::{Breaker, BreakerLimits, Breakers};

impl Breaker {
    /// Whether the tier may be tried now; an open breaker becomes half-open after its cooldown.
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
            // A late failure of the attempt that opened it.
            Self::Open { .. } => return,
        };
        let doubled = limits.cooldown_ms.saturating_mul(1 << (times - 1).min(16));
        let cooldown = doubled.min(limits.longest_cooldown_ms.max(limits.cooldown_ms));
        *self = Self::Open { until_ms: now_ms.saturating_add(cooldown), times };
    }

    /// Closes the breaker, because the tier has answered.
    pub fn succeed(&mut self) {
        *self = Self::default();
    }

    /// When an open breaker allows a trial, in milliseconds.
    pub fn open_until_ms(&self) -> Option<u64> {
        match self {
            Self::Open { until_ms, .. } => Some(*until_ms),
            Self::Closed { .. } | Self::HalfOpen { .. } => None,
        }
    }
}

impl Breakers {
    /// The breaker of a tier.
    pub fn of(&mut self, tier: Tier) -> &mut Breaker {
        self.0.entry(tier).or_default()
    }

    /// The earliest trial of an open breaker of the local tiers, in milliseconds.
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
    fn three_failures_within_the_window_open_a_breaker() {
        let mut breaker = Breaker::default();
        for at in [0, 900, 1100] {
            breaker.fail(at, &LIMITS);
            assert_eq!(breaker.open_until_ms(), None, "at {at} ms");
        }
        breaker.fail(1200, &LIMITS);
        assert_eq!(breaker.open_until_ms(), Some(1300));
        assert!(!breaker.try_begin(1299));
    }

    #[test]
    fn a_trial_opens_or_closes_a_breaker() {
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
    fn a_success_resets_the_count_of_failures() {
        let mut breaker = Breaker::default();
        breaker.fail(0, &LIMITS);
        breaker.fail(1, &LIMITS);
        breaker.succeed();
        breaker.fail(2, &LIMITS);
        assert!(breaker.try_begin(3));
    }

    #[test]
    fn breakers_round_trip_through_json() {
        let mut breakers = Breakers::default();
        (0..3).for_each(|at| breakers.of(Tier::Webgpu).fail(at, &LIMITS));
        breakers.of(Tier::Server).fail(0, &LIMITS);
        let json = serde_json::to_string(&breakers).unwrap();
        let read: Breakers = serde_json::from_str(&json).unwrap();
        assert_eq!(read, breakers);
        assert_eq!(read.next_trial_ms(), Some(102));
    }
}
