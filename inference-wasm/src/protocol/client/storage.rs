//! What a page reports about weights in the browser's storage.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use super::model::Versions;

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

/// What storage has of one variant.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Stored {
    /// The versions that were written with it; `None` where the note is gone.
    pub versions: Option<Versions>,
    /// Shards by their place in the manifest.
    #[serde(deserialize_with = "by_place")]
    pub shards: BTreeMap<u32, StoredShard>,
}

/// Keys of a JSON object are text, and within an enum by tag serde leaves them so.
fn by_place<'de, D: Deserializer<'de>>(map: D) -> Result<BTreeMap<u32, StoredShard>, D::Error> {
    let shards = BTreeMap::<String, StoredShard>::deserialize(map)?;
    let numbered = shards.into_iter().map(|(key, shard)| Ok((key.parse()?, shard)));
    numbered.collect::<Result<_, std::num::ParseIntError>>().map_err(D::Error::custom)
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
