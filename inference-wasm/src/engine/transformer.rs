//! The forward pass of a `llama` model, in the order of the papers.
//!
//! Attention after Vaswani et al. 2017 with grouped queries (Ainslie et al. 2023), rotary
//! positions (Su et al. 2021), RMS norm (Zhang & Sennrich 2019) and `SwiGLU` (Shazeer 2020), put
//! together as in `LLaMA` (Touvron et al. 2023). Knows no formats and no arithmetic: every line is
//! an op of a [`Backend`]. Which tokens to feed is decided by [`session`](super::session).

use std::ops::Range;

use super::backend::{Activation, Backend, CHUNK_ROWS, Heads, ModelBytes, Rotary, RotaryPairs};
use super::model::{HyperParameters, TensorInfo, Weights};
use crate::protocol::{CacheType, EngineError};

/// Rows that are turned into logits at a time; bounds the memory of a large vocabulary.
const LOGITS_ROWS: usize = 8;

/// A model on a backend, with the keys and values of the tokens it was fed.
pub struct Transformer<B: Backend> {
    hyper: HyperParameters,
    weights: Weights<B::Weight>,
    /// One for each layer.
    caches: Vec<B::Cache>,
    /// `[positions × head_size]`: cosines and sines of the rotary embedding.
    angles: B::Tensor,
    scratch: Scratch<B::Tensor>,
}

/// The activations of the tokens at work, `rows ≤` [`CHUNK_ROWS`]; kept between calls.
struct Scratch<T> {
    /// `[rows × width]`: the residual stream.
    x: T,
    /// `[rows × width]`: what a norm or a projection adds to it.
    branch: T,
    /// `[rows × heads · head_size]`.
    query: T,
    /// `[rows × kv_heads · head_size]`.
    key: T,
    /// `[rows × kv_heads · head_size]`.
    value: T,
    /// `[rows × heads · head_size]`: what the heads found.
    attended: T,
    /// `[rows × ffn_width]`.
    gate: T,
    /// `[rows × ffn_width]`.
    up: T,
    /// `[≤ LOGITS_ROWS × width]`: the rows that logits are wanted of.
    last: T,
    /// `[≤ LOGITS_ROWS × vocabulary]`.
    logits: T,
}

impl<B: Backend> Transformer<B> {
    /// Puts the weights on the backend, with room for `positions` tokens.
    pub fn load(
        backend: &mut B,
        file: &ModelBytes,
        hyper: HyperParameters,
        weights: &Weights<TensorInfo>,
        positions: usize,
        cache_type: CacheType,
    ) -> Result<Self, EngineError> {
        let weights = weights.try_map(|tensor| backend.weight(file, tensor))?;
        let kv_width = hyper.kv_width();
        let caches = (0..hyper.layers)
            .map(|_| backend.cache(positions, kv_width, cache_type))
            .collect::<Result<_, _>>()?;
        let angles = rotary_angles(positions, hyper.head_size, hyper.rope_base);
        let angles = backend.constant(hyper.head_size, &angles)?;
        let scratch = Scratch {
            x: backend.tensor(CHUNK_ROWS, hyper.width)?,
            branch: backend.tensor(CHUNK_ROWS, hyper.width)?,
            query: backend.tensor(CHUNK_ROWS, hyper.query_width())?,
            key: backend.tensor(CHUNK_ROWS, kv_width)?,
            value: backend.tensor(CHUNK_ROWS, kv_width)?,
            attended: backend.tensor(CHUNK_ROWS, hyper.query_width())?,
            gate: backend.tensor(CHUNK_ROWS, hyper.ffn_width)?,
            up: backend.tensor(CHUNK_ROWS, hyper.ffn_width)?,
            last: backend.tensor(LOGITS_ROWS, hyper.width)?,
            logits: backend.tensor(LOGITS_ROWS, hyper.vocabulary)?,
        };
        Ok(Self { hyper, weights, caches, angles, scratch })
    }

    /// The numbers that it is built from.
    pub fn hyper(&self) -> &HyperParameters {
        &self.hyper
    }

    /// Feeds up to [`CHUNK_ROWS`] tokens at positions `first` and up, one row each.
    ///
    /// Keys and values of all positions before `first` must be in the cache; those of the tokens
    /// are written to it. Leaves the residual stream for [`logits`](Self::logits).
    pub fn forward(&mut self, backend: &mut B, ids: &[u32], first: usize) {
        let Scratch { x, branch, query, key, value, attended, gate, up, .. } = &mut self.scratch;
        let hyper = &self.hyper;
        let epsilon = hyper.rms_epsilon;
        let heads = Heads {
            queries: hyper.heads,
            kv: hyper.kv_heads,
            size: hyper.head_size,
            first,
            scale: 1.0 / (hyper.head_size as f32).sqrt(),
            window: None,
            soft_cap: None,
        };
        let rotary = Rotary { head_size: hyper.head_size, pairs: RotaryPairs::Interleaved };

        // Each token's vector starts the residual stream. x: [rows × width]
        backend.embed(&self.weights.token_embedding, ids, x);

        for (layer, cache) in self.weights.layers.iter().zip(&mut self.caches) {
            // Queries, keys and values of the normalised stream.
            // branch: [rows × width] → query: [rows × heads·size], key, value: [rows × kv·size]
            backend.rms_norm(x, &layer.attention_norm, epsilon, branch);
            backend.matmul(&layer.query, branch, query);
            backend.matmul(&layer.key, branch, key);
            backend.matmul(&layer.value, branch, value);

            // Positions enter as rotations of queries and keys.
            backend.rope(query, &self.angles, rotary, first);
            backend.rope(key, &self.angles, rotary, first);

            // Each token attends to itself and to all before it. attended: [rows × heads·size]
            backend.append(cache, key, value, first);
            backend.attention(query, cache, heads, attended);
            backend.matmul(&layer.attention_output, attended, branch);
            backend.add(x, branch);

            // The feed-forward: down(silu(gate) · up). gate, up: [rows × ffn_width]
            backend.rms_norm(x, &layer.ffn_norm, epsilon, branch);
            backend.matmul(&layer.gate, branch, gate);
            backend.matmul(&layer.up, branch, up);
            backend.gated(gate, up, Activation::Silu);
            backend.matmul(&layer.down, gate, branch);
            backend.add(x, branch);
        }
    }

    /// Appends the logits of some rows of the last [`forward`](Self::forward) to `into`:
    /// `[rows × vocabulary]`.
    pub async fn logits(
        &mut self,
        backend: &mut B,
        rows: Range<usize>,
        into: &mut Vec<f32>,
    ) -> Result<(), EngineError> {
        let Scratch { x, branch, last, logits, .. } = &mut self.scratch;
        let output = self.weights.output.as_ref().unwrap_or(&self.weights.token_embedding);
        for start in rows.clone().step_by(LOGITS_ROWS) {
            backend.rows(x, start..rows.end.min(start + LOGITS_ROWS), branch);
            backend.rms_norm(branch, &self.weights.output_norm, self.hyper.rms_epsilon, last);
            backend.matmul(output, last, logits);
            backend.read(logits, into).await?;
        }
        Ok(())
    }
}

/// Cosine and sine of `position · base^(−2i / head_size)`, for each position and pair `i`.
///
/// In `f64`, and once: at a position of some thousands an `f32` angle is off in its fourth digit,
/// and GPUs are free to be worse.
fn rotary_angles(positions: usize, head_size: usize, base: f32) -> Vec<f32> {
    let frequencies: Vec<f64> = (0..head_size / 2)
        .map(|i| f64::from(base).powf(-2.0 * i as f64 / head_size as f64))
        .collect();
    let mut angles = Vec::with_capacity(positions * head_size);
    for position in 0..positions {
        for frequency in &frequencies {
            let (sin, cos) = (position as f64 * frequency).sin_cos();
            angles.extend([cos as f32, sin as f32]);
        }
    }
    angles
}
