//! What to do with weights that a visit before may have left.
//!
//! Purely the decisions: [`plan`] compares the manifest with what storage says it has, and
//! [`StorageTrouble::reason`] tells what a browser means by its error. Reading, hashing and
//! writing are done by the page, which reports back.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::StorageReport;
use crate::protocol::client::ModelVariant;
pub use crate::protocol::client::{Place, StorageTrouble, Stored, StoredShard};

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
mod tests;
