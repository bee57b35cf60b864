//! Each seeded fault is noticed: by a scenario's report, by the auditor, or by a request that
//! never ends. The same scenarios without a fault are clean, as other tests show.

use super::super::ClientFault;
use super::random::{Chaos, shaped};
use super::scenarios::scenarios;

/// Scenarios that notice a fault, and those whose auditor does.
fn noticed(fault: ClientFault) -> (Vec<&'static str>, Vec<&'static str>) {
    let (mut all, mut audited) = (Vec::new(), Vec::new());
    for scenario in scenarios() {
        let right = scenario.world(|_| {}).report();
        let world = scenario.world(|config| config.fault = Some(fault));
        let is_audited = !world.auditor.violations.is_empty() || !world.auditor.open().is_empty();
        if is_audited {
            audited.push(scenario.name);
        }
        if is_audited || world.report() != right {
            all.push(scenario.name);
        }
    }
    (all, audited)
}

#[test]
fn every_fault_is_noticed_by_a_scenario_that_is_about_it() {
    for (fault, scenario) in [
        (ClientFault::ZerosOnLoss, "lost-in-decode"),
        (ClientFault::SwallowedError, "server-is-down"),
        (ClientFault::DuplicateToken, "lost-in-decode"),
        (ClientFault::LostToken, "lost-in-decode"),
        (ClientFault::StaleGenerationAccepted, "late-events-of-a-lost-device"),
        (ClientFault::CacheNotVerified, "second-visit"),
        (ClientFault::WrongReason, "probe-failed"),
        (ClientFault::SilentTierChange, "crash-in-decode"),
        (ClientFault::PromptInTelemetry, "first-visit"),
        (ClientFault::BreakerNeverOpens, "breaker"),
        (ClientFault::TemplateSkewIgnored, "stale-template"),
        (ClientFault::FallbackSkipsTier, "whole-chain"),
    ] {
        let (_, audited) = noticed(fault);
        assert!(audited.contains(&scenario), "{fault:?} is noticed in {audited:?}");
    }
}

#[test]
fn every_fault_is_noticed_in_random_sequences() {
    for fault in ClientFault::ALL {
        let is_noticed = (0..400_u32).any(|seed| {
            let mut config = shaped(seed as u8);
            config.fault = Some(fault);
            let mut chaos = Chaos::new((seed >> 3) as u8, config);
            // A generator of Lehmer's: the sequences are the same on every machine.
            let mut state = u64::from(seed) * 2 + 1;
            for _ in 0..150 {
                state = state * 48_271 % 0x7fff_ffff;
                chaos.play((state >> 8) as u8, (state >> 16) as u8);
            }
            !chaos.verdict().is_empty()
        });
        assert!(is_noticed, "{fault:?}");
    }
}

#[test]
fn a_fault_is_not_noticed_where_it_does_nothing() {
    // Otherwise a test above would notice the flag and not the defect.
    let (all, _) = noticed(ClientFault::TemplateSkewIgnored);
    assert_eq!(all, ["stale-template"]);
    let (all, _) = noticed(ClientFault::BreakerNeverOpens);
    assert_eq!(all, ["breaker", "server-is-down"]);
}
