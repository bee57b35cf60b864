//! Reports of a page about weights in the browser's storage.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use super::model::Versions;

/// Where shards can be stored, best first.
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
    /// In memory until the page ends.
    Memory,
}

/// The stored parts of one variant.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Stored {
    /// Their versions; `None` if the note of them is missing.
    pub versions: Option<Versions>,
    /// Shards by index in the manifest.
    #[serde(deserialize_with = "by_index")]
    pub shards: BTreeMap<u32, StoredShard>,
}

/// Parses the keys: inside an internally tagged enum, serde leaves them as text.
fn by_index<'de, D: Deserializer<'de>>(map: D) -> Result<BTreeMap<u32, StoredShard>, D::Error> {
    let shards = BTreeMap::<String, StoredShard>::deserialize(map)?;
    let numbered = shards.into_iter().map(|(key, shard)| Ok((key.parse()?, shard)));
    numbered.collect::<Result<_, std::num::ParseIntError>>().map_err(D::Error::custom)
}

/// One stored shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StoredShard {
    /// Bytes that are stored.
    pub bytes: u64,
    /// The hash in the manifest when it was stored.
    pub sha256: String,
    /// Its bytes were hashed during this visit and matched.
    pub is_verified: bool,
}

/// An error of the browser when storing a shard.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct StorageTrouble {
    /// The error's `name`; Firefox's IndexedDB has none.
    pub name: Option<String>,
    /// The error's message.
    pub message: String,
    /// Bytes that were written, if the call reported them.
    pub written_bytes: Option<u64>,
    /// Bytes that were to be written.
    pub wanted_bytes: u64,
}
