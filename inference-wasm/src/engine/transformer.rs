//! The forward pass of a decoder, in the order of the papers.
//!
//! Attention after Vaswani et al. 2017 with grouped queries (Ainslie et al. 2023), rotary
//! positions (Su et al. 2021), RMS norm (Zhang & Sennrich 2019) and gated feed-forward (Shazeer
//! 2020), put together as in `LLaMA` (Touvron et al. 2023). What later families added is done where
//! a weight or a hyper-parameter is there that asks for it: biases, norms of heads, norms behind
//! the blocks, windows, caps. Knows no architectures by name, no formats and no arithmetic: every
//! line is an op of a [`Backend`]. Which tokens to feed is decided by [`session`](super::session).

use std::ops::Range;

use super::backend::{Backend, CHUNK_ROWS, Candidate, Heads, ModelBytes, Rotary};
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
    /// `[positions × rotated]` each: cosines and sines, by the index that
    /// [`HyperParameters::rope_of`] gives.
    angles: Vec<B::Tensor>,
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
    /// `[≤ LOGITS_ROWS × width]`: the rows that logits are wanted for.
    chosen: T,
    /// `[≤ LOGITS_ROWS × width]`: the same, normalised.
    normed: T,
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
        let factors = weights.rope_factors.read(file, positions);
        let weights = weights.try_map(|tensor| backend.weight(file, tensor))?;
        let kv_width = hyper.kv_width();
        let caches = (0..hyper.layers)
            .map(|_| backend.cache(positions, kv_width, cache_type))
            .collect::<Result<_, _>>()?;
        let angles = hyper
            .ropes()
            .map(|rope| backend.constant(rope.rotated, &rope.angles(positions, &factors)?))
            .collect::<Result<_, _>>()?;
        let scratch = Scratch {
            x: backend.tensor(CHUNK_ROWS, hyper.width)?,
            branch: backend.tensor(CHUNK_ROWS, hyper.width)?,
            query: backend.tensor(CHUNK_ROWS, hyper.query_width())?,
            key: backend.tensor(CHUNK_ROWS, kv_width)?,
            value: backend.tensor(CHUNK_ROWS, kv_width)?,
            attended: backend.tensor(CHUNK_ROWS, hyper.query_width())?,
            gate: backend.tensor(CHUNK_ROWS, hyper.ffn_width)?,
            up: backend.tensor(CHUNK_ROWS, hyper.ffn_width)?,
            chosen: backend.tensor(LOGITS_ROWS, hyper.width)?,
            normed: backend.tensor(LOGITS_ROWS, hyper.width)?,
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
            scale: hyper.score_scale,
            window: None,
            soft_cap: hyper.score_cap,
        };
        let rotary = Rotary { head_size: hyper.head_size, pairs: hyper.pairs };

        // Each token's vector starts the residual stream. x: [rows × width]
        backend.embed(&self.weights.token_embedding, ids, x);
        if let Some(factor) = hyper.embedding_scale {
            backend.scale(x, factor);
        }

        for (index, (layer, cache)) in self.weights.layers.iter().zip(&mut self.caches).enumerate()
        {
            // Queries, keys and values of the normalised stream.
            // branch: [rows × width] → query: [rows × heads·size], key, value: [rows × kv·size]
            backend.rms_norm(x, &layer.attention_norm, epsilon, branch);
            let matrices = [&layer.query, &layer.key, &layer.value];
            backend.matmul_each(matrices, branch, [query, key, value]);
            let biases = [&layer.query_bias, &layer.key_bias, &layer.value_bias];
            for (bias, x) in biases.into_iter().zip([&mut *query, key, value]) {
                if let Some(bias) = bias {
                    backend.add_bias(x, bias);
                }
            }
            if let Some(norm) = &layer.query_norm {
                backend.rms_norm_in_place(query, norm, epsilon);
            }
            if let Some(norm) = &layer.key_norm {
                backend.rms_norm_in_place(key, norm, epsilon);
            }

            // Positions enter as rotations of queries and keys.
            if let Some(rope) = hyper.rope_of(index) {
                let angles = &self.angles[rope];
                backend.rope(query, angles, rotary, first);
                backend.rope(key, angles, rotary, first);
            }

            // Each token attends to itself and to those before it, all or the last ones.
            // attended: [rows × heads·size]
            backend.append(cache, key, value, first);
            let heads = Heads { window: hyper.window(index), ..heads };
            backend.attention(query, cache, heads, attended);
            backend.matmul(&layer.attention_output, attended, branch);
            if let Some(norm) = &layer.attention_post_norm {
                backend.rms_norm_in_place(branch, norm, epsilon);
            }
            backend.add(x, branch);

            // The feed-forward: down(activation(gate) · up). gate, up: [rows × ffn_width]
            backend.rms_norm(x, &layer.ffn_norm, epsilon, branch);
            let matrices = [&layer.gate, &layer.up];
            backend.matmul_gated(matrices, branch, hyper.activation, [gate, up]);
            backend.matmul(&layer.down, gate, branch);
            if let Some(norm) = &layer.ffn_post_norm {
                backend.rms_norm_in_place(branch, norm, epsilon);
            }
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
        for start in rows.clone().step_by(LOGITS_ROWS) {
            self.head(backend, start..rows.end.min(start + LOGITS_ROWS));
            backend.read(&self.scratch.logits, into).await?;
        }
        Ok(())
    }

    /// The tokens that are most likely after one row of the last [`forward`](Self::forward), if the
    /// backend finds them by itself.
    pub async fn best(
        &mut self,
        backend: &mut B,
        row: usize,
        count: usize,
    ) -> Result<Option<Vec<Candidate>>, EngineError> {
        self.head(backend, row..row + 1);
        backend.best(&self.scratch.logits, count).await
    }

    /// Turns up to [`LOGITS_ROWS`] rows of the residual stream into logits, left in the scratch.
    fn head(&mut self, backend: &mut B, rows: Range<usize>) {
        let Scratch { x, chosen, normed, logits, .. } = &mut self.scratch;
        let output = self.weights.output.as_ref().unwrap_or(&self.weights.token_embedding);
        backend.rows(x, rows, chosen);
        backend.rms_norm(chosen, &self.weights.output_norm, self.hyper.rms_epsilon, normed);
        backend.matmul(output, normed, logits);
        if let Some(cap) = self.hyper.logit_cap {
            backend.soft_cap(logits, cap);
        }
    }
}
