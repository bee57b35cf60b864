//! Starts of the engine: first visits, and failures of each step.

use super::super::world::{Ask, World, request};
use super::{Scenario, fails, load_fails, progressive, same, scenario, start, wrong};
use crate::protocol::EngineErrorKind;
use crate::protocol::client::{Capabilities, DeviceFailure, Input, Preference, State};

pub(super) fn all() -> Vec<Scenario> {
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
            world.once(Ask::Probe, wrong());
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
            (0..3).for_each(|_| world.once(Ask::Probe, wrong()));
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
            fail_everywhere(world, 3);
            world.input(Input::Retry);
            world.expire();
        }),
        // The breaker's time is over, and nothing is to be tried: no deadline may stand still.
        scenario!("never-behind-an-open-breaker", progressive, |world| {
            fail_everywhere(world, 3);
            world.input(Input::Preference { preference: Preference::Never });
            world.now_ms += 100_000;
            world.input(request(1));
            world.expire();
            world.finish();
        }),
    ]
}

/// Lets every tier fail its first dispatch, `times` times.
fn fail_everywhere(world: &mut World, times: u32) {
    for _ in 0..times {
        (0..3).for_each(|_| world.once(Ask::Probe, wrong()));
        let is_new = world.client.state() == State::New;
        world.input(if is_new { Input::Start } else { Input::Retry });
        world.now_ms += 1000;
    }
}
