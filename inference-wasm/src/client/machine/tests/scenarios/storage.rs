//! Weights: stored, evicted, corrupt, stale, unavailable, and subject to consent.

use super::super::world::{Ask, local, request};
use super::{
    Scenario, asks_about_everything, load_fails, metered, progressive, same, scenario, shard_fails,
    start,
};
use crate::client::cache::StorageTrouble;
use crate::client::fixtures::variant;
use crate::protocol::EngineErrorKind;
use crate::protocol::client::{Input, LocalEvent};

#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn all() -> Vec<Scenario> {
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
            world.once(Ask::Verify, LocalEvent::ShardVerified { shard: 0, is_intact: false });
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
                world.once(Ask::Fetch, shard_fails(EngineErrorKind::ShardUnavailable, 0));
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
        scenario!("download-is-slow", same, |world| {
            (0..3).for_each(|_| world.silent_once(Ask::Fetch));
            start(world);
            for shard in 0..3 {
                world.now_ms += 50_000;
                world.input(local(1, LocalEvent::ShardProgress { shard, bytes: 50 }));
                world.now_ms += 50_000;
                world.input(local(1, LocalEvent::ShardStored { shard }));
            }
        }),
        scenario!("quota-exceeded", same, |world| {
            let trouble = StorageTrouble {
                written_bytes: Some(0),
                wanted_bytes: 100,
                ..StorageTrouble::default()
            };
            world.once(Ask::Fetch, LocalEvent::StoreFailed { shard: 0, trouble });
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
            let mut versions = variant("x", 1, 1.0).versions;
            versions.tokenizer = "0".into();
            world.once(Ask::Load, LocalEvent::Loaded { versions });
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
