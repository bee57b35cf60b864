//! Decisions about weights that an earlier visit may have stored.
//!
//! [`plan`] compares the manifest with the stored shards, and [`StorageTrouble::reason`] interprets
//! a browser's error. The page reads, hashes and writes, and reports back.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::StorageReport;
use crate::protocol::client::ModelVariant;
pub use crate::protocol::client::{Place, StorageTrouble, Stored, StoredShard};

/// The places that a browser has, best first; memory is always the last.
pub fn places(storage: &StorageReport) -> Vec<Place> {
    let offered = [
        (storage.opfs, Place::Opfs),
        (storage.cache, Place::CacheStorage),
        (storage.indexed_db, Place::IndexedDb),
        (true, Place::Memory),
    ];
    offered.into_iter().filter(|(is_available, _)| *is_available).map(|(_, place)| place).collect()
}

/// The plan for one shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum ShardPlan {
    /// It is stored, and its hash was verified.
    Reuse,
    /// It is stored completely; its hash must be verified before use.
    Verify,
    /// Its beginning is stored; the rest is fetched, and the whole is hashed.
    Resume {
        /// The first byte to request.
        from: u64,
    },
    /// No stored byte can be used.
    Fetch {
        /// The reason.
        because: FetchReason,
    },
}

/// Why a whole shard is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FetchReason {
    /// It is not stored: a first visit, or evicted.
    Absent,
    /// It has too many bytes: something else is stored in its place.
    WrongLength,
    /// It belongs to another manifest.
    OtherHash,
    /// Stored weights, tokenizer or template have another version.
    VersionSkew,
}

/// The plan for a variant's weights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CachePlan {
    /// One plan per shard, in the manifest's order.
    pub shards: Vec<ShardPlan>,
    /// Everything stored must be deleted first: it has another version.
    pub discard: bool,
    /// Where fetched bytes are stored.
    pub place: Place,
    /// Bytes to fetch.
    pub fetch_bytes: u64,
    /// Bytes of the variant.
    pub total_bytes: u64,
}

impl CachePlan {
    /// The fraction of bytes that are not fetched, 0 to 1.
    pub fn hit_rate(&self) -> f64 {
        if self.total_bytes == 0 {
            return 0.0;
        }
        1.0 - self.fetch_bytes as f64 / self.total_bytes as f64
    }
}

/// Plans every shard of a variant.
///
/// Weights whose tokenizer or template has another version are useless even if their own bytes are
/// correct: all of them are discarded.
pub fn plan(
    variant: &ModelVariant,
    stored: &Stored,
    storage: &StorageReport,
    memory_only: bool,
) -> CachePlan {
    let total_bytes = variant.file.bytes;
    // The versions are written first: shards without them are left from an interrupted write.
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

/// The place, or memory if the quota is known to be too small.
fn fit(place: Place, bytes: u64, storage: &StorageReport) -> Place {
    match storage.quota_bytes {
        Some(quota) if quota < bytes as f64 => Place::Memory,
        _ => place,
    }
}

/// The meaning of a storage error.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum StorageReason {
    /// The quota of the origin or the disk is full.
    QuotaExceeded,
    /// The user or a policy denies it.
    Denied,
    /// The API is missing or does not work here.
    Unavailable,
    /// The entry that was written or read no longer exists.
    Evicted,
    /// Any other error.
    Other,
}

impl StorageTrouble {
    /// Interprets an error. Browsers differ in names and messages, and some report no error:
    ///
    /// - Chromium rejects with `QuotaExceededError` everywhere.
    /// - Firefox writes fewer bytes than requested through a sync handle without an error, rejects
    ///   `Cache.put` with `NS_ERROR_FILE_NO_DEVICE_SPACE`, and its IndexedDB error has no name.
    /// - WebKit has an OPFS that fails with `UnknownError`.
    pub fn reason(&self) -> StorageReason {
        if self.written_bytes.is_some_and(|written| written < self.wanted_bytes) {
            return StorageReason::QuotaExceeded;
        }
        let name = self.name.as_deref().unwrap_or_default();
        let text = format!("{name} {}", self.message).to_ascii_lowercase();
        let mentions = |words: &[&str]| words.iter().any(|word| text.contains(word));
        if mentions(&["quota", "no_device_space", "no space", "disk full", "disk is full"]) {
            return StorageReason::QuotaExceeded;
        }
        match name {
            "SecurityError" | "NotAllowedError" => StorageReason::Denied,
            "NotFoundError" | "InvalidStateError" => StorageReason::Evicted,
            "UnknownError" | "NotSupportedError" | "TypeError" => StorageReason::Unavailable,
            // IndexedDB aborts a transaction without a message if the quota is full.
            "AbortError" | "" if self.message.is_empty() && self.wanted_bytes > 0 => {
                StorageReason::QuotaExceeded
            }
            _ => StorageReason::Other,
        }
    }
}

#[cfg(test)]
mod tests;
