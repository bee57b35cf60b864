//! The keys of an architecture: read with their prefix, and every one accounted for.
//!
//! Strict on purpose: a key that this engine does not implement is an error unless its value has no
//! effect. A model run without it would silently answer wrongly.
//!
//! Key names: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md#llm> and the constants of
//! the `gguf` package.

use super::architecture::Architecture;
use super::{FromValue, Metadata, ModelError};

/// The metadata of a file, by key names without the architecture's prefix.
#[derive(Clone, Copy)]
pub(super) struct Keys<'k, 'a> {
    metadata: &'k Metadata<'a>,
    pub(super) architecture: &'static Architecture,
}

/// Implemented for every architecture.
const FOLLOWED: [&str; 22] = [
    "context_length",
    "embedding_length",
    "block_count",
    "feed_forward_length",
    "vocab_size",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.value_length",
    "attention.layer_norm_rms_epsilon",
    "rope.dimension_count",
    "rope.freq_base",
    "rope.scale_linear",
    "rope.scaling.type",
    "rope.scaling.factor",
    "rope.scaling.attn_factor",
    "rope.scaling.original_context_length",
    "rope.scaling.yarn_attn_factor",
    "rope.scaling.yarn_beta_fast",
    "rope.scaling.yarn_beta_slow",
    // These describe how the weights were made.
    "tensor_data_layout",
    "rope.scaling.finetuned",
];

/// Without effect at this value, as an integer, a float or a bool.
const NEUTRAL: [(&str, f64); 6] = [
    ("expert_count", 0.0),
    ("expert_used_count", 0.0),
    ("pooling_type", 0.0),
    ("attention.causal", 1.0),
    ("rope.scaling.yarn_ext_factor", 1.0),
    ("rope.scaling.yarn_log_multiplier", 0.0),
];

impl<'k, 'a> Keys<'k, 'a> {
    /// Finds the architecture, and refuses every key with its prefix that is neither implemented
    /// nor without effect.
    pub(super) fn open(metadata: &'k Metadata<'a>) -> Result<Self, ModelError> {
        const KEY: &str = "general.architecture";
        let name: &str = metadata.require(KEY)?;
        let Some(architecture) = Architecture::of(name) else {
            return Err(ModelError::unsupported(
                format!("key `{KEY}`"),
                metadata.offset(KEY),
                format!("one of {}", Architecture::names()),
                format!("`{}`", name.escape_debug()),
            ));
        };
        let keys = Self { metadata, architecture };
        keys.check_all()?;
        Ok(keys)
    }

    fn check_all(self) -> Result<(), ModelError> {
        let Architecture { windows, caps, .. } = self.architecture;
        for full in self.metadata.keys() {
            let rest = full.strip_prefix(self.architecture.name);
            let Some(key) = rest.and_then(|rest| rest.strip_prefix('.')) else { continue };
            let is_followed = match key {
                "attention.sliding_window"
                | "attention.sliding_window_pattern"
                | "rope.freq_base_swa" => windows.is_some(),
                "attn_logit_softcapping" => caps.as_ref().is_some_and(|caps| caps.scores.is_some()),
                "final_logit_softcapping" => caps.is_some(),
                _ => FOLLOWED.contains(&key),
            };
            if is_followed {
                continue;
            }
            match NEUTRAL.iter().find(|(neutral, _)| *neutral == key) {
                Some((_, value)) if self.is(full, *value) => {}
                Some((_, value)) => return Err(self.unsupported(key, value.to_string())),
                None => {
                    let expected = "no such key, since this engine would not follow it";
                    return Err(self.unsupported(key, expected));
                }
            }
        }
        Ok(())
    }

    fn is(self, full: &str, value: f64) -> bool {
        let integer = self.metadata.get::<u32>(full).ok().flatten().map(f64::from);
        let float = self.metadata.get::<f32>(full).ok().flatten().map(f64::from);
        let bool =
            self.metadata.get::<bool>(full).ok().flatten().map(|bool| f64::from(u8::from(bool)));
        integer.or(float).or(bool) == Some(value)
    }

    fn full(self, key: &str) -> String {
        format!("{}.{key}", self.architecture.name)
    }

    pub(super) fn contains(self, key: &str) -> bool {
        self.metadata.contains(&self.full(key))
    }

    pub(super) fn get<T: FromValue<'a>>(self, key: &str) -> Result<Option<T>, ModelError> {
        self.metadata.get(&self.full(key))
    }

    /// A count of 1 or more; `None` if the key is absent.
    pub(super) fn count(self, key: &str) -> Result<Option<usize>, ModelError> {
        match self.get::<u32>(key)? {
            Some(0) => Err(self.wrong(key, "1 or more", 0)),
            count => Ok(count.map(|count| count as usize)),
        }
    }

    /// The same for a required key.
    pub(super) fn require_count(self, key: &str) -> Result<usize, ModelError> {
        self.metadata.require::<u32>(&self.full(key))?;
        Ok(self.count(key)?.unwrap_or_default())
    }

    /// A finite number above 0; `None` if the key is absent.
    pub(super) fn positive(self, key: &str) -> Result<Option<f32>, ModelError> {
        match self.get::<f32>(key)? {
            Some(value) if !(value.is_finite() && value > 0.0) => {
                Err(self.wrong(key, "a number above 0", value))
            }
            value => Ok(value),
        }
    }

    /// The same for a required key.
    pub(super) fn require_positive(self, key: &str) -> Result<f32, ModelError> {
        self.metadata.require::<f32>(&self.full(key))?;
        Ok(self.positive(key)?.unwrap_or_default())
    }

    /// The error of a file that contradicts itself.
    pub(super) fn wrong(
        self,
        key: &str,
        expected: impl Into<String>,
        found: impl std::fmt::Display,
    ) -> ModelError {
        let full = self.full(key);
        let offset = self.metadata.offset(&full);
        ModelError::broken(format!("key `{full}`"), offset, expected, found.to_string())
    }

    /// The error of a valid file that this engine can't run.
    pub(super) fn unsupported(self, key: &str, expected: impl Into<String>) -> ModelError {
        let full = self.full(key);
        let (offset, found) = (self.metadata.offset(&full), self.metadata.describe(&full));
        ModelError::unsupported(format!("key `{full}`"), offset, expected, found)
    }
}
