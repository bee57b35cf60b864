//! Settings of users, operators and authors that decide where a request is answered.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The user's preference between browser and server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Preference {
    /// The router decides.
    #[default]
    Auto,
    /// In the browser if possible, regardless of complexity and battery.
    Always,
    /// On the server; the device fetches and computes nothing.
    Never,
}

/// The complexity of a request, as declared by its author.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Complexity {
    /// Not declared: estimated from lengths.
    #[default]
    Auto,
    /// A classification, a completion, a short answer.
    Simple,
    /// A paragraph.
    Medium,
    /// Reasoning over a long text.
    Complex,
}

/// The operator's settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RouterConfig {
    /// Inference in the browser is enabled.
    pub enable_browser_inference: bool,
    /// Maximum size of a model that a page may fetch, in bytes.
    pub max_browser_model_size_bytes: u64,
    /// Features whose requests stay in the browser regardless of complexity.
    pub prefer_browser_for: Vec<String>,
    /// A longer prompt is complex: 2000 characters.
    pub complex_prompt_length: u32,
    /// A request for more tokens is complex: 500.
    pub complex_max_tokens: u32,
    /// Memory that a page must be able to allocate, in GiB: 0.5.
    pub min_ram_gib: f64,
}

impl Default for RouterConfig {
    fn default() -> Self {
        Self {
            enable_browser_inference: true,
            max_browser_model_size_bytes: 4 << 30,
            prefer_browser_for: Vec::new(),
            complex_prompt_length: 2000,
            complex_max_tokens: 500,
            min_ram_gib: 0.5,
        }
    }
}
