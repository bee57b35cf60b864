use std::collections::BTreeMap;

use super::*;
use crate::client::fixtures::variant;
use crate::protocol::client::{Input, LocalEvent, Versions};

fn storage() -> StorageReport {
    StorageReport { opfs: true, cache: true, indexed_db: true, ..StorageReport::default() }
}

/// Storage with every shard, all verified.
fn full(variant: &ModelVariant) -> Stored {
    let shards = variant.file.shards.iter().zip(0..).map(|(shard, index)| {
        (index, StoredShard { bytes: shard.bytes, sha256: shard.sha256.clone(), is_verified: true })
    });
    Stored { versions: Some(variant.versions.clone()), shards: shards.collect() }
}

#[test]
fn each_shard_is_planned_by_its_stored_state() {
    type Change = fn(&mut Stored);
    let variant = variant("v", 1, 1.0);
    let absent = ShardPlan::Fetch { because: FetchReason::Absent };
    let shard_bytes = variant.file.shards[1].bytes;
    let table: [(&str, Change, ShardPlan, u64); 8] = [
        ("stored", |_| {}, ShardPlan::Reuse, 0),
        ("not hashed", |s| s.shards.get_mut(&1).unwrap().is_verified = false, ShardPlan::Verify, 0),
        ("evicted", |s| drop(s.shards.remove(&1)), absent, shard_bytes),
        (
            "cut off",
            |s| s.shards.get_mut(&1).unwrap().bytes = 40,
            ShardPlan::Resume { from: 40 },
            shard_bytes - 40,
        ),
        ("nothing written", |s| s.shards.get_mut(&1).unwrap().bytes = 0, absent, shard_bytes),
        (
            "too long",
            |s| s.shards.get_mut(&1).unwrap().bytes += 1,
            ShardPlan::Fetch { because: FetchReason::WrongLength },
            shard_bytes,
        ),
        (
            "of another manifest",
            |s| s.shards.get_mut(&1).unwrap().sha256 = "0".repeat(64),
            ShardPlan::Fetch { because: FetchReason::OtherHash },
            shard_bytes,
        ),
        // Cut off and of another manifest: its first bytes are useless.
        (
            "both",
            |s| {
                let shard = s.shards.get_mut(&1).unwrap();
                (shard.bytes, shard.sha256) = (40, "0".repeat(64));
            },
            ShardPlan::Fetch { because: FetchReason::OtherHash },
            shard_bytes,
        ),
    ];
    for (name, change, expected, fetch_bytes) in table {
        let mut stored = full(&variant);
        change(&mut stored);
        let plan = plan(&variant, &stored, &storage(), false);
        assert_eq!(plan.shards[1], expected, "{name}");
        assert_eq!(
            (plan.shards[0], plan.shards[2]),
            (ShardPlan::Reuse, ShardPlan::Reuse),
            "{name}"
        );
        assert_eq!(plan.fetch_bytes, fetch_bytes, "{name}");
        assert!(!plan.discard, "{name}");
    }
}

#[test]
fn another_version_of_anything_discards_everything() {
    let variant = variant("v", 1, 1.0);
    let changes: [fn(&mut Versions); 3] = [
        |versions| versions.weights.push('x'),
        |versions| versions.tokenizer.push('x'),
        |versions| versions.prompt_template.push('x'),
    ];
    for change in changes {
        let mut stored = full(&variant);
        change(stored.versions.as_mut().unwrap());
        let plan = plan(&variant, &stored, &storage(), false);
        assert!(plan.discard);
        assert_eq!(plan.fetch_bytes, variant.file.bytes);
        let skew = ShardPlan::Fetch { because: FetchReason::VersionSkew };
        assert!(plan.shards.iter().all(|shard| *shard == skew));
    }
    let unsigned = Stored { versions: None, ..full(&variant) };
    assert!(plan(&variant, &unsigned, &storage(), false).discard);
    assert!(!plan(&variant, &Stored::default(), &storage(), false).discard, "nothing to discard");
}

#[test]
fn the_hit_rate_counts_bytes() {
    let variant = variant("v", 1, 1.0);
    let rate = |stored: &Stored| plan(&variant, stored, &storage(), false).hit_rate();
    assert!((rate(&full(&variant)) - 1.0).abs() < 1e-9);
    assert!(rate(&Stored::default()).abs() < 1e-9);
    let mut part = full(&variant);
    part.shards.remove(&0);
    let expected = 1.0 - variant.file.shards[0].bytes as f64 / variant.file.bytes as f64;
    assert!((rate(&part) - expected).abs() < 1e-9);
}

#[test]
fn shards_go_to_the_best_place_that_has_room() {
    let variant = variant("v", 1, 1.0);
    let place = |storage: &StorageReport, memory_only| {
        plan(&variant, &Stored::default(), storage, memory_only).place
    };
    assert_eq!(place(&storage(), false), Place::Opfs);
    assert_eq!(place(&StorageReport { opfs: false, ..storage() }, false), Place::CacheStorage);
    assert_eq!(place(&StorageReport::default(), false), Place::Memory);
    assert_eq!(place(&storage(), true), Place::Memory);
    let small = StorageReport { quota_bytes: Some(10.0), ..storage() };
    assert_eq!(place(&small, false), Place::Memory);
}

#[test]
fn the_storage_errors_of_each_browser_are_recognised() {
    let error = |name: &str, message: &str| StorageTrouble {
        name: (!name.is_empty()).then(|| name.into()),
        message: message.into(),
        written_bytes: None,
        wanted_bytes: 100,
    };
    let short = |written| StorageTrouble {
        written_bytes: Some(written),
        wanted_bytes: 100,
        ..StorageTrouble::default()
    };
    for (trouble, reason) in [
        (
            error(
                "QuotaExceededError",
                "The operation failed because it would cause the application to exceed its storage quota.",
            ),
            StorageReason::QuotaExceeded,
        ),
        (error("NS_ERROR_FILE_NO_DEVICE_SPACE", ""), StorageReason::QuotaExceeded),
        (
            error("Error", "NS_ERROR_FILE_NO_DEVICE_SPACE: Component returned failure code"),
            StorageReason::QuotaExceeded,
        ),
        (error("", ""), StorageReason::QuotaExceeded),
        (short(0), StorageReason::QuotaExceeded),
        (short(99), StorageReason::QuotaExceeded),
        (error("AbortError", ""), StorageReason::QuotaExceeded),
        (error("AbortError", "the user aborted a request"), StorageReason::Other),
        (error("SecurityError", "storage is blocked"), StorageReason::Denied),
        (error("UnknownError", "An unknown error occurred"), StorageReason::Unavailable),
        (error("TypeError", "navigator.storage is undefined"), StorageReason::Unavailable),
        (error("NotFoundError", "A requested file could not be found"), StorageReason::Evicted),
        (error("DataError", "odd"), StorageReason::Other),
    ] {
        assert_eq!(trouble.reason(), reason, "{trouble:?}");
    }
}

/// The page reports storage to the machine as JSON, in an enum within an enum.
#[test]
fn stored_shards_round_trip_through_json() {
    let shard = StoredShard { bytes: 7, sha256: "ab".into(), is_verified: true };
    let stored =
        Stored { versions: None, shards: BTreeMap::from([(0, shard.clone()), (12, shard)]) };
    let event = LocalEvent::Inspected { stored };
    let input = Input::Local { generation: 3, event };
    let json = serde_json::to_string(&input).unwrap();
    assert_eq!(serde_json::from_str::<Input>(&json).unwrap(), input);
    assert!(serde_json::from_str::<Input>(&json.replace("\"12\"", "\"twelve\"")).is_err());
}
