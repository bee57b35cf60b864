//! Every mutant is detected: by a scenario's report, by the auditor, or by a request that never
//! ends. Other tests show that the same scenarios pass without a mutant.

use super::super::ClientFault;
use super::random::{Chaos, shaped};
use super::scenarios::scenarios;

/// The scenarios that detect a mutant, and those whose auditor does.
fn detected(fault: ClientFault) -> (Vec<&'static str>, Vec<&'static str>) {
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
fn the_auditor_detects_every_mutant_in_a_scenario_about_it() {
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
        let (_, audited) = detected(fault);
        assert!(audited.contains(&scenario), "{fault:?} is detected in {audited:?}");
    }
}

#[test]
fn random_sequences_detect_every_mutant() {
    for fault in ClientFault::ALL {
        let is_detected = (0..400_u32).any(|seed| {
            let mut config = shaped(seed as u8);
            config.fault = Some(fault);
            let mut chaos = Chaos::new((seed >> 3) as u8, config);
            // A Lehmer generator: the sequences are the same on every machine.
            let mut state = u64::from(seed) * 2 + 1;
            for _ in 0..150 {
                state = state * 48_271 % 0x7fff_ffff;
                chaos.play((state >> 8) as u8, (state >> 16) as u8);
            }
            !chaos.verdict().is_empty()
        });
        assert!(is_detected, "{fault:?}");
    }
}

#[test]
fn a_mutant_is_not_detected_where_it_has_no_effect() {
    // Otherwise the tests above might detect the setting and not the defect.
    let (all, _) = detected(ClientFault::TemplateSkewIgnored);
    assert_eq!(all, ["stale-template"]);
    let (all, _) = detected(ClientFault::BreakerNeverOpens);
    assert_eq!(all, ["breaker", "server-is-down"]);
}
