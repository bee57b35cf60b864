//! Rotary embeddings: the angles by which each position turns the pairs of a head, and how they
//! are stretched for contexts longer than the model was first trained on.
//!
//! Everything is `f64` and computed once: at a position of some thousands an `f32` angle is off in
//! its fourth digit, and GPUs are free to be worse.
//!
//! Su et al. 2021 (the embedding), Chen et al. 2023 (linear interpolation), Peng et al. 2023
//! (`YaRN`), Ding et al. 2024 (`LongRoPE`, whose factors a file brings as tensors, as it does those
//! of Llama 3).

use std::f64::consts::TAU;

use crate::engine::memory::zeros;
use crate::protocol::EngineError;

/// A rotary embedding.
#[derive(Debug, Clone, PartialEq)]
pub struct Rope {
    /// Floats of a head that are turned, from its beginning; even.
    pub rotated: usize,
    /// Pair `i` turns by `base^(−2i / rotated)` radians a position, before scaling.
    pub base: f64,
    /// How frequencies are made lower.
    pub scaling: Scaling,
    /// Whether each frequency is also divided by a factor from a tensor.
    pub factors: Factors,
    /// What turned queries and keys are multiplied by: 1 but for `YaRN` and `LongRoPE`.
    pub magnitude: f64,
}

/// How frequencies are made lower, so that more positions fit into the angles of training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scaling {
    /// All by the same factor; 1 for none.
    Linear(f64),
    /// Low frequencies by a factor, high ones not, and a ramp between.
    Yarn {
        /// The factor.
        factor: f64,
        /// Positions that the model was first trained on.
        original_context: usize,
        /// Pairs that turn more often than this over the original context are left alone.
        beta_fast: f64,
        /// Those that turn less often than this are scaled in full.
        beta_slow: f64,
    },
}

/// How the pairs of a rotary embedding lie in the part of the head that is turned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RotaryPairs {
    /// Pair `i` is `(x[2i], x[2i + 1])`.
    Interleaved,
    /// Pair `i` is `(x[i], x[i + rotated / 2])`: GPT-NeoX's order.
    Halves,
}

/// Which tensor the frequencies are divided by, pair by pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Factors {
    /// None.
    None,
    /// `rope_freqs`.
    Fixed,
    /// `rope_factors_long` if the cache holds more positions than this, the context of the first
    /// training, and `rope_factors_short` if not.
    ///
    /// Decided once, when the model is loaded: keys in the cache were turned by one set and can't
    /// be mixed with those of the other.
    ByContext(usize),
}

impl Rope {
    /// Cosine and sine of each pair at each position, times the magnitude:
    /// `[positions × rotated]`. `factors` are as many as pairs, or none.
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

    /// Radians a position, for each pair.
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

    /// How much of `YaRN`'s scaling a pair gets: 0 (turns fast) to 1 (turns slowly).
    fn yarn_ramp(&self, pair: usize) -> f64 {
        let Scaling::Yarn { original_context, beta_fast, beta_slow, .. } = self.scaling else {
            return 0.0;
        };
        // The pair, as a real number, that turns so many times over the original context.
        let pair_of = |turns: f64| {
            let size = self.rotated as f64;
            size * (original_context as f64 / (turns * TAU)).ln() / (2.0 * self.base.ln())
        };
        let first = pair_of(beta_fast).floor().max(0.0);
        let last = pair_of(beta_slow).ceil().min(self.rotated as f64 - 1.0);
        ((pair as f64 - first) / (last - first).max(0.001)).clamp(0.0, 1.0)
    }
}
