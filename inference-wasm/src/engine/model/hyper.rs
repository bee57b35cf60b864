//! The hyper-parameters of a `llama` model, read from `llama.*` keys and checked.
//!
//! Strict on purpose: a `llama.*` key that this engine does not follow is an error unless its
//! value changes nothing, since a model that is run without it would answer wrongly in silence.
//!
//! Key names: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md#llm>.

use super::{Gguf, Metadata, ModelError};

/// The architectures that [`transformer`](crate::engine::transformer) computes.
const ARCHITECTURES: [&str; 1] = ["llama"];

/// The numbers that a transformer is built from.
#[derive(Debug, Clone, PartialEq)]
pub struct HyperParameters {
    /// Positions that the model was trained on.
    pub context: usize,
    /// Size of the residual stream, in floats.
    pub width: usize,
    /// Number of layers.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; a divisor of `heads`.
    pub kv_heads: usize,
    /// Size of a head, in floats; even.
    pub head_size: usize,
    /// Size of the feed-forward's inner layer, in floats.
    pub ffn_width: usize,
    /// Number of tokens.
    pub vocabulary: usize,
    /// What RMS norm adds under the root.
    pub rms_epsilon: f32,
    /// Base of the rotary embedding's frequencies.
    pub rope_base: f32,
}

impl HyperParameters {
    /// Floats of all query heads of one position.
    pub fn query_width(&self) -> usize {
        self.heads * self.head_size
    }

    /// Floats of all key heads of one position, and of all value heads.
    pub fn kv_width(&self) -> usize {
        self.kv_heads * self.head_size
    }

    /// Reads the keys of `general.architecture` and checks that they go together.
    pub fn read(gguf: &Gguf<'_>) -> Result<Self, ModelError> {
        let keys = &gguf.metadata;
        check_architecture(keys)?;
        check_no_other_keys(keys)?;
        let width = positive(keys, "llama.embedding_length")?;
        let heads = positive(keys, "llama.attention.head_count")?;
        let kv_heads = if keys.contains(KV_HEADS) { positive(keys, KV_HEADS)? } else { heads };
        if heads % kv_heads != 0 {
            return Err(wrong(keys, KV_HEADS, format!("a divisor of {heads} heads"), kv_heads));
        }
        Ok(Self {
            context: positive(keys, "llama.context_length")?,
            width,
            layers: positive(keys, "llama.block_count")?,
            heads,
            kv_heads,
            head_size: head_size(keys, width, heads)?,
            ffn_width: positive(keys, "llama.feed_forward_length")?,
            vocabulary: vocabulary(gguf)?,
            rms_epsilon: positive_float(keys, "llama.attention.layer_norm_rms_epsilon", None)?,
            rope_base: positive_float(keys, "llama.rope.freq_base", Some(10_000.0))?,
        })
    }
}

const KV_HEADS: &str = "llama.attention.head_count_kv";

fn check_architecture(keys: &Metadata<'_>) -> Result<(), ModelError> {
    const KEY: &str = "general.architecture";
    let found: &str = keys.require(KEY)?;
    if ARCHITECTURES.contains(&found) {
        return Ok(());
    }
    let expected = format!("one of `{}`", ARCHITECTURES.join("`, `"));
    Err(ModelError::unsupported(
        format!("key `{KEY}`"),
        keys.offset(KEY),
        expected,
        format!("`{}`", found.escape_debug()),
    ))
}

/// Refuses every `llama.*` key that is neither followed nor without effect.
fn check_no_other_keys(keys: &Metadata<'_>) -> Result<(), ModelError> {
    for key in keys.keys().filter(|key| key.starts_with("llama.")) {
        let expected = match key {
            "llama.context_length"
            | "llama.embedding_length"
            | "llama.block_count"
            | "llama.feed_forward_length"
            | "llama.attention.head_count"
            | "llama.attention.head_count_kv"
            | "llama.attention.key_length"
            | "llama.attention.value_length"
            | "llama.attention.layer_norm_rms_epsilon"
            | "llama.rope.dimension_count"
            | "llama.rope.freq_base"
            | "llama.vocab_size"
            // Says where the weights came from; the GGUF layout of `llama` is the same for all.
            | "llama.tensor_data_layout" => continue,
            "llama.rope.scaling.type" if keys.get::<&str>(key)? == Some("none") => continue,
            "llama.rope.scaling.type" => "`none`",
            "llama.rope.scaling.factor" | "llama.rope.scale_linear"
                if keys.get::<f32>(key)? == Some(1.0) =>
            {
                continue;
            }
            "llama.rope.scaling.factor" | "llama.rope.scale_linear" => "1",
            "llama.expert_count" | "llama.expert_used_count"
                if keys.get::<u32>(key)? == Some(0) =>
            {
                continue;
            }
            "llama.expert_count" | "llama.expert_used_count" => "0",
            "llama.attention.causal" if keys.get::<bool>(key)? == Some(true) => continue,
            "llama.attention.causal" => "true",
            _ => "no such key, since this engine would not follow it",
        };
        return Err(ModelError::unsupported(
            format!("key `{key}`"),
            keys.offset(key),
            expected,
            keys.describe(key),
        ));
    }
    Ok(())
}

fn positive(keys: &Metadata<'_>, key: &str) -> Result<usize, ModelError> {
    let value: u32 = keys.require(key)?;
    if value == 0 {
        return Err(wrong(keys, key, "1 or more", value));
    }
    Ok(value as usize)
}

fn positive_float(keys: &Metadata<'_>, key: &str, default: Option<f32>) -> Result<f32, ModelError> {
    let value: f32 = match default {
        Some(default) => keys.get_or(key, default)?,
        None => keys.require(key)?,
    };
    if value.is_finite() && value > 0.0 {
        return Ok(value);
    }
    Err(wrong(keys, key, "a number above 0", value))
}

/// Head size from its own key, or the width shared among the heads. Keys and values of different
/// sizes and a rotation of a part of the head are not computed here.
fn head_size(keys: &Metadata<'_>, width: usize, heads: usize) -> Result<usize, ModelError> {
    const KEY: &str = "llama.attention.key_length";
    let head_size = if keys.contains(KEY) {
        positive(keys, KEY)?
    } else if width.is_multiple_of(heads) {
        width / heads
    } else {
        let expected = format!("a divisor of the width, {width}");
        return Err(wrong(keys, "llama.attention.head_count", expected, heads));
    };
    if !head_size.is_multiple_of(2) {
        return Err(wrong(keys, KEY, "an even head size, for rotary pairs", head_size));
    }
    for key in ["llama.attention.value_length", "llama.rope.dimension_count"] {
        if keys.contains(key) && positive(keys, key)? != head_size {
            return Err(ModelError::unsupported(
                format!("key `{key}`"),
                keys.offset(key),
                format!("{head_size}, the head size"),
                keys.describe(key),
            ));
        }
    }
    Ok(head_size)
}

/// The number of tokens is that of the embedding's rows; a key that says so too must agree.
fn vocabulary(gguf: &Gguf<'_>) -> Result<usize, ModelError> {
    const KEY: &str = "llama.vocab_size";
    const TENSOR: &str = "token_embd.weight";
    let Some(embedding) = gguf.tensors.get(TENSOR) else {
        let what = format!("tensor `{TENSOR}`");
        return Err(ModelError::broken(what, None, "the token embeddings", "no such tensor"));
    };
    let rows = embedding.rows();
    if gguf.metadata.contains(KEY) && positive(&gguf.metadata, KEY)? != rows {
        let expected = format!("{rows}, the rows of `{TENSOR}`");
        return Err(ModelError::broken(
            format!("key `{KEY}`"),
            gguf.metadata.offset(KEY),
            expected,
            gguf.metadata.describe(KEY),
        ));
    }
    Ok(rows)
}

fn wrong(
    keys: &Metadata<'_>,
    key: &str,
    expected: impl Into<String>,
    found: impl std::fmt::Display,
) -> ModelError {
    ModelError::broken(format!("key `{key}`"), keys.offset(key), expected, found.to_string())
}
