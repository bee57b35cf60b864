//! Which models there are for a page, and which of them suits a device.
//!
//! A [`ModelVariant`] is one quantization of one model, with all that a device must have for it.
//! [`choose`] takes the best that fits and says of every other one why not; it is a function of
//! its arguments and depends on no order. Fetching is not its business.

use std::collections::BTreeSet;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::tier::classify;
use crate::protocol::client::{Capabilities, DeviceTier, Tier};
pub use crate::protocol::client::{ModelVariant, Versions};

/// What a variant is wanted for.
#[derive(Debug, Clone, PartialEq)]
pub struct Need<'a> {
    /// Where it is to run; not the server, which has models of its own.
    pub tier: Tier,
    /// On what.
    pub device: &'a Capabilities,
    /// What it must be good for; `None` for anything.
    pub capability: Option<&'a str>,
    /// Positions that it must hold.
    pub context_tokens: u32,
    /// The most bytes that may be fetched for it.
    pub max_bytes: u64,
    /// Variants that have failed for good.
    pub excluded: &'a BTreeSet<String>,
    /// The variant of an experiment's arm, before all others if it fits.
    pub preferred: Option<&'a str>,
}

/// Why a variant is not the one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "why", rename_all = "kebab-case")]
pub enum Rejection {
    /// It is not verified on this backend.
    Backend,
    /// The adapter lacks a feature.
    Feature {
        /// Its name.
        missing: String,
    },
    /// The device is too weak.
    DeviceTier {
        /// What it is for.
        needs: DeviceTier,
        /// What there is.
        has: DeviceTier,
    },
    /// Too little memory.
    Memory {
        /// GiB.
        needs_gib: f64,
        /// GiB.
        has_gib: f64,
    },
    /// It is not good for what is wanted.
    Capability {
        /// What it lacks.
        missing: String,
    },
    /// Its context is too short.
    Context {
        /// Tokens.
        needs: u32,
        /// Tokens.
        has: u32,
    },
    /// It is larger than may be fetched.
    Bytes {
        /// Bytes.
        needs: u64,
        /// Bytes.
        allowed: u64,
    },
    /// It has failed on this device.
    Excluded,
    /// It fits, and another one is better.
    Outranked,
}

/// A variant that was not chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rejected {
    /// Which.
    pub id: String,
    /// All reasons, not the first alone.
    pub reasons: Vec<Rejection>,
}

/// What came of choosing.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice<'a> {
    /// The best that fits.
    pub variant: Option<&'a ModelVariant>,
    /// All others, by id.
    pub rejected: Vec<Rejected>,
}

/// Chooses the variant with the most parameters that fits; among equals the larger file, which is
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
    // On the CPU a device is as good as no GPU at all, however good its GPU is.
    let has = if need.tier == Tier::Wasm { DeviceTier::NoGpu } else { device_tier };
    if has < variant.min_device_tier {
        reasons.push(Rejection::DeviceTier { needs: variant.min_device_tier, has });
    }
    let has_gib = need.device.memory_budget_gib();
    // A minimum that is no number rejects, too.
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

/// An error in a registry: which variant, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct RegistryError {
    /// Id of the variant, or its place where it has none.
    pub variant: String,
    /// What was expected and what was found.
    pub message: String,
}

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "variant `{}`: {}", self.variant, self.message)
    }
}

/// Checks a registry; every error at once.
pub fn validate(registry: &[ModelVariant]) -> Result<(), Vec<RegistryError>> {
    let mut errors = Vec::new();
    let mut ids = BTreeSet::new();
    for (place, variant) in registry.iter().enumerate() {
        let name = if variant.id.is_empty() { format!("#{place}") } else { variant.id.clone() };
        let mut messages = problems(variant);
        if !ids.insert(variant.id.as_str()) {
            messages.push("expected an id of its own, found one that stands twice".into());
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
        expect(is_in_page, format!("expected a backend of a page, found `{backend}`"));
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
