//! What to do with weights that a visit before may have left.
//!
//! Purely the decisions: [`plan`] compares the manifest with what storage says it has, and
//! [`StorageTrouble::reason`] tells what a browser means by its error. Reading, hashing and
//! writing are done by the page, which reports back.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::registry::{ModelVariant, Versions};
use crate::protocol::StorageReport;

/// Where shards can lie, from the first choice to the last.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// The origin private file system.
    Opfs,
    /// Cache Storage.
    CacheStorage,
    /// IndexedDB.
    IndexedDb,
    /// Nowhere: in memory until the page ends.
    Memory,
}

/// The places that a browser really has, in order; memory is always the last.
pub fn places(storage: &StorageReport) -> Vec<Place> {
    let offered = [
        (storage.opfs, Place::Opfs),
        (storage.cache, Place::CacheStorage),
        (storage.indexed_db, Place::IndexedDb),
        (true, Place::Memory),
    ];
    offered.into_iter().filter(|(is_there, _)| *is_there).map(|(_, place)| place).collect()
}

/// What storage has of one variant.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Stored {
    /// The versions that were written with it; `None` where the note is gone.
    pub versions: Option<Versions>,
    /// Shards by their place in the manifest.
    pub shards: BTreeMap<u32, StoredShard>,
}

/// One stored shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StoredShard {
    /// Bytes that are there.
    pub bytes: u64,
    /// The hash that it was stored under, from the manifest of that time.
    pub sha256: String,
    /// Its bytes have been hashed in this visit, and are right.
    pub is_verified: bool,
}

/// What to do about one shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum ShardPlan {
    /// It is there, and its hash has been checked.
    Reuse,
    /// It is all there; its hash must be checked before it is used.
    Verify,
    /// Its first bytes are there; the rest is fetched, and the whole is hashed.
    Resume {
        /// The first byte to ask for.
        from: u64,
    },
    /// Nothing of it can be used.
    Fetch {
        /// Why.
        because: FetchReason,
    },
}

/// Why a shard is fetched whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FetchReason {
    /// It is not there: a first visit, or evicted.
    Absent,
    /// More bytes than it should have: something else is stored in its place.
    WrongLength,
    /// It is of another manifest.
    OtherHash,
    /// The stored weights, tokenizer or template are of another version.
    VersionSkew,
}

/// What to do about a variant's weights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CachePlan {
    /// For each shard, in the manifest's order.
    pub shards: Vec<ShardPlan>,
    /// Everything that is stored must go first: it is of another version.
    pub discard: bool,
    /// Where new bytes are written.
    pub place: Place,
    /// Bytes to fetch.
    pub fetch_bytes: u64,
    /// Bytes of the variant.
    pub total_bytes: u64,
}

impl CachePlan {
    /// The share of bytes that need not be fetched, 0 to 1.
    pub fn hit_rate(&self) -> f64 {
        if self.total_bytes == 0 {
            return 0.0;
        }
        1.0 - self.fetch_bytes as f64 / self.total_bytes as f64
    }
}

/// Decides about every shard.
///
/// Weights whose tokenizer or template is of another version are of no use however right their
/// own bytes are: all of it goes.
pub fn plan(
    variant: &ModelVariant,
    stored: &Stored,
    storage: &StorageReport,
    memory_only: bool,
) -> CachePlan {
    let total_bytes = variant.file.bytes;
    // Written before bytes were: shards without it are of a writer that did not finish its note.
    let is_skewed =
        !stored.shards.is_empty() && stored.versions.as_ref() != Some(&variant.versions);
    let mut fetch_bytes = 0;
    let shards = variant.file.shards.iter().zip(0..).map(|(shard, index)| {
        let fetch = |because| ShardPlan::Fetch { because };
        let step = match stored.shards.get(&index) {
            None => fetch(FetchReason::Absent),
            Some(_) if is_skewed => fetch(FetchReason::VersionSkew),
            Some(found) if found.sha256 != shard.sha256 => fetch(FetchReason::OtherHash),
            Some(found) if found.bytes > shard.bytes => fetch(FetchReason::WrongLength),
            Some(found) if found.bytes == 0 => fetch(FetchReason::Absent),
            Some(found) if found.bytes < shard.bytes => ShardPlan::Resume { from: found.bytes },
            Some(found) if found.is_verified => ShardPlan::Reuse,
            Some(_) => ShardPlan::Verify,
        };
        fetch_bytes += match step {
            ShardPlan::Reuse | ShardPlan::Verify => 0,
            ShardPlan::Resume { from } => shard.bytes - from,
            ShardPlan::Fetch { .. } => shard.bytes,
        };
        step
    });
    let shards = shards.collect();
    let place = places(storage).into_iter().find(|place| !memory_only || *place == Place::Memory);
    CachePlan {
        shards,
        discard: is_skewed,
        place: fit(place.unwrap_or(Place::Memory), fetch_bytes, storage),
        fetch_bytes,
        total_bytes,
    }
}

/// The place, or memory where the quota is known to be too small for what is to be written.
fn fit(place: Place, bytes: u64, storage: &StorageReport) -> Place {
    match storage.quota_bytes {
        Some(quota) if quota < bytes as f64 => Place::Memory,
        _ => place,
    }
}

/// How a browser refused to store something.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct StorageTrouble {
    /// The error's `name`; Firefox's IndexedDB gives none.
    pub name: Option<String>,
    /// The error's message.
    pub message: String,
    /// Bytes that were written, where the call said.
    pub written_bytes: Option<u64>,
    /// Bytes that should have been.
    pub wanted_bytes: u64,
}

/// What a refusal to store comes to.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum StorageReason {
    /// No room, for the origin or on the disk.
    QuotaExceeded,
    /// The user or a policy says no.
    Denied,
    /// The API is not there, or does not work here.
    Unavailable,
    /// What was being written or read has gone.
    Evicted,
    /// None of those.
    Other,
}

impl StorageTrouble {
    /// Names and messages differ from browser to browser, and so does whether there is an error:
    ///
    /// - Chromium rejects with `QuotaExceededError` everywhere.
    /// - Firefox writes fewer bytes than asked through a sync handle and throws nothing, rejects
    ///   `Cache.put` with `NS_ERROR_FILE_NO_DEVICE_SPACE`, and gives IndexedDB's error no name.
    /// - WebKit has OPFS that ends in `UnknownError`.
    pub fn reason(&self) -> StorageReason {
        if self.written_bytes.is_some_and(|written| written < self.wanted_bytes) {
            return StorageReason::QuotaExceeded;
        }
        let name = self.name.as_deref().unwrap_or_default();
        let text = format!("{name} {}", self.message).to_ascii_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
        if says(&["quota", "no_device_space", "no space", "disk full", "disk is full"]) {
            return StorageReason::QuotaExceeded;
        }
        match name {
            "SecurityError" | "NotAllowedError" => StorageReason::Denied,
            "NotFoundError" | "InvalidStateError" => StorageReason::Evicted,
            "UnknownError" | "NotSupportedError" | "TypeError" => StorageReason::Unavailable,
            // A transaction of IndexedDB that is aborted without a word is out of room.
            "AbortError" | "" if self.message.is_empty() && self.wanted_bytes > 0 => {
                StorageReason::QuotaExceeded
            }
            _ => StorageReason::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::fixtures::variant;

    fn storage() -> StorageReport {
        StorageReport { opfs: true, cache: true, indexed_db: true, ..StorageReport::default() }
    }

    /// Everything there, and checked.
    fn full(variant: &ModelVariant) -> Stored {
        let shards = variant.file.shards.iter().zip(0..).map(|(shard, index)| {
            (
                index,
                StoredShard { bytes: shard.bytes, sha256: shard.sha256.clone(), is_verified: true },
            )
        });
        Stored { versions: Some(variant.versions.clone()), shards: shards.collect() }
    }

    #[test]
    fn each_shard_gets_what_it_needs() {
        type Change = fn(&mut Stored);
        let variant = variant("v", 1, 1.0);
        let absent = ShardPlan::Fetch { because: FetchReason::Absent };
        let shard_bytes = variant.file.shards[1].bytes;
        let table: [(&str, Change, ShardPlan, u64); 8] = [
            ("all there", |_| {}, ShardPlan::Reuse, 0),
            (
                "not hashed",
                |s| s.shards.get_mut(&1).unwrap().is_verified = false,
                ShardPlan::Verify,
                0,
            ),
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
            // Cut off and of another manifest: its first bytes are of no use.
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
        assert!(
            !plan(&variant, &Stored::default(), &storage(), false).discard,
            "nothing to discard"
        );
    }

    #[test]
    fn hits_are_counted_in_bytes() {
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
    fn bytes_go_where_the_browser_really_has_a_place() {
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
    fn refusals_of_each_browser_are_recognised() {
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
}
