//! The models that a device can be given.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
