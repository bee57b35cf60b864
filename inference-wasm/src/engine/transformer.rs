//! The forward pass of a decoder, in the order of the papers.
//!
//! Attention after Vaswani et al. 2017 with grouped queries (Ainslie et al. 2023), rotary positions
//! (Su et al. 2021), RMS norm (Zhang & Sennrich 2019) and gated feed-forward (Shazeer 2020),
//! combined as in `LLaMA` (Touvron et al. 2023). Additions of later families (biases, norms of
//! heads, norms after the blocks, windows, caps) apply where the model has the weight or the
//! hyper-parameter for them. No architecture is known by name here, and no format: every line is an
//! op of a [`Backend`]. [`session`](super::session) decides which tokens to feed.

use std::ops::Range;

use super::backend::{Backend, CHUNK_ROWS, Candidate, Heads, ModelBytes, Rotary};
use super::model::{HyperParameters, TensorInfo, Weights};
use crate::protocol::{CacheType, EngineError};

/// Rows turned into logits at a time; bounds the memory that a large vocabulary takes.
const LOGITS_ROWS: usize = 8;

/// A model on a backend, with the keys and values of the tokens fed so far.
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

/// The activations of the current tokens, `rows ≤` [`CHUNK_ROWS`]; kept between calls.
struct Scratch<T> {
    /// `[rows × width]`: the residual stream.
    x: T,
    /// `[rows × width]`: the normalised stream, then what a block adds to the stream.
    branch: T,
    /// `[rows × heads · head_size]`.
    query: T,
    /// `[rows × kv_heads · head_size]`.
    key: T,
    /// `[rows × kv_heads · head_size]`.
    value: T,
    /// `[rows × heads · head_size]`: the output of the heads.
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
    /// Loads the weights onto the backend, with a cache for `positions` tokens.
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

    /// The model's hyper-parameters.
    pub fn hyper(&self) -> &HyperParameters {
        &self.hyper
    }

    /// Feeds up to [`CHUNK_ROWS`] tokens at positions `first` and up, one row for each.
    ///
    /// Keys and values of all positions before `first` must be in the cache; this call appends
    /// those of the new tokens. The residual stream stays in the scratch for
    /// [`logits`](Self::logits).
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

        // Each token's vector starts its residual stream. x: [rows × width]
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

            // Each token attends to itself and to the tokens before it, or to the last of them.
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

    /// Appends the logits of some rows of the last [`forward`](Self::forward) to `into`: `[rows ×
    /// vocabulary]`.
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

    /// The tokens most likely to follow one row of the last [`forward`](Self::forward); `None` if
    /// the backend does not search for them.
    pub async fn best(
        &mut self,
        backend: &mut B,
        row: usize,
        count: usize,
    ) -> Result<Option<Vec<Candidate>>, EngineError> {
        self.head(backend, row..row + 1);
        backend.best(&self.scratch.logits, count).await
    }

    /// Turns up to [`LOGITS_ROWS`] rows of the residual stream into logits, which stay in the
    /// scratch.
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
