//! Model variants, and their weights in the browser's storage.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use super::tier::DeviceTier;
use crate::protocol::execution::BackendName;
use crate::protocol::request::ModelManifest;

/// A model variant: one quantization of one model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelVariant {
    /// Id, unique in a registry.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Number of weights.
    pub parameters: u64,
    /// Type of most weights by its GGUF name: `Q4_0`, `Q8_0`, `F16`.
    pub quantization: String,
    /// Positions that the model was trained with.
    pub context_window: u32,
    /// Its capabilities: `chat`, `code`, `classification`, …
    pub capabilities: Vec<String>,
    /// Memory that a page must be able to allocate, in GiB.
    pub min_ram_gib: f64,
    /// The lowest device tier that it is for.
    pub min_device_tier: DeviceTier,
    /// Backends that it was verified on.
    pub backends: Vec<BackendName>,
    /// WebGPU features that it needs on that backend, such as `shader-f16`.
    #[serde(default)]
    pub webgpu_features: Vec<String>,
    /// Versions of its parts.
    pub versions: Versions,
    /// The model file, in shards with hashes.
    pub file: ModelManifest,
}

/// Versions that belong together: weights only run with their own tokenizer and template.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct Versions {
    /// Version of the weights.
    pub weights: String,
    /// Version of the tokenizer.
    pub tokenizer: String,
    /// Version of the prompt template.
    pub prompt_template: String,
}

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
