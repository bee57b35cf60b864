//! Devices that are lost or hang in every phase, and the fallbacks that follow.

use super::super::auditor::right_token;
use super::super::world::{Ask, end, local, request};
use super::{Scenario, fails, job_fails, progressive, same, scenario, start};
use crate::protocol::EngineErrorKind;
use crate::protocol::client::{DeviceFailure, Input, LocalEvent, LossReason, Token};

#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn all() -> Vec<Scenario> {
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
            let generation = world.client.device;
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
            let generation = world.client.device;
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
            let generation = world.client.device;
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
            let generation = world.client.device;
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
            let generation = world.client.device;
            world.input(local(generation, LocalEvent::Finished { request: 1, end: end(1) }));
        }),
    ]
}
