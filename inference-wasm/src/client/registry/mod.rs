//! The registry of models, and the choice of one for a device.
//!
//! A [`ModelVariant`] is one quantization of one model, with its requirements. [`choose`] takes the
//! best variant that fits and gives the reasons against every other one. The result does not
//! depend on the order of the registry.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::tier::classify;
use crate::protocol::client::{Capabilities, DeviceTier, Tier};
pub use crate::protocol::client::{ModelVariant, Versions};

/// The requirements on a variant.
#[derive(Debug, Clone, PartialEq)]
pub struct Need<'a> {
    /// The tier that it is to run on; not the server, which has models of its own.
    pub tier: Tier,
    /// The device that it is to run on.
    pub device: &'a Capabilities,
    /// The capability that it must have; `None` for any.
    pub capability: Option<&'a str>,
    /// Positions that its context must have.
    pub context_tokens: u32,
    /// Maximum size of its file, in bytes.
    pub max_bytes: u64,
    /// Variants that have failed on this device.
    pub excluded: &'a BTreeSet<String>,
    /// The variant of an experiment's arm, which is chosen if it fits.
    pub preferred: Option<&'a str>,
}

/// A reason against a variant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "why", rename_all = "kebab-case")]
pub enum Rejection {
    /// It was not verified on this backend.
    Backend,
    /// The adapter lacks a feature.
    Feature {
        /// The feature.
        missing: String,
    },
    /// The device tier is too low.
    DeviceTier {
        /// The required tier.
        needs: DeviceTier,
        /// The device's tier.
        has: DeviceTier,
    },
    /// Too little memory.
    Memory {
        /// Required memory in GiB.
        needs_gib: f64,
        /// Available memory in GiB.
        has_gib: f64,
    },
    /// It lacks a capability.
    Capability {
        /// The capability.
        missing: String,
    },
    /// Its context is too short.
    Context {
        /// Required tokens.
        needs: u32,
        /// Tokens of its context.
        has: u32,
    },
    /// It is larger than the limit.
    Bytes {
        /// Its size in bytes.
        needs: u64,
        /// The limit in bytes.
        allowed: u64,
    },
    /// It has failed on this device.
    Excluded,
    /// It fits, but another one is better.
    Outranked,
}

/// A variant that was not chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rejected {
    /// Its id.
    pub id: String,
    /// All reasons against it.
    pub reasons: Vec<Rejection>,
}

/// The result of choosing.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice<'a> {
    /// The best variant that fits.
    pub variant: Option<&'a ModelVariant>,
    /// All others, sorted by id.
    pub rejected: Vec<Rejected>,
}

/// Chooses the fitting variant with the most parameters; among equals the larger file, which has
/// the finer quantization, and then the lower id.
pub fn choose<'a>(registry: &'a [ModelVariant], need: &Need<'_>) -> Choice<'a> {
    let device_tier = classify(need.device).tier;
    let mut rejected = Vec::new();
    let mut fitting = Vec::new();
    for variant in registry {
        let reasons = rejections(variant, need, device_tier);
        if reasons.is_empty() {
            fitting.push(variant);
        } else {
            rejected.push(Rejected { id: variant.id.clone(), reasons });
        }
    }
    let best = fitting.iter().copied().max_by(|a, b| {
        let rank = |variant: &ModelVariant| {
            (need.preferred == Some(variant.id.as_str()), variant.parameters, variant.file.bytes)
        };
        rank(a).cmp(&rank(b)).then_with(|| b.id.cmp(&a.id))
    });
    let others = fitting.iter().filter(|variant| best.is_none_or(|best| best.id != variant.id));
    rejected.extend(
        others.map(|variant| Rejected {
            id: variant.id.clone(),
            reasons: vec![Rejection::Outranked],
        }),
    );
    rejected.sort_by(|a, b| a.id.cmp(&b.id));
    Choice { variant: best, rejected }
}

fn rejections(variant: &ModelVariant, need: &Need<'_>, device_tier: DeviceTier) -> Vec<Rejection> {
    let mut reasons = Vec::new();
    if !need.tier.backend().is_some_and(|backend| variant.backends.contains(&backend)) {
        reasons.push(Rejection::Backend);
    }
    if need.tier == Tier::Webgpu {
        let missing = variant.webgpu_features.iter().filter(|name| !need.device.has_feature(name));
        reasons.extend(missing.map(|name| Rejection::Feature { missing: name.clone() }));
    }
    // On the CPU, the GPU does not count.
    let has = if need.tier == Tier::Wasm { DeviceTier::NoGpu } else { device_tier };
    if has < variant.min_device_tier {
        reasons.push(Rejection::DeviceTier { needs: variant.min_device_tier, has });
    }
    let has_gib = need.device.memory_budget_gib();
    // A minimum of NaN rejects, too.
    if variant.min_ram_gib.is_nan() || variant.min_ram_gib > has_gib {
        reasons.push(Rejection::Memory { needs_gib: variant.min_ram_gib, has_gib });
    }
    if let Some(wanted) = need.capability
        && !variant.capabilities.iter().any(|name| name == wanted)
    {
        reasons.push(Rejection::Capability { missing: wanted.into() });
    }
    if variant.context_window < need.context_tokens {
        reasons
            .push(Rejection::Context { needs: need.context_tokens, has: variant.context_window });
    }
    if variant.file.bytes > need.max_bytes {
        reasons.push(Rejection::Bytes { needs: variant.file.bytes, allowed: need.max_bytes });
    }
    if need.excluded.contains(&variant.id) {
        reasons.push(Rejection::Excluded);
    }
    reasons
}

/// An error in a registry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("variant `{variant}`: {message}")]
pub struct RegistryError {
    /// Id of the variant, or its index if it has no id.
    pub variant: String,
    /// What was expected and found.
    pub message: String,
}

/// Validates a registry.
///
/// # Errors
///
/// Every error of every variant.
pub fn validate(registry: &[ModelVariant]) -> Result<(), Vec<RegistryError>> {
    let mut errors = Vec::new();
    let mut ids = BTreeSet::new();
    for (index, variant) in registry.iter().enumerate() {
        let name = if variant.id.is_empty() { format!("#{index}") } else { variant.id.clone() };
        let mut messages = problems(variant);
        if !ids.insert(variant.id.as_str()) {
            messages.push("expected a unique id, found a duplicate".into());
        }
        errors.extend(
            messages.into_iter().map(|message| RegistryError { variant: name.clone(), message }),
        );
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

fn problems(variant: &ModelVariant) -> Vec<String> {
    let mut problems = Vec::new();
    let file = &variant.file;
    let mut expect = |is_right: bool, message: String| {
        if !is_right {
            problems.push(message);
        }
    };
    expect(!variant.id.is_empty(), "expected an id, found none".into());
    expect(variant.parameters > 0, "expected parameters, found 0".into());
    expect(variant.context_window > 0, "expected a context window, found 0".into());
    expect(!variant.backends.is_empty(), "expected a backend, found none".into());
    for backend in &variant.backends {
        let is_in_page = Tier::CHAIN.iter().any(|tier| tier.backend() == Some(*backend));
        expect(is_in_page, format!("expected a backend that runs in a page, found `{backend}`"));
    }
    let Versions { weights, tokenizer, prompt_template } = &variant.versions;
    for (name, version) in
        [("weights", weights), ("tokenizer", tokenizer), ("prompt_template", prompt_template)]
    {
        expect(!version.is_empty(), format!("expected a version of `{name}`, found none"));
    }
    let weights_gib = file.bytes as f64 / (1024.0 * 1024.0 * 1024.0);
    let least = variant.min_ram_gib;
    expect(
        least.is_finite() && least >= weights_gib,
        format!("expected `min_ram_gib` to hold {weights_gib:.3} GiB of weights, found {least}"),
    );
    expect(is_sha256(&file.sha256), "expected 64 hex digits as the file's `sha256`".into());
    expect(!file.shards.is_empty(), "expected shards, found none".into());
    let sum = file.shards.iter().fold(0_u64, |sum, shard| sum.saturating_add(shard.bytes));
    expect(
        sum == file.bytes,
        format!("expected shards of {} bytes in all, found {sum}", file.bytes),
    );
    for (index, shard) in file.shards.iter().enumerate() {
        expect(shard.bytes > 0, format!("expected bytes in shard {index}, found 0"));
        expect(!shard.url.is_empty(), format!("expected a URL of shard {index}, found none"));
        expect(
            is_sha256(&shard.sha256),
            format!("expected 64 hex digits as the `sha256` of shard {index}"),
        );
    }
    problems
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests;
