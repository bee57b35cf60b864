//! Backend `reference`: the plain scalar oracle that other backends are held against.
//!
//! Every op is the formula as a loop, sums run from first to last in one `f32`, and weights are
//! turned into `f32` when they are loaded. Never optimised, and shares no code with the kernels.

use std::ops::Range;

use super::{Backend, Counters, Heads, ModelBytes, zeros};
use crate::engine::model::TensorInfo;
use crate::protocol::{BackendName, EngineError};

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

    fn cache(&mut self, positions: usize, width: usize) -> Result<Cache, EngineError> {
        let count = positions.checked_mul(width);
        let keys = zeros(count, "the key-value cache")?;
        let values = zeros(count, "the key-value cache")?;
        self.counters.cache_bytes += 2 * size_of_val(keys.as_slice()) as u64;
        Ok(Cache { width, keys, values })
    }

    fn embed(&mut self, table: &Matrix, ids: &[u32], out: &mut Matrix) {
        out.values.clear();
        for &id in ids {
            out.values.extend_from_slice(table.row(id as usize));
        }
    }

    fn rms_norm(&mut self, x: &Matrix, scale: &Matrix, epsilon: f32, out: &mut Matrix) {
        out.values.clear();
        for row in 0..x.rows() {
            let x = x.row(row);
            let mean = dot(x, x) / x.len() as f32;
            let root = (mean + epsilon).sqrt();
            for (x, scale) in x.iter().zip(&scale.values) {
                out.values.push(x / root * scale);
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

    fn rope(&mut self, x: &mut Matrix, angles: &Matrix, first: usize) {
        let (columns, head_size) = (x.columns, angles.columns);
        for (row, values) in x.values.chunks_exact_mut(columns).enumerate() {
            let angles = angles.row(first + row);
            for head in values.chunks_exact_mut(head_size) {
                for i in (0..head_size).step_by(2) {
                    let (cos, sin) = (angles[i], angles[i + 1]);
                    let (a, b) = (head[i], head[i + 1]);
                    head[i] = a * cos - b * sin;
                    head[i + 1] = a * sin + b * cos;
                }
            }
        }
    }

    fn append(&mut self, cache: &mut Cache, keys: &Matrix, values: &Matrix, first: usize) {
        let start = first * cache.width;
        cache.keys[start..start + keys.values.len()].copy_from_slice(&keys.values);
        cache.values[start..start + values.values.len()].copy_from_slice(&values.values);
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
                let positions = heads.first + row + 1;
                let mut weights: Vec<f32> = (0..positions)
                    .map(|p| dot(query, &part(&cache.keys, p, kv_head)))
                    .map(|score| score / (heads.size as f32).sqrt())
                    .collect();
                softmax(&mut weights);
                let mut sum = vec![0.0; heads.size];
                for (position, weight) in weights.iter().enumerate() {
                    for (sum, v) in sum.iter_mut().zip(part(&cache.values, position, kv_head)) {
                        *sum += weight * v;
                    }
                }
                out.values.extend(sum);
            }
        }
    }

    fn swiglu(&mut self, gate: &mut Matrix, up: &Matrix) {
        for (gate, up) in gate.values.iter_mut().zip(&up.values) {
            *gate = *gate / (1.0 + (-*gate).exp()) * up;
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

/// Weights that sum to 1. The greatest score is taken off first, so that `exp` can't overflow.
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
