//! What users, operators and authors say about where a request is answered.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who decides where requests go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Preference {
    /// The router does.
    #[default]
    Auto,
    /// In the browser wherever it can; policy on complexity and battery is set aside.
    Always,
    /// On the server; nothing is fetched or computed here.
    Never,
}

/// How hard a request is, as its author says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Complexity {
    /// Not said: told by lengths.
    #[default]
    Auto,
    /// A classification, a completion, a short answer.
    Simple,
    /// A paragraph.
    Medium,
    /// Reasoning over much text.
    Complex,
}

/// What the operator decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RouterConfig {
    /// Browsers are used at all.
    pub enable_browser_inference: bool,
    /// The most bytes that a page may fetch for a model.
    pub max_browser_model_size_bytes: u64,
    /// Features whose requests stay in the browser however long they are.
    pub prefer_browser_for: Vec<String>,
    /// A prompt of more characters is complex: 2000.
    pub complex_prompt_length: u32,
    /// More tokens to generate are complex: 500.
    pub complex_max_tokens: u32,
    /// The least memory that a page must be able to take, in GiB: 0.5.
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
