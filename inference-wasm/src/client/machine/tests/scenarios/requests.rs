//! Who answers a request, and what ends it.

use super::super::auditor::right_token;
use super::super::world::{Ask, end, local, request};
use super::{Scenario, job_fails, progressive, same, scenario, server_fails, start};
use crate::protocol::client::{Capabilities, End, Input, LocalEvent, Start};
use crate::protocol::{EngineErrorKind, FinishReason};

#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn all() -> Vec<Scenario> {
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
            let generation = world.client.device;
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
            let generation = world.client.device;
            let token = LocalEvent::Token { request: 1, token: right_token(2) };
            world.input(local(generation, token));
        }),
        scenario!("ends-before-its-tokens-came", same, |world| {
            start(world);
            world.input(request(1));
            world.tokens(1);
            let generation = world.client.device;
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
