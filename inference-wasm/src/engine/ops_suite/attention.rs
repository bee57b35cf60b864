//! `append` and `attention`: a cache is filled as in prefill and decoding, then read.

use super::bounds::{Arithmetic, TANH_ULPS, TINY, ULP};
use super::guard::{self, Output};
use super::inputs::{Operands, Source, Values};
use super::op::{Labels, Op};
use crate::engine::backend::{Backend, CHUNK_ROWS, Heads};
use crate::protocol::{CacheType, EngineError};

/// Positions after the last visible one, which hold large numbers, like those of an earlier, longer
/// conversation.
const STALE: usize = 5;

/// Rows of the first append, so that later ones start inside a backend's unit of positions.
const FIRST_ROWS: usize = 5;

/// Appends keys and values, and attends to them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attention {
    pub(super) rows: usize,
    pub(super) queries: usize,
    pub(super) kv: usize,
    /// Floats of a head.
    pub(super) size: usize,
    /// Position of the first row.
    pub(super) first: usize,
    pub(super) window: Option<usize>,
    pub(super) soft_cap: Option<f32>,
    pub(super) cache: CacheType,
    /// Keys and values are exact in half precision, so that rounding does not matter.
    pub(super) is_exact_in_half: bool,
    pub(super) values: Values,
}

impl Attention {
    fn heads(&self) -> Heads {
        Heads {
            queries: self.queries,
            kv: self.kv,
            size: self.size,
            first: self.first,
            scale: 1.0 / (self.size as f32).sqrt(),
            window: self.window,
            soft_cap: self.soft_cap,
        }
    }

    fn positions(&self) -> usize {
        self.first + self.rows
    }

    fn width(&self) -> usize {
        self.kv * self.size
    }

    /// `[positions × width]` numbers for the cache, followed by the stale ones.
    fn stored(&self, source: &mut Source) -> Vec<f32> {
        let mut all = Vec::with_capacity((self.positions() + STALE) * self.width());
        for position in 0..self.positions() + STALE {
            let is_stale = position >= self.positions();
            // At the ends of tiles and at the last position, so that a missing one shows.
            let is_end = position % 32 == 0 || position % 32 == 31;
            for _ in 0..self.width() {
                let value = match self.values {
                    _ if is_stale => 30_000.0,
                    Values::Zeros => 0.0,
                    _ if is_end || position + 1 == self.positions() => source.signed(2.0, 8.0),
                    _ => source.signed(0.25, 1.0),
                };
                let value =
                    if self.is_exact_in_half { half::f16::from_f32(value).to_f32() } else { value };
                all.push(value);
            }
        }
        all
    }

    /// The bounds of one head of one row: `[size]`.
    ///
    /// A score is off by some `d`, so its weight by the factor `e^d`, and so is the sum of weights
    /// that divides it.
    fn allowed_head(&self, operands: &Operands, row: usize, head: usize, free: f64) -> Vec<f64> {
        let heads = self.heads();
        let query = &operands.x[row * self.columns() + head * self.size..][..self.size];
        let part = head * self.kv / self.queries * self.size;
        let stored = |of: &'_ [f32], position: usize, at: usize| {
            let value = of[position * self.width() + part + at];
            f64::from(match self.cache {
                CacheType::F32 => value,
                CacheType::F16 => half::f16::from_f32(value).to_f32(),
            })
        };
        let visible = heads.visible(row);
        let count = visible.len() as f64;
        let scale = f64::from(heads.scale);
        // The score of each position, and its bound.
        let mut scores: Vec<(f64, f64)> = Vec::new();
        for position in visible.clone() {
            let (mut sum, mut magnitude) = (0.0, 0.0);
            for (at, &q) in query.iter().enumerate() {
                let product = scale * f64::from(q) * stored(&operands.y, position, at);
                sum += product;
                magnitude += product.abs();
            }
            let mut off = ((2.0 * self.size as f64 + 2.0) * ULP + free) * magnitude;
            if let Some(cap) = self.soft_cap.map(f64::from) {
                sum = cap * (sum / cap).tanh();
                off += TANH_ULPS * ULP * cap;
            }
            scores.push((sum, off));
        }
        let greatest = scores.iter().fold(f64::NEG_INFINITY, |greatest, (s, _)| greatest.max(*s));
        let total: f64 = scores.iter().map(|(score, _)| (score - greatest).exp()).sum();
        let mut weights: Vec<(f64, f64)> = Vec::new();
        for (score, off) in scores {
            let exponent = greatest - score;
            let off = off + ULP * (score.abs() + greatest.abs() + 4.0 + 2.0 * exponent);
            weights.push(((-exponent).exp() / total, off.exp_m1()));
        }
        let mean: f64 = weights.iter().map(|(weight, off)| weight * off).sum();
        let sums = (5.0 * count + 3.0) * ULP;
        (0..self.size)
            .map(|at| {
                let positions = visible.clone().zip(&weights);
                let bound = positions.map(|(position, (weight, off))| {
                    let value = stored(&operands.z, position, at).abs();
                    weight * value * (off + mean + sums + free) + TINY * (1.0 + value)
                });
                bound.sum()
            })
            .collect()
    }
}

impl Op for Attention {
    fn labels(&self) -> Labels {
        let Self { rows, queries, kv, size, first, .. } = *self;
        let mut shape = format!("rows={rows},heads={queries}/{kv},size={size},first={first}");
        if let Some(window) = self.window {
            shape += &format!(",window={window}");
        }
        if let Some(cap) = self.soft_cap {
            shape += &format!(",cap={cap}");
        }
        if self.cache == CacheType::F16 && !self.is_exact_in_half {
            shape += ",stored=rounded";
        }
        shape += self.values.label();
        let weights = match self.cache {
            CacheType::F32 => "F32",
            CacheType::F16 => "F16",
        };
        Labels { op: "attention", weights, shape }
    }

    fn columns(&self) -> usize {
        self.queries * self.size
    }

    fn operands(&self, source: &mut Source) -> Operands {
        let y = self.stored(source);
        let z = self.stored(source);
        let mut x = source.rows(self.rows, self.columns(), Values::Ordinary);
        if self.values == Values::Large {
            // Scores of hundreds, whose exponential overflows unless the greatest is subtracted
            // first.
            for x in &mut x {
                *x *= 40.0;
            }
        }
        Operands { x, y, z, ..Operands::default() }
    }

    async fn run<B: Backend>(
        &self,
        operands: &Operands,
        backend: &mut B,
    ) -> Result<Option<Output>, EngineError> {
        let (positions, width) = (self.positions() + STALE, self.width());
        let mut cache = backend.cache(positions, width, self.cache)?;
        let mut first = 0;
        while first < positions {
            let most = if first == 0 { FIRST_ROWS } else { CHUNK_ROWS };
            let end = positions.min(first + most);
            let keys = backend.constant(width, &operands.y[first * width..end * width])?;
            let values = backend.constant(width, &operands.z[first * width..end * width])?;
            backend.append(&mut cache, &keys, &values, first);
            first = end;
        }
        let queries = backend.constant(self.columns(), &operands.x)?;
        let mut out = guard::poisoned(backend, self.rows, self.columns())?;
        backend.attention(&queries, &cache, self.heads(), &mut out);
        guard::read_back(backend, &out, (self.rows, self.columns())).await.map(Some)
    }

    fn allowed(&self, operands: &Operands, _: &[f32], arithmetic: Arithmetic) -> Vec<f64> {
        let is_rounded = self.cache == CacheType::F16 && !self.is_exact_in_half;
        let free = if is_rounded { arithmetic.half() } else { 0.0 };
        let heads = (0..self.rows).flat_map(|row| (0..self.queries).map(move |head| (row, head)));
        heads.flat_map(|(row, head)| self.allowed_head(operands, row, head, free)).collect()
    }
}
