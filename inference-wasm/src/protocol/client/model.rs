//! The models that a device can be given.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::tier::DeviceTier;
use crate::protocol::execution::BackendName;
use crate::protocol::request::ModelManifest;

/// A model as a device can be given it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelVariant {
    /// Unique in a registry.
    pub id: String,
    /// For people.
    pub name: String,
    /// Number of weights.
    pub parameters: u64,
    /// Type of most weights, as GGUF names it: `Q4_0`, `Q8_0`, `F16`.
    pub quantization: String,
    /// Positions that the model was trained for.
    pub context_window: u32,
    /// What it is good for: `chat`, `code`, `classification`, …
    pub capabilities: Vec<String>,
    /// The least memory that a page must be able to take, in GiB.
    pub min_ram_gib: f64,
    /// The weakest device that it is for.
    pub min_device_tier: DeviceTier,
    /// Backends that it was verified on.
    pub backends: Vec<BackendName>,
    /// Features of WebGPU that it needs there, such as `shader-f16`.
    #[serde(default)]
    pub webgpu_features: Vec<String>,
    /// What belongs together.
    pub versions: Versions,
    /// The file, in shards with their hashes.
    pub file: ModelManifest,
}

/// Versions that only make sense together: weights never run with another template than theirs.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct Versions {
    /// Of the weights.
    pub weights: String,
    /// Of the tokenizer.
    pub tokenizer: String,
    /// Of the prompt template.
    pub prompt_template: String,
}
