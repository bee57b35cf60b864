//! Rotary embeddings: the angles by which each position rotates the pairs of a head, and how they
//! are scaled for contexts longer than the original training's.
//!
//! All angles are computed once, in `f64`: at positions in the thousands an `f32` angle is wrong in
//! its fourth digit, and GPUs may be worse.
//!
//! Su et al. 2021 (the embedding), Chen et al. 2023 (linear interpolation), Peng et al. 2023
//! (`YaRN`), Ding et al. 2024 (`LongRoPE`, whose factors are tensors in the file, like those of
//! Llama 3).

use std::f64::consts::TAU;

use crate::engine::memory::zeros;
use crate::protocol::EngineError;

/// A rotary embedding.
#[derive(Debug, Clone, PartialEq)]
pub struct Rope {
    /// Rotated floats of a head, from its start; even.
    pub rotated: usize,
    /// Pair `i` rotates by `base^(−2i / rotated)` radians per position, before scaling.
    pub base: f64,
    /// How frequencies are lowered.
    pub scaling: Scaling,
    /// Whether each frequency is also divided by a factor from a tensor.
    pub factors: Factors,
    /// The factor of rotated queries and keys: 1 except for `YaRN` and `LongRoPE`.
    pub magnitude: f64,
}

/// How frequencies are lowered, so that more positions fit into the angles of training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scaling {
    /// All by the same factor; 1 for none.
    Linear(f64),
    /// Low frequencies by a factor, high ones not at all, with a ramp between.
    Yarn {
        /// The factor.
        factor: f64,
        /// The context of the original training, in positions.
        original_context: usize,
        /// Pairs that rotate more often than this over the original context are not scaled.
        beta_fast: f64,
        /// Pairs that rotate less often than this are scaled in full.
        beta_slow: f64,
    },
}

/// The layout of pairs in the rotated part of a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RotaryPairs {
    /// Pair `i` is `(x[2i], x[2i + 1])`.
    Interleaved,
    /// Pair `i` is `(x[i], x[i + rotated / 2])`: GPT-NeoX's order.
    Halves,
}

/// Which tensor divides the frequencies, pair by pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Factors {
    /// None.
    None,
    /// `rope_freqs`.
    Fixed,
    /// `rope_factors_long` if the cache holds more positions than this, the context of the original
    /// training; otherwise `rope_factors_short`.
    ///
    /// Decided once, when the model is loaded: keys in the cache were rotated with one set and
    /// can't be mixed with the other's.
    ByContext(usize),
}

impl Rope {
    /// Cosine and sine of each pair at each position, times the magnitude: `[positions × rotated]`.
    /// `factors` has a value for each pair, or none.
    pub fn angles(&self, positions: usize, factors: &[f32]) -> Result<Vec<f32>, EngineError> {
        let frequencies = self.frequencies(factors);
        let mut angles = zeros(positions.checked_mul(self.rotated), "rotary angles")?;
        angles.clear();
        for position in 0..positions {
            for frequency in &frequencies {
                let (sin, cos) = (position as f64 * frequency).sin_cos();
                angles.extend([(cos * self.magnitude) as f32, (sin * self.magnitude) as f32]);
            }
        }
        Ok(angles)
    }

    /// Radians per position, for each pair.
    fn frequencies(&self, factors: &[f32]) -> Vec<f64> {
        let size = self.rotated as f64;
        (0..self.rotated / 2)
            .map(|pair| {
                let factor = factors.get(pair).map_or(1.0, |&factor| f64::from(factor));
                let frequency = self.base.powf(-2.0 * pair as f64 / size) / factor;
                match self.scaling {
                    Scaling::Linear(factor) => frequency / factor,
                    Scaling::Yarn { factor, .. } => {
                        let scaled = self.yarn_ramp(pair);
                        frequency * (1.0 - scaled) + frequency / factor * scaled
                    }
                }
            })
            .collect()
    }

    /// The share of `YaRN`'s scaling that a pair gets, from 0 (rotates fast) to 1 (rotates slowly).
    fn yarn_ramp(&self, pair: usize) -> f64 {
        let Scaling::Yarn { original_context, beta_fast, beta_slow, .. } = self.scaling else {
            return 0.0;
        };
        // The pair, as a real number, that rotates this many times over the original context.
        let pair_of = |turns: f64| {
            let size = self.rotated as f64;
            size * (original_context as f64 / (turns * TAU)).ln() / (2.0 * self.base.ln())
        };
        let first = pair_of(beta_fast).floor().max(0.0);
        let last = pair_of(beta_slow).ceil().min(self.rotated as f64 - 1.0);
        ((pair as f64 - first) / (last - first).max(0.001)).clamp(0.0, 1.0)
    }
}
