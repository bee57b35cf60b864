//! Backend `reference`: the plain scalar oracle that other backends are compared with.
//!
//! Every op is its formula as a loop, sums run from first to last in one `f32`, and weights are
//! converted to `f32` when they are loaded. It is never optimised, and shares no code with the
//! kernels.

use std::ops::Range;

use super::{Backend, Counters, Heads, ModelBytes, Rotary};
use crate::engine::memory::zeros;
use crate::engine::model::{Activation, RotaryPairs, TensorInfo};
use crate::protocol::{BackendName, CacheType, EngineError};

/// The oracle.
#[derive(Debug, Default)]
pub struct Reference {
    counters: Counters,
}

/// `[rows × columns]` in row order.
#[derive(Debug)]
pub struct Matrix {
    columns: usize,
    values: Vec<f32>,
}

/// Keys and values of a layer: `[positions × width]` each.
#[derive(Debug)]
pub struct Cache {
    width: usize,
    cache_type: CacheType,
    keys: Vec<f32>,
    values: Vec<f32>,
}

impl Matrix {
    fn rows(&self) -> usize {
        self.values.len() / self.columns
    }

    fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.columns..(row + 1) * self.columns]
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sum = 0.0;
    for (a, b) in a.iter().zip(b) {
        sum += a * b;
    }
    sum
}

impl Backend for Reference {
    type Weight = Matrix;
    type Tensor = Matrix;
    type Cache = Cache;

    fn name(&self) -> BackendName {
        BackendName::Reference
    }

    fn counters(&self) -> Counters {
        self.counters
    }

    fn weight(&mut self, file: &ModelBytes, tensor: &TensorInfo) -> Result<Matrix, EngineError> {
        let mut values = zeros(Some(tensor.weights()), &tensor.name)?;
        (tensor.format.dequantize)(&file[tensor.bytes.clone()], &mut values);
        self.counters.weight_bytes += size_of_val(values.as_slice()) as u64;
        Ok(Matrix { columns: tensor.columns(), values })
    }

    fn tensor(&mut self, _rows: usize, columns: usize) -> Result<Matrix, EngineError> {
        Ok(Matrix { columns, values: Vec::new() })
    }

    fn constant(&mut self, columns: usize, values: &[f32]) -> Result<Matrix, EngineError> {
        Ok(Matrix { columns, values: values.to_vec() })
    }

    fn cache(
        &mut self,
        positions: usize,
        width: usize,
        cache_type: CacheType,
    ) -> Result<Cache, EngineError> {
        let count = positions.checked_mul(width);
        let keys = zeros(count, "the key-value cache")?;
        let values = zeros(count, "the key-value cache")?;
        self.counters.cache_bytes += 2 * size_of_val(keys.as_slice()) as u64;
        Ok(Cache { width, cache_type, keys, values })
    }

    fn embed(&mut self, table: &Matrix, ids: &[u32], out: &mut Matrix) {
        out.values.clear();
        for &id in ids {
            out.values.extend_from_slice(table.row(id as usize));
        }
    }

    fn rms_norm(&mut self, x: &Matrix, scale: &Matrix, epsilon: f32, out: &mut Matrix) {
        out.values.clone_from(&x.values);
        self.rms_norm_in_place(out, scale, epsilon);
    }

    fn rms_norm_in_place(&mut self, x: &mut Matrix, scale: &Matrix, epsilon: f32) {
        for head in x.values.chunks_exact_mut(scale.values.len()) {
            let mean = dot(head, head) / head.len() as f32;
            let root = (mean + epsilon).sqrt();
            for (x, scale) in head.iter_mut().zip(&scale.values) {
                *x = *x / root * scale;
            }
        }
    }

    fn matmul(&mut self, matrix: &Matrix, x: &Matrix, out: &mut Matrix) {
        self.counters.kernel_calls += 1;
        out.values.clear();
        for row in 0..x.rows() {
            for output in 0..matrix.rows() {
                out.values.push(dot(matrix.row(output), x.row(row)));
            }
        }
    }

    fn add_bias(&mut self, x: &mut Matrix, bias: &Matrix) {
        for row in x.values.chunks_exact_mut(x.columns) {
            for (x, bias) in row.iter_mut().zip(&bias.values) {
                *x += bias;
            }
        }
    }

    fn rope(&mut self, x: &mut Matrix, angles: &Matrix, rotary: Rotary, first: usize) {
        let (columns, pairs) = (x.columns, angles.columns / 2);
        for (row, values) in x.values.chunks_exact_mut(columns).enumerate() {
            let angles = angles.row(first + row);
            for head in values.chunks_exact_mut(rotary.head_size) {
                for i in 0..pairs {
                    let (at_a, at_b) = match rotary.pairs {
                        RotaryPairs::Interleaved => (2 * i, 2 * i + 1),
                        RotaryPairs::Halves => (i, i + pairs),
                    };
                    let (cos, sin) = (angles[2 * i], angles[2 * i + 1]);
                    let (a, b) = (head[at_a], head[at_b]);
                    head[at_a] = a * cos - b * sin;
                    head[at_b] = a * sin + b * cos;
                }
            }
        }
    }

    fn append(&mut self, cache: &mut Cache, keys: &Matrix, values: &Matrix, first: usize) {
        let start = first * cache.width;
        let stored = |value: &f32| match cache.cache_type {
            CacheType::F32 => *value,
            CacheType::F16 => half::f16::from_f32(*value).to_f32(),
        };
        for (to, from) in cache.keys[start..].iter_mut().zip(&keys.values) {
            *to = stored(from);
        }
        for (to, from) in cache.values[start..].iter_mut().zip(&values.values) {
            *to = stored(from);
        }
    }

    fn attention(&mut self, queries: &Matrix, cache: &Cache, heads: Heads, out: &mut Matrix) {
        out.values.clear();
        let part = |of: &[f32], position: usize, head: usize| -> Vec<f32> {
            let start = position * cache.width + head * heads.size;
            of[start..start + heads.size].to_vec()
        };
        for row in 0..queries.rows() {
            for (head, query) in queries.row(row).chunks_exact(heads.size).enumerate() {
                let kv_head = head * heads.kv / heads.queries;
                let visible = heads.visible(row);
                let mut weights: Vec<f32> = visible
                    .clone()
                    .map(|p| dot(query, &part(&cache.keys, p, kv_head)))
                    .map(|score| score * heads.scale)
                    .map(|score| heads.soft_cap.map_or(score, |cap| cap * (score / cap).tanh()))
                    .collect();
                softmax(&mut weights);
                let mut sum = vec![0.0; heads.size];
                for (position, weight) in visible.zip(&weights) {
                    for (sum, v) in sum.iter_mut().zip(part(&cache.values, position, kv_head)) {
                        *sum += weight * v;
                    }
                }
                out.values.extend(sum);
            }
        }
    }

    fn gated(&mut self, gate: &mut Matrix, up: &Matrix, activation: Activation) {
        for (gate, up) in gate.values.iter_mut().zip(&up.values) {
            *gate = activation.of(*gate) * up;
        }
    }

    fn scale(&mut self, x: &mut Matrix, factor: f32) {
        for x in &mut x.values {
            *x *= factor;
        }
    }

    fn soft_cap(&mut self, x: &mut Matrix, cap: f32) {
        for x in &mut x.values {
            *x = cap * (*x / cap).tanh();
        }
    }

    fn add(&mut self, x: &mut Matrix, y: &Matrix) {
        for (x, y) in x.values.iter_mut().zip(&y.values) {
            *x += y;
        }
    }

    fn rows(&mut self, x: &Matrix, rows: Range<usize>, out: &mut Matrix) {
        out.values.clear();
        for row in rows {
            out.values.extend_from_slice(x.row(row));
        }
    }

    async fn read(&mut self, x: &Matrix, into: &mut Vec<f32>) -> Result<(), EngineError> {
        into.extend_from_slice(&x.values);
        Ok(())
    }
}

/// Turns scores into weights that sum to 1. The greatest score is subtracted first, so that `exp`
/// can't overflow.
fn softmax(scores: &mut [f32]) {
    let greatest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for score in scores.iter_mut() {
        *score = (*score - greatest).exp();
        sum += *score;
    }
    for score in scores.iter_mut() {
        *score /= sum;
    }
}
