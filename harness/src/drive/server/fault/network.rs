//! Faults of the network that a scenario of the hybrid client plans, and the log that proves them.
//!
//! Pure: requests in, responses out. [`super::super::site`] sends them.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::spec::fault::{Fault, FaultPlan};

/// The pause between pieces of slowed weights, unless the plan sets it.
const SLOW: Duration = Duration::from_millis(100);

/// How long the server tier stalls, unless the plan sets it: longer than any deadline of the
/// client.
const SILENT: Duration = Duration::from_mins(5);

/// The response to a request for a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ShardSent {
    /// The requested bytes.
    Whole,
    /// Nothing: the connection breaks off before the first byte.
    Nothing,
    /// All of it, in pieces with pauses.
    Slowly(Duration),
    /// The number of bytes sent before the connection breaks off.
    Cut(u64),
    /// A status without a body.
    Status(u16),
    /// A web page.
    Html,
    /// Half of the bytes, as if the shard were complete.
    Short,
}

/// The response for a shard under a fault; `None` if the fault doesn't affect weights.
pub(super) fn shard_sent(fault: Fault, value: Option<u64>) -> Option<ShardSent> {
    Some(match fault {
        Fault::WeightsOffline => ShardSent::Nothing,
        Fault::WeightsSlow => ShardSent::Slowly(value.map_or(SLOW, Duration::from_millis)),
        Fault::WeightsCut => ShardSent::Cut(value.unwrap_or(0)),
        Fault::WeightsFail => ShardSent::Status(500),
        Fault::WeightsMissing => ShardSent::Status(404),
        Fault::WeightsHtml => ShardSent::Html,
        Fault::WeightsShort => ShardSent::Short,
        _ => return None,
    })
}

/// The outcome of a request to the server tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TierSent {
    /// It is answered.
    Answer,
    /// Status 503.
    Down,
    /// It is answered after this delay.
    After(Duration),
    /// The stream ends after this number of tokens.
    Half(u64),
}

/// What was served in one visit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    /// By place in the manifest.
    pub(crate) shards: BTreeMap<usize, ShardTraffic>,
    /// Requests to the server tier to generate.
    pub(crate) server_requests: u32,
    /// Those that were answered to the end.
    pub(crate) server_answers: u32,
}

/// What was served of one shard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ShardTraffic {
    /// All requests, answered or not.
    pub(crate) requests: u32,
    /// Bytes of weights that were sent, as far as the server knows.
    pub(crate) bytes: u64,
    /// Requests for the rest of a shard, after its first bytes.
    pub(crate) resumed: u32,
    /// The last byte of it was sent.
    pub(crate) is_complete: bool,
}

#[derive(Debug)]
struct Armed {
    name: String,
    plan: FaultPlan,
    is_armed: bool,
    strikes: Vec<String>,
    /// Injections before it was armed again.
    earlier: usize,
}

/// Faults that are armed, and what was served.
#[derive(Debug, Default)]
pub(crate) struct Network {
    faults: Vec<Armed>,
    visits: Vec<Traffic>,
}

impl Network {
    /// Arms a fault; `name` is its name in this attempt's plan. A fault that had ended gets all of
    /// its injections again.
    pub(crate) fn arm(&mut self, name: &str, plan: FaultPlan) {
        match self.faults.iter_mut().find(|fault| fault.name == name) {
            Some(fault) if fault.is_armed => {}
            Some(fault) => {
                fault.is_armed = true;
                fault.earlier = fault.strikes.len();
            }
            None => self.faults.push(Armed {
                name: name.to_owned(),
                plan,
                is_armed: true,
                strikes: Vec::new(),
                earlier: 0,
            }),
        }
    }

    /// Ends a fault.
    pub(crate) fn disarm(&mut self, name: &str) {
        for fault in self.faults.iter_mut().filter(|fault| fault.name == name) {
            fault.is_armed = false;
        }
    }

    /// How a fault struck.
    pub(crate) fn strikes(&self, name: &str) -> &[String] {
        let fault = self.faults.iter().find(|fault| fault.name == name);
        fault.map_or(&[], |fault| &fault.strikes)
    }

    /// Starts the log of the next visit.
    pub(crate) fn begin_visit(&mut self) {
        self.visits.push(Traffic::default());
    }

    /// The log of the current visit.
    pub(crate) fn traffic(&mut self) -> &mut Traffic {
        if self.visits.is_empty() {
            self.begin_visit();
        }
        let last = self.visits.len() - 1;
        &mut self.visits[last]
    }

    /// The response to a request for a shard.
    pub(crate) fn shard(&mut self, index: usize) -> ShardSent {
        let sent = self.strike(
            |plan| shard_sent(plan.fault, plan.value),
            |sent| format!("shard {index}: {sent:?}"),
        );
        let traffic = self.traffic().shards.entry(index).or_default();
        traffic.requests += 1;
        sent.unwrap_or(ShardSent::Whole)
    }

    /// The outcome of a request to generate.
    pub(crate) fn server(&mut self) -> TierSent {
        let sent = self.strike(
            |plan| {
                Some(match plan.fault {
                    Fault::ServerDown => TierSent::Down,
                    Fault::ServerSlow => {
                        TierSent::After(plan.value.map_or(SILENT, Duration::from_millis))
                    }
                    Fault::ServerHalf => TierSent::Half(plan.value.unwrap_or(1)),
                    _ => return None,
                })
            },
            |sent| format!("the server tier: {sent:?}"),
        );
        self.traffic().server_requests += 1;
        sent.unwrap_or(TierSent::Answer)
    }

    /// Whether the page comes with the headers for cross-origin isolation.
    pub(crate) fn is_isolated(&mut self) -> bool {
        let without = |plan: &FaultPlan| (plan.fault == Fault::NotIsolated).then_some(());
        self.strike(without, |()| "the page came without its headers".to_owned()).is_none()
    }

    /// The first fault that applies to this request and has injections left.
    fn strike<T>(
        &mut self,
        sent: impl Fn(&FaultPlan) -> Option<T>,
        tell: impl Fn(&T) -> String,
    ) -> Option<T> {
        for fault in self.faults.iter_mut().filter(|fault| fault.is_armed) {
            let struck = fault.strikes.len() - fault.earlier;
            if struck as u64 >= u64::from(fault.plan.times) {
                continue;
            }
            if let Some(sent) = sent(&fault.plan) {
                fault.strikes.push(tell(&sent));
                return Some(sent);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::fault::FaultPhase;

    fn plan(fault: Fault, times: u32, value: Option<u64>) -> FaultPlan {
        FaultPlan { fault, at: FaultPhase::Fetch, token: 0, times, value }
    }

    #[test]
    fn a_fault_strikes_as_often_as_it_is_to() {
        let ms = Duration::from_millis;
        for (fault, value, sent) in [
            (Fault::WeightsOffline, None, ShardSent::Nothing),
            (Fault::WeightsSlow, Some(7), ShardSent::Slowly(ms(7))),
            (Fault::WeightsCut, Some(9), ShardSent::Cut(9)),
            (Fault::WeightsFail, None, ShardSent::Status(500)),
            (Fault::WeightsMissing, None, ShardSent::Status(404)),
            (Fault::WeightsHtml, None, ShardSent::Html),
            (Fault::WeightsShort, None, ShardSent::Short),
        ] {
            let mut network = Network::default();
            assert_eq!(network.shard(0), ShardSent::Whole);
            network.arm("f", plan(fault, 2, value));
            let found: Vec<_> = (0..3).map(|index| network.shard(index)).collect();
            assert_eq!(found, [sent, sent, ShardSent::Whole], "{fault:?}");
            assert_eq!(network.strikes("f").len(), 2);
            assert_eq!(network.traffic().shards[&0].requests, 2);
            assert_eq!((network.server(), network.is_isolated()), (TierSent::Answer, true));
        }
    }

    #[test]
    fn the_server_tier_has_faults_of_its_own() {
        for (fault, value, sent) in [
            (Fault::ServerDown, None, TierSent::Down),
            (Fault::ServerSlow, Some(20), TierSent::After(Duration::from_millis(20))),
            (Fault::ServerHalf, Some(3), TierSent::Half(3)),
        ] {
            let mut network = Network::default();
            network.arm("f", plan(fault, 1, value));
            assert_eq!(network.shard(0), ShardSent::Whole);
            assert_eq!([network.server(), network.server()], [sent, TierSent::Answer]);
            assert_eq!(network.traffic().server_requests, 2);
        }
    }

    #[test]
    fn a_fault_that_is_disarmed_does_not_strike() {
        let mut network = Network::default();
        network.arm("f", plan(Fault::NotIsolated, u32::MAX, None));
        assert!(!network.is_isolated());
        network.disarm("f");
        assert!(network.is_isolated());
        network.arm("f", plan(Fault::NotIsolated, u32::MAX, None));
        assert!(!network.is_isolated());
        assert_eq!((network.strikes("f").len(), network.strikes("g").len()), (2, 0));
    }

    #[test]
    fn visits_are_distinguished() {
        let mut network = Network::default();
        network.begin_visit();
        network.shard(1);
        network.begin_visit();
        network.server();
        let [first, second] = &network.visits[..] else { panic!("{network:?}") };
        assert_eq!((first.shards.len(), first.server_requests), (1, 0));
        assert_eq!((second.shards.len(), second.server_requests), (0, 1));
    }
}
