//! Scenarios: a sequence of events and the trace that the client must produce.
//!
//! A snapshot beside this file has the report of each: transitions, fetches, runs and the ends of
//! requests. The auditor checks all of them.

mod policy;
mod recovery;
mod requests;
mod startup;
mod storage;

use super::world::{Ask, World, config, full, local, request};
use crate::client::capability::Connection;
use crate::protocol::EngineErrorKind;
use crate::protocol::client::*;

/// A scenario.
#[derive(Clone)]
pub(super) struct Scenario {
    pub(super) name: &'static str,
    /// Changes the configuration, which is local-only by default.
    pub(super) config: fn(&mut Config),
    /// The events.
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

/// Starts the client and fills the storage.
fn start(world: &mut World) {
    world.input(Input::Start);
    world.store_all();
}

fn fails(failure: DeviceFailure) -> LocalEvent {
    LocalEvent::DeviceFailed { failure }
}

fn wrong() -> LocalEvent {
    LocalEvent::Probed { is_right: false }
}

fn load_fails(kind: EngineErrorKind) -> LocalEvent {
    LocalEvent::LoadFailed { kind }
}

fn shard_fails(kind: EngineErrorKind, kept_bytes: u64) -> LocalEvent {
    LocalEvent::ShardFailed { shard: 0, kind, kept_bytes }
}

fn job_fails(world: &mut World, kind: EngineErrorKind) {
    let Some(job) = world.job.take() else {
        return world.auditor.violations.push("no request is running".into());
    };
    world.input(local(job.generation, LocalEvent::Failed { request: job.request, kind }));
}

fn server_fails(world: &mut World) {
    let Some(job) = world.job.take() else {
        return world.auditor.violations.push("no request is running".into());
    };
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
use scenario;

pub(super) fn scenarios() -> Vec<Scenario> {
    [startup::all(), storage::all(), recovery::all(), requests::all(), policy::all()].concat()
}

#[test]
fn every_scenario_produces_its_trace() {
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
fn a_recovery_loads_weights_from_the_cache() {
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
    assert_eq!(fetches, [1, 1, 1], "only the first generation fetches");
    let record = world.records()[0];
    assert_eq!((record.recoveries, record.success), (2, true));
    assert_eq!(record.cache_hit_rate, Some(1.0));
}

#[test]
fn records_count_ignored_events_and_time_recoveries() {
    let mut world = World::new(config());
    start(&mut world);
    world.input(request(1));
    world.tokens(1);
    world.silent_once(Ask::Device);
    let old = world.client.device;
    world.lose();
    world.input(local(old, LocalEvent::Crashed));
    world.now_ms += 700;
    let generation = world.client.device;
    world.input(local(generation, LocalEvent::DeviceCreated));
    world.finish();
    let record = world.records()[0];
    assert_eq!(record.stale_events, 1);
    assert_eq!(record.recovery_ms, Some(700));
    assert_eq!(record.recovery_reason, Some(Reason::DeviceLost));
}

#[test]
fn an_arm_is_assigned_before_fetching_and_gets_its_variant() {
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
fn stored_shards_are_not_loaded_before_they_are_hashed() {
    let variant = crate::client::fixtures::variant("model-q4", 1, 0.1);
    assert!(full(&variant).shards.values().all(|shard| !shard.is_verified));
    let mut world = World::new(config());
    world.store_all();
    (0..3).for_each(|_| world.silent_once(Ask::Verify));
    world.input(Input::Start);
    assert_eq!(world.client.state(), State::Cache, "nothing is loaded before verification");
}
