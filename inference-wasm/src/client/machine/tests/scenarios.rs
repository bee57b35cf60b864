//! One scenario after another: what happens to a client, and the trace that must come of it.
//!
//! Each leaves a report beside this file: transitions, what was fetched and run, and how requests
//! ended. The auditor looks on in all of them.

use super::super::*;
use super::auditor::right_token;
use super::world::{Ask, World, config, end, full, local, request};
use crate::client::cache::StorageTrouble;
use crate::client::capability::Connection;
use crate::protocol::{EngineErrorKind, FinishReason};

/// A scenario.
pub(super) struct Scenario {
    pub(super) name: &'static str,
    /// What differs from a client that is local only.
    pub(super) config: fn(&mut Config),
    /// What happens.
    pub(super) play: fn(&mut World),
}

impl Scenario {
    pub(super) fn world(&self, change: impl Fn(&mut Config)) -> World {
        let mut config = config();
        (self.config)(&mut config);
        change(&mut config);
        let mut world = World::new(config);
        (self.play)(&mut world);
        world
    }
}

fn same(_: &mut Config) {}

fn progressive(config: &mut Config) {
    config.start = Start::Progressive;
}

/// Up, with everything in storage from now on.
fn start(world: &mut World) {
    world.input(Input::Start);
    world.store_all();
}

fn fails(failure: DeviceFailure) -> impl Fn(Generation) -> Option<Input> {
    move |generation| Some(local(generation, LocalEvent::DeviceFailed { failure }))
}

fn is_wrong(generation: Generation) -> Option<Input> {
    Some(local(generation, LocalEvent::Probed { is_right: false }))
}

fn load_fails(kind: EngineErrorKind) -> impl Fn(Generation) -> Option<Input> {
    move |generation| Some(local(generation, LocalEvent::LoadFailed { kind }))
}

fn shard_fails(kind: EngineErrorKind, kept_bytes: u64) -> impl Fn(Generation) -> Option<Input> {
    move |generation| {
        Some(local(generation, LocalEvent::ShardFailed { shard: 0, kind, kept_bytes }))
    }
}

fn job_fails(world: &mut World, kind: EngineErrorKind) {
    let job = world.job.take().unwrap();
    world.input(local(job.generation, LocalEvent::Failed { request: job.request, kind }));
}

fn server_fails(world: &mut World) {
    let job = world.job.take().unwrap();
    let event = ServerEvent::Failed { is_request: false };
    world.input(Input::Server { generation: job.generation, event });
}

fn metered(world: &mut World) {
    world.device.connection = Connection { metered: Some(true), ..Connection::default() };
    world.input(Input::Start);
}

fn asks_about_everything(config: &mut Config) {
    config.consent_above_bytes = 0;
    config.start = Start::Progressive;
}

macro_rules! scenario {
    ($name:literal, $config:expr, $play:expr) => {
        Scenario { name: $name, config: $config, play: $play }
    };
}

pub(super) fn scenarios() -> Vec<Scenario> {
    let mut all = bring_up();
    all.extend(storage());
    all.extend(recovery());
    all.extend(requests());
    all.extend(policy());
    all
}

fn bring_up() -> Vec<Scenario> {
    vec![
        scenario!("first-visit", same, |world| {
            start(world);
            world.input(request(1));
            world.finish();
        }),
        scenario!("adapter-null", same, |world| {
            world.once(Ask::Device, fails(DeviceFailure::AdapterNull));
            start(world);
        }),
        scenario!("device-rejected", same, |world| {
            world.once(Ask::Device, fails(DeviceFailure::DeviceRejected));
            start(world);
        }),
        scenario!("born-lost", same, |world| {
            world.once(Ask::Device, fails(DeviceFailure::BornLost));
            start(world);
        }),
        scenario!("probe-failed", same, |world| {
            world.once(Ask::Probe, is_wrong);
            start(world);
        }),
        scenario!("device-hangs", same, |world| {
            world.silent_once(Ask::Device);
            start(world);
            world.expire();
        }),
        scenario!("load-timeout", same, |world| {
            world.silent_once(Ask::Load);
            start(world);
            world.expire();
        }),
        scenario!("out-of-memory-everywhere", same, |world| {
            (0..3).for_each(|_| world.once(Ask::Load, load_fails(EngineErrorKind::OutOfMemory)));
            start(world);
            world.input(request(1));
        }),
        scenario!("lost-in-load", same, |world| {
            world.once(Ask::Load, load_fails(EngineErrorKind::DeviceLost));
            start(world);
        }),
        scenario!("whole-chain", progressive, |world| {
            (0..3).for_each(|_| world.once(Ask::Probe, is_wrong));
            start(world);
            world.input(request(1));
            world.finish();
        }),
        scenario!("no-browser-support", progressive, |world| {
            world.device = Capabilities::default();
            start(world);
            for id in 1..=2 {
                world.input(request(id));
                world.finish();
            }
        }),
        scenario!("adapter-null-in-the-report", same, |world| {
            world.device.report.webgpu.adapter = None;
            start(world);
        }),
        scenario!("capabilities-never-come", progressive, |world| {
            world.silent_once(Ask::Detect);
            start(world);
            world.expire();
            world.input(request(1));
            world.finish();
        }),
        scenario!("breaker", same, |world| {
            for _ in 0..3 {
                (0..3).for_each(|_| world.once(Ask::Probe, is_wrong));
                world.input(if world.client.state() == State::New {
                    Input::Start
                } else {
                    Input::Retry
                });
                world.now_ms += 1000;
            }
            world.input(Input::Retry);
            world.expire();
        }),
    ]
}

fn storage() -> Vec<Scenario> {
    vec![
        scenario!("second-visit", same, |world| {
            world.store_all();
            world.input(Input::Start);
        }),
        scenario!("partly-evicted", same, |world| {
            world.store_all();
            world.stored.shards.remove(&1);
            world.input(Input::Start);
        }),
        scenario!("stored-shard-corrupt", same, |world| {
            world.store_all();
            world.once(Ask::Verify, |generation| {
                Some(local(generation, LocalEvent::ShardVerified { shard: 0, is_intact: false }))
            });
            world.input(Input::Start);
        }),
        scenario!("download-resumes", same, |world| {
            world.once(Ask::Fetch, shard_fails(EngineErrorKind::ShardTruncated, 40));
            start(world);
        }),
        scenario!("html-instead-of-weights", same, |world| {
            world.once(Ask::Fetch, shard_fails(EngineErrorKind::ShardCorrupt, 99));
            start(world);
        }),
        scenario!("weights-unavailable", progressive, |world| {
            // Fetches of three shards come before the second attempt at the first one.
            world.once(Ask::Fetch, shard_fails(EngineErrorKind::ShardUnavailable, 0));
            world.silent_once(Ask::Fetch);
            world.silent_once(Ask::Fetch);
            (0..2).for_each(|_| {
                world.once(Ask::Fetch, shard_fails(EngineErrorKind::ShardUnavailable, 0))
            });
            start(world);
            world.input(request(1));
            world.finish();
        }),
        scenario!("download-stands-still", same, |world| {
            world.silent_once(Ask::Fetch);
            start(world);
            world.expire();
        }),
        scenario!("quota-exceeded", same, |world| {
            world.once(Ask::Fetch, |generation| {
                let trouble = StorageTrouble {
                    written_bytes: Some(0),
                    wanted_bytes: 100,
                    ..StorageTrouble::default()
                };
                Some(local(generation, LocalEvent::StoreFailed { shard: 0, trouble }))
            });
            start(world);
        }),
        scenario!("storage-never-answers", same, |world| {
            world.silent_once(Ask::Inspect);
            start(world);
            world.expire();
        }),
        scenario!("stale-template", same, |world| {
            world.store_all();
            let versions = world.stored.versions.as_mut().unwrap();
            versions.prompt_template = "0".into();
            world.input(Input::Start);
        }),
        scenario!("other-versions-loaded", same, |world| {
            world.once(Ask::Load, |generation| {
                let mut versions = crate::client::fixtures::variant("x", 1, 1.0).versions;
                versions.tokenizer = "0".into();
                Some(local(generation, LocalEvent::Loaded { versions }))
            });
            start(world);
        }),
        scenario!("evicted-before-load", same, |world| {
            world.once(Ask::Load, load_fails(EngineErrorKind::ShardUnavailable));
            start(world);
        }),
        scenario!("consent-given", asks_about_everything, |world| {
            metered(world);
            world.input(request(1));
            world.finish();
            world.input(Input::Consent { given: true });
            world.input(request(2));
            world.finish();
        }),
        scenario!("consent-declined", asks_about_everything, |world| {
            metered(world);
            world.input(Input::Consent { given: false });
            world.input(request(1));
            world.finish();
        }),
        scenario!("consent-never-comes", asks_about_everything, |world| {
            metered(world);
            world.expire();
        }),
        scenario!("no-question-about-what-is-there", asks_about_everything, |world| {
            world.store_all();
            metered(world);
        }),
    ]
}

fn recovery() -> Vec<Scenario> {
    vec![
        scenario!("lost-in-decode", same, |world| {
            start(world);
            world.input(request(1));
            world.tokens(2);
            world.lose();
            world.finish();
        }),
        scenario!("lost-in-prefill", same, |world| {
            start(world);
            world.input(request(1));
            world.lose();
            world.finish();
        }),
        scenario!("lost-when-idle", same, |world| {
            start(world);
            world.lose();
            world.input(request(1));
            world.finish();
        }),
        scenario!("lost-twice", same, |world| {
            start(world);
            world.input(request(1));
            world.tokens(3);
            world.lose();
            world.tokens(2);
            world.lose();
            world.expire();
            world.finish();
        }),
        scenario!("lost-too-often", same, |world| {
            start(world);
            world.input(request(1));
            world.tokens(2);
            for _ in 0..3 {
                world.lose();
                world.expire();
            }
            world.lose();
            world.finish();
        }),
        scenario!("lost-now-and-then", same, |world| {
            start(world);
            for id in 1..=6 {
                world.input(request(id));
                world.tokens(1);
                world.lose();
                world.finish();
                world.now_ms += 61_000;
            }
        }),
        scenario!("adapter-null-for-a-moment", same, |world| {
            start(world);
            world.input(request(1));
            world.tokens(1);
            world.once(Ask::Device, fails(DeviceFailure::AdapterNull));
            world.lose();
            world.expire();
            world.finish();
        }),
        scenario!("adapter-null-for-good", same, |world| {
            start(world);
            world.input(request(1));
            world.tokens(1);
            (0..3).for_each(|_| world.once(Ask::Device, fails(DeviceFailure::AdapterNull)));
            world.lose();
            world.expire();
            world.expire();
            world.finish();
        }),
        scenario!("evicted-before-recovery", same, |world| {
            start(world);
            world.stored.shards.remove(&2);
            world.input(request(1));
            world.tokens(1);
            world.lose();
            world.finish();
        }),
        scenario!("hung-in-decode", same, |world| {
            start(world);
            world.input(request(1));
            world.tokens(2);
            world.expire();
            world.finish();
        }),
        scenario!("crash-in-decode", same, |world| {
            start(world);
            world.input(request(1));
            world.tokens(2);
            let generation = world.client.generation;
            world.input(local(generation, LocalEvent::Crashed));
            world.finish();
        }),
        scenario!("out-of-memory-in-decode", same, |world| {
            start(world);
            world.input(request(1));
            world.tokens(2);
            job_fails(world, EngineErrorKind::OutOfMemory);
            world.finish();
        }),
        scenario!("falls-twice-in-an-answer", progressive, |world| {
            start(world);
            world.input(request(1));
            for _ in 0..3 {
                world.tokens(1);
                job_fails(world, EngineErrorKind::GpuError);
            }
            world.finish();
        }),
        scenario!("late-events-of-a-lost-device", same, |world| {
            start(world);
            world.input(request(1));
            world.tokens(2);
            let old = world.job.unwrap();
            world.silent_once(Ask::Device);
            world.lose();
            let token = LocalEvent::Token { request: 1, token: right_token(2) };
            world.input(local(old.generation, token));
            world.input(local(old.generation, LocalEvent::Finished { request: 1, end: end(3) }));
            world.input(local(
                old.generation,
                LocalEvent::DeviceLost { reason: LossReason::Destroyed },
            ));
            let generation = world.client.generation;
            world.input(local(generation, LocalEvent::DeviceCreated));
            world.finish();
        }),
        scenario!("cancelled-in-recovery", same, |world| {
            start(world);
            world.input(request(1));
            world.tokens(2);
            world.silent_once(Ask::Device);
            world.lose();
            world.input(Input::Cancel { request: 1 });
            let generation = world.client.generation;
            world.input(local(generation, LocalEvent::DeviceCreated));
            world.input(request(2));
            world.finish();
        }),
        scenario!("replay-says-something-else", same, |world| {
            start(world);
            world.input(request(1));
            world.tokens(3);
            world.lose();
            world.tokens(1);
            let generation = world.client.generation;
            let token = Token { id: 7, ..right_token(1) };
            world.input(local(generation, LocalEvent::Token { request: 1, token }));
            world.input(request(2));
            world.finish();
        }),
        scenario!("replay-ends-early", same, |world| {
            start(world);
            world.input(request(1));
            world.tokens(3);
            world.lose();
            world.tokens(1);
            let generation = world.client.generation;
            world.input(local(generation, LocalEvent::Finished { request: 1, end: end(1) }));
        }),
    ]
}

fn requests() -> Vec<Scenario> {
    vec![
        scenario!("progressive", progressive, |world| {
            world.silent_once(Ask::Load);
            start(world);
            world.input(request(1));
            world.tokens(2);
            let versions = world.client.variant().unwrap().versions.clone();
            world.input(local(1, LocalEvent::Loaded { versions }));
            world.finish();
            world.input(request(2));
            world.finish();
        }),
        scenario!("idle-preload", |config| config.start = Start::IdlePreload, |world| {
            world.input(Input::Start);
            world.input(request(1));
            world.finish();
            world.input(Input::Idle);
            world.input(request(2));
            world.finish();
        }),
        scenario!("waits-for-the-local-model", same, |world| {
            world.silent_once(Ask::Detect);
            start(world);
            world.input(request(1));
            let capabilities = Box::new(world.device.clone());
            world.input(Input::Detected { capabilities });
            world.finish();
        }),
        scenario!("busy", same, |world| {
            start(world);
            world.input(request(1));
            world.tokens(1);
            world.input(request(2));
            world.finish();
        }),
        scenario!("cancelled-in-decode", same, |world| {
            start(world);
            world.input(request(1));
            world.tokens(2);
            world.silent_once(Ask::Stop);
            world.input(Input::Cancel { request: 1 });
            world.input(request(2));
            let generation = world.client.generation;
            let token = LocalEvent::Token { request: 1, token: right_token(2) };
            world.input(local(generation, token));
            let end = End { finish_reason: FinishReason::Cancelled, ..end(3) };
            world.input(local(generation, LocalEvent::Finished { request: 1, end }));
            world.finish();
        }),
        scenario!("does-not-stop", same, |world| {
            start(world);
            world.input(request(1));
            world.tokens(2);
            world.silent_once(Ask::Stop);
            world.input(Input::Cancel { request: 1 });
            world.expire();
        }),
        scenario!("token-missing", same, |world| {
            start(world);
            world.input(request(1));
            world.tokens(1);
            let generation = world.client.generation;
            let token = LocalEvent::Token { request: 1, token: right_token(2) };
            world.input(local(generation, token));
        }),
        scenario!("ends-before-its-tokens-came", same, |world| {
            start(world);
            world.input(request(1));
            world.tokens(1);
            let generation = world.client.generation;
            world.input(local(generation, LocalEvent::Finished { request: 1, end: end(2) }));
        }),
        scenario!("invalid-request", same, |world| {
            start(world);
            world.input(request(1));
            job_fails(world, EngineErrorKind::InvalidRequest);
            world.input(request(2));
            world.finish();
        }),
        scenario!("context-overflow", progressive, |world| {
            start(world);
            world.input(request(1));
            job_fails(world, EngineErrorKind::ContextOverflow);
            world.finish();
        }),
        scenario!("context-overflow-without-a-server", same, |world| {
            start(world);
            world.input(request(1));
            job_fails(world, EngineErrorKind::ContextOverflow);
        }),
        scenario!("deadline", same, |world| {
            world.input(request(1));
            world.expire();
        }),
        scenario!("server-fails-and-the-device-answers", progressive, |world| {
            world.silent_once(Ask::Load);
            start(world);
            world.input(request(1));
            world.tokens(1);
            server_fails(world);
            world.tokens(1);
            server_fails(world);
            let versions = world.client.variant().unwrap().versions.clone();
            world.input(local(1, LocalEvent::Loaded { versions }));
            world.finish();
        }),
        scenario!("server-is-down", progressive, |world| {
            world.device = Capabilities::default();
            start(world);
            for id in 1..=2 {
                world.input(request(id));
                while world.job.is_some() {
                    server_fails(world);
                }
            }
            world.input(request(3));
        }),
        scenario!("server-stops-in-the-middle", progressive, |world| {
            world.device = Capabilities::default();
            start(world);
            world.input(request(1));
            world.tokens(2);
            world.expire();
            world.finish();
        }),
    ]
}

fn policy() -> Vec<Scenario> {
    let battery = |level| Input::Battery { battery: Battery { level, charging: false } };
    let _ = battery;
    vec![
        scenario!("never", |config| config.preference = Preference::Never, |world| {
            world.input(Input::Start);
            world.input(request(1));
        }),
        scenario!("never-with-a-server", progressive, |world| {
            world.input(Input::Preference { preference: Preference::Never });
            world.input(Input::Start);
            world.input(request(1));
            world.finish();
            world.input(Input::Preference { preference: Preference::Auto });
            world.input(request(2));
            world.finish();
        }),
        scenario!("never-in-mid-answer", progressive, |world| {
            start(world);
            world.input(request(1));
            world.tokens(2);
            world.input(Input::Preference { preference: Preference::Never });
            world.finish();
            world.input(request(2));
            world.finish();
        }),
        scenario!(
            "always-waits",
            |config| {
                progressive(config);
                config.preference = Preference::Always;
            },
            |world| {
                world.silent_once(Ask::Load);
                start(world);
                world.input(request(1));
                let versions = world.client.variant().unwrap().versions.clone();
                world.input(local(1, LocalEvent::Loaded { versions }));
                world.finish();
            }
        ),
        scenario!("low-battery", progressive, |world| {
            start(world);
            world.input(Input::Battery { battery: Battery { level: 0.1, charging: false } });
            world.input(request(1));
            world.finish();
            world.input(Input::Battery { battery: Battery { level: 0.1, charging: true } });
            world.input(request(2));
            world.finish();
        }),
        scenario!(
            "too-complex",
            |config| {
                progressive(config);
                config.router.complex_max_tokens = 1;
            },
            |world| {
                start(world);
                world.input(request(1));
                world.finish();
            }
        ),
        scenario!("too-hot", progressive, |world| {
            start(world);
            world.input(request(1));
            world.tokens(2);
            world.input(Input::Thermal { pressure: Pressure::Critical });
            world.finish();
            world.input(Input::Thermal { pressure: Pressure::Serious });
            world.input(request(2));
            world.finish();
            world.input(Input::Thermal { pressure: Pressure::Nominal });
            world.input(request(3));
            world.finish();
        }),
        scenario!(
            "disabled",
            |config| {
                progressive(config);
                config.router.enable_browser_inference = false;
            },
            |world| {
                world.input(Input::Start);
                world.input(request(1));
                world.finish();
            }
        ),
    ]
}

#[test]
fn every_scenario_goes_as_it_should() {
    let mut reports = Vec::new();
    for scenario in scenarios() {
        let world = scenario.world(|_| {});
        assert_eq!(world.auditor.violations, [""; 0], "{}\n{}", scenario.name, world.report());
        assert_eq!(world.auditor.open(), [0; 0], "{}\n{}", scenario.name, world.report());
        reports.push((scenario.name, world.report()));
    }
    for (name, report) in reports {
        insta::assert_snapshot!(name, report);
    }
}

#[test]
fn weights_of_a_recovery_come_from_the_cache() {
    let scenario = scenarios().into_iter().find(|scenario| scenario.name == "lost-twice").unwrap();
    let world = scenario.world(|_| {});
    let fetches: Vec<u64> = world
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::FetchShard { generation, .. } => Some(*generation),
            _ => None,
        })
        .collect();
    assert_eq!(fetches, [1, 1, 1], "the first generation alone fetches");
    let record = world.records()[0];
    assert_eq!((record.recoveries, record.success), (2, true));
    assert_eq!(record.cache_hit_rate, Some(1.0));
}

#[test]
fn records_tell_what_was_ignored_and_how_long_recovery_took() {
    let mut world = World::new(config());
    start(&mut world);
    world.input(request(1));
    world.tokens(1);
    world.silent_once(Ask::Device);
    let old = world.client.generation;
    world.lose();
    world.input(local(old, LocalEvent::Crashed));
    world.now_ms += 700;
    let generation = world.client.generation;
    world.input(local(generation, LocalEvent::DeviceCreated));
    world.finish();
    let record = world.records()[0];
    assert_eq!(record.stale_events, 1);
    assert_eq!(record.recovery_ms, Some(700));
    assert_eq!(record.recovery_reason, Some(Reason::DeviceLost));
}

#[test]
fn an_arm_is_drawn_before_anything_is_fetched_and_has_its_variant() {
    use crate::client::cohort::{Arm, Experiment};
    use crate::client::fixtures::variant;
    let mut config = config();
    config.registry.push(variant("smaller", 1000, 0.1));
    let arm = Arm { name: "small".into(), weight: 1, variant: Some("smaller".into()) };
    let experiment = Experiment { name: "size".into(), arms: vec![arm] };
    config.experiment = Some(Enrolment { experiment, visitor: "someone".into() });
    let mut world = World::new(config);
    assert_eq!(world.client.arm().unwrap().name, "small");
    world.input(Input::Start);
    assert_eq!(world.client.variant().unwrap().id, "smaller");
    world.store_all();
    world.input(request(1));
    world.finish();
    assert_eq!(world.records()[0].cohort.as_deref(), Some("small"));
    assert_eq!(world.answers()[0].variant.as_deref(), Some("smaller"));
    assert!(world.errors().is_empty());
}

#[test]
fn what_is_stored_is_not_trusted_until_it_is_hashed() {
    let variant = crate::client::fixtures::variant("model-q4", 1, 0.1);
    assert!(full(&variant).shards.values().all(|shard| !shard.is_verified));
    let mut world = World::new(config());
    world.store_all();
    (0..3).for_each(|_| world.silent_once(Ask::Verify));
    world.input(Input::Start);
    assert_eq!(world.client.state(), State::Cache, "nothing is loaded before");
}
