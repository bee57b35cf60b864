//! Backends `wasm` and `cpu`: the same kernels, in a page and natively.
//!
//! Weights stay as stored, in the bytes of the file; activations are quantized once for each row,
//! and matrix products run on integers. Formats of plain floats are multiplied as floats. Products
//! are cut into ranges of outputs, which a [`ThreadPool`] shares.

mod activation;
mod attention;
mod cache;
mod gated;
mod product;
mod tensor;
mod thread_pool;
mod weight;
#[cfg(feature = "threads")]
mod workers;

use std::cell::RefCell;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use attention::Piece;
use cache::Cache;
use gated::apply_gate;
use product::{Kernel, WIDTH};
use tensor::Tensor;
use thread_pool::ThreadPool;
use weight::Weight;

use super::{Backend, Counters, Heads, ModelBytes, Rotary};
use crate::engine::lanes::{F32x4, dot, padded};
use crate::engine::memory::zeros;
use crate::engine::model::{Activation, RotaryPairs, TensorInfo};
use crate::protocol::{BackendName, CacheType, EngineError};

/// The fewest multiplications that are worth handing to a thread: some microseconds of work,
/// several times the cost of handing over.
const PART_PRODUCTS: usize = 65_536;

/// The backend of the CPU kernels.
#[derive(Debug, Default)]
pub struct Cpu {
    counters: Counters,
    pool: ThreadPool,
    /// Attention's scratch, one for each thread.
    scores: Vec<Mutex<Vec<f32>>>,
    /// Scratch: a vector of weights as floats.
    factors: Vec<f32>,
    /// Scratch: a product of several rows, in the parts that threads have written.
    parts: Vec<f32>,
}

impl Cpu {
    /// A backend that computes on `threads` threads, including the calling one; fails with
    /// `backend-unavailable` if it can't have that many.
    pub fn new(threads: usize) -> Result<Self, EngineError> {
        Ok(Self { pool: ThreadPool::new(threads)?, ..Self::default() })
    }

    /// Outputs per part of a product of several rows, where one output takes `products`
    /// multiplications: few enough that threads finish together, and a multiple of what kernels do
    /// at a time.
    fn part_of_batch(&self, products: usize, outputs: usize) -> usize {
        if self.pool.threads() == 1 {
            return outputs;
        }
        // The same number of parts for each thread, or one would wait for another's last part.
        let each = (products * outputs / self.pool.threads() / PART_PRODUCTS).clamp(1, 8);
        outputs.div_ceil(each * self.pool.threads()).next_multiple_of(WIDTH)
    }
}

/// Outputs per part of a product of one row: one part for each thread. Smaller parts would each
/// wait for memory at their start, before anything is prefetched.
fn part_of_row(threads: usize, outputs: usize) -> usize {
    outputs.div_ceil(threads).next_multiple_of(WIDTH)
}

impl Backend for Cpu {
    type Weight = Weight;
    type Tensor = Tensor;
    type Cache = Cache;

    fn name(&self) -> BackendName {
        if cfg!(target_arch = "wasm32") { BackendName::Wasm } else { BackendName::Cpu }
    }

    fn threads(&self) -> u32 {
        self.pool.threads_used()
    }

    fn counters(&self) -> Counters {
        self.counters
    }

    fn weight(&mut self, file: &ModelBytes, tensor: &TensorInfo) -> Result<Weight, EngineError> {
        self.counters.weight_bytes += tensor.bytes.len() as u64;
        Ok(Weight {
            file: ModelBytes::clone(file),
            bytes: tensor.bytes.clone(),
            format: tensor.format,
            kernel: Kernel::of(tensor.format)?,
            rows: tensor.rows(),
            columns: tensor.columns(),
        })
    }

    fn tensor(&mut self, rows: usize, columns: usize) -> Result<Tensor, EngineError> {
        let mut values = zeros(rows.checked_mul(columns), "activations")?;
        values.clear();
        Ok(Tensor { columns, values, integers: RefCell::default() })
    }

    fn constant(&mut self, columns: usize, values: &[f32]) -> Result<Tensor, EngineError> {
        Ok(Tensor { columns, values: values.to_vec(), integers: RefCell::default() })
    }

    fn cache(
        &mut self,
        positions: usize,
        width: usize,
        cache_type: CacheType,
    ) -> Result<Cache, EngineError> {
        let cache = Cache::new(positions, width, cache_type)?;
        self.counters.cache_bytes += cache.bytes() as u64;
        self.scores.resize_with(self.pool.threads(), Mutex::default);
        for scores in &mut self.scores {
            let scores = scores.get_mut().unwrap_or_else(PoisonError::into_inner);
            if scores.len() < attention::scratch(positions) {
                *scores = zeros(Some(attention::scratch(positions)), "attention scores")?;
            }
        }
        Ok(cache)
    }

    fn embed(&mut self, table: &Weight, ids: &[u32], out: &mut Tensor) {
        let row_bytes = table.row_bytes();
        let columns = table.columns;
        let rows = out.resize(ids.len()).chunks_exact_mut(columns);
        for (&id, row) in ids.iter().zip(rows) {
            let start = id as usize * row_bytes;
            (table.format.dequantize)(&table.bytes()[start..start + row_bytes], row);
        }
    }

    fn rms_norm(&mut self, x: &Tensor, scale: &Weight, epsilon: f32, out: &mut Tensor) {
        let columns = x.columns;
        for (row, out) in out.resize(x.rows()).chunks_exact_mut(columns).enumerate() {
            let x = x.row(row);
            let inverse = 1.0 / (dot(x, x) / columns as f32 + epsilon).sqrt();
            (scale.format.dequantize)(scale.bytes(), out);
            for (out, x) in out.iter_mut().zip(x) {
                *out *= x * inverse;
            }
        }
    }

    fn rms_norm_in_place(&mut self, x: &mut Tensor, scale: &Weight, epsilon: f32) {
        let factors = scale.floats(&mut self.factors);
        for head in x.write().chunks_exact_mut(factors.len()) {
            let inverse = 1.0 / (dot(head, head) / head.len() as f32 + epsilon).sqrt();
            for (x, factor) in head.iter_mut().zip(factors) {
                *x *= inverse * factor;
            }
        }
    }

    fn matmul(&mut self, matrix: &Weight, x: &Tensor, out: &mut Tensor) {
        if x.rows() == 1 {
            return self.matmul_each([matrix], x, [out]);
        }
        self.counters.kernel_calls += 1;
        let (outputs, rows) = (matrix.rows, x.rows());
        let integers = x.integers_for([matrix]);
        let (values, integers) = (x.values.as_slice(), integers.as_slice());
        let multiply = |first: usize, out: &mut [f32]| {
            matrix.multiply(first, values, integers, rows, out);
        };
        let out = out.resize(rows);
        let part = self.part_of_batch(rows * matrix.columns, outputs);
        if part >= outputs {
            return multiply(0, out);
        }
        // Each part is `[rows × its outputs]`; the parts are computed one after another, then
        // copied row by row.
        self.parts.resize(rows * outputs, 0.0);
        let parts = self.parts.chunks_mut(part * rows).enumerate();
        self.pool.for_each(parts, |_, (index, out)| multiply(index * part, out));
        let parts = self.parts.as_slice();
        self.pool.for_each(out.chunks_exact_mut(outputs).enumerate(), |_, (row, out)| {
            for (values, out) in parts.chunks(part * rows).zip(out.chunks_mut(part)) {
                out.copy_from_slice(&values[row * out.len()..][..out.len()]);
            }
        });
    }

    fn matmul_each<const N: usize>(
        &mut self,
        matrices: [&Weight; N],
        x: &Tensor,
        outs: [&mut Tensor; N],
    ) {
        let products = matrices.into_iter().zip(outs);
        if x.rows() > 1 {
            return products.for_each(|(matrix, out)| self.matmul(matrix, x, out));
        }
        self.counters.kernel_calls += N as u64;
        let integers = x.integers_for(matrices);
        let (values, integers) = (x.values.as_slice(), integers.as_slice());
        let threads = self.pool.threads();
        let parts = products.flat_map(|(matrix, out)| {
            let part = part_of_row(threads, matrix.rows);
            let parts = out.resize(1).chunks_mut(part).enumerate();
            parts.map(move |(index, out)| (matrix, index * part, out))
        });
        self.pool.for_each(parts, |_, (matrix, first, out)| {
            matrix.multiply(first, values, integers, 1, out);
        });
    }

    fn matmul_gated(
        &mut self,
        [gate, up]: [&Weight; 2],
        x: &Tensor,
        activation: Activation,
        [gates, ups]: [&mut Tensor; 2],
    ) {
        let (rows, outputs) = (x.rows(), gate.rows);
        if rows > 1 {
            self.matmul(gate, x, gates);
            self.matmul(up, x, ups);
            let ups = ups.values.chunks_exact(outputs);
            let rows = gates.write().chunks_exact_mut(outputs).zip(ups);
            return self.pool.for_each(rows, |_, (gates, ups)| apply_gate(gates, ups, activation));
        }
        self.counters.kernel_calls += 2;
        let integers = x.integers_for([gate, up]);
        let (values, integers) = (x.values.as_slice(), integers.as_slice());
        let part = part_of_row(self.pool.threads(), outputs);
        let (gates, ups) = (gates.resize(1).chunks_mut(part), ups.resize(1).chunks_mut(part));
        self.pool.for_each(gates.zip(ups).enumerate(), |_, (index, (gates, ups))| {
            gate.multiply(index * part, values, integers, 1, gates);
            up.multiply(index * part, values, integers, 1, ups);
            apply_gate(gates, ups, activation);
        });
    }

    fn add_bias(&mut self, x: &mut Tensor, bias: &Weight) {
        let values = bias.floats(&mut self.factors);
        for row in x.write().chunks_exact_mut(values.len()) {
            for (x, bias) in row.iter_mut().zip(values) {
                *x += bias;
            }
        }
    }

    fn rope(&mut self, x: &mut Tensor, angles: &Tensor, rotary: Rotary, first: usize) {
        let columns = x.columns;
        for (row, values) in x.write().chunks_exact_mut(columns).enumerate() {
            let angles = angles.row(first + row).as_chunks::<2>().0;
            for head in values.chunks_exact_mut(rotary.head_size) {
                let (rotated, _) = head.split_at_mut(2 * angles.len());
                match rotary.pairs {
                    RotaryPairs::Interleaved => {
                        for (pair, angle) in rotated.as_chunks_mut::<2>().0.iter_mut().zip(angles) {
                            let [a, b] = pair;
                            rotate(a, b, *angle);
                        }
                    }
                    RotaryPairs::Halves => {
                        let (first, second) = rotated.split_at_mut(angles.len());
                        for ((a, b), angle) in first.iter_mut().zip(second).zip(angles) {
                            rotate(a, b, *angle);
                        }
                    }
                }
            }
        }
    }

    fn append(&mut self, cache: &mut Cache, keys: &Tensor, values: &Tensor, first: usize) {
        cache.append(&keys.values, &values.values, first);
    }

    fn attention(&mut self, queries: &Tensor, cache: &Cache, heads: Heads, out: &mut Tensor) {
        let (rows, columns) = (queries.rows(), queries.columns);
        let (pool, scores, queries) = (&self.pool, &self.scores, queries.values.as_slice());
        let out = out.resize(rows);
        let attend = |number: usize, piece: Piece<'_>| {
            let mut scratch = scores[number].lock().unwrap_or_else(PoisonError::into_inner);
            attention::attend(queries, cache, &heads, piece, &mut scratch);
        };
        let positions: usize = (0..rows).map(|row| heads.visible(row).len()).sum();
        if pool.threads() == 1 || positions * columns < PART_PRODUCTS {
            return attend(0, Piece { rows: 0..rows, heads: 0..heads.queries, out });
        }
        if rows == 1 {
            let part = heads.queries.div_ceil(pool.threads());
            let pieces = out.chunks_mut(part * heads.size).enumerate();
            let pieces = pieces.map(|(index, out)| {
                let first = index * part;
                Piece { rows: 0..1, heads: first..first + out.len() / heads.size, out }
            });
            return pool.for_each(pieces, attend);
        }
        let pieces = out.chunks_mut(attention::ROWS * columns).enumerate();
        let pieces = pieces.map(|(index, out)| {
            let first = index * attention::ROWS;
            Piece { rows: first..first + out.len() / columns, heads: 0..heads.queries, out }
        });
        pool.for_each(pieces, attend);
    }

    fn gated(&mut self, gate: &mut Tensor, up: &Tensor, activation: Activation) {
        apply_gate(gate.write(), &up.values, activation);
    }

    fn scale(&mut self, x: &mut Tensor, factor: f32) {
        for x in x.write() {
            *x *= factor;
        }
    }

    fn soft_cap(&mut self, x: &mut Tensor, cap: f32) {
        let cap = F32x4::splat(cap);
        let capped = |x: &[f32; 4]| F32x4::load(x).div(cap).tanh().mul(cap);
        let (fours, rest) = x.write().as_chunks_mut::<4>();
        for four in fours {
            capped(four).store(four);
        }
        let mut last = [0.0; 4];
        capped(&padded(rest)).store(&mut last);
        rest.copy_from_slice(&last[..rest.len()]);
    }

    fn add(&mut self, x: &mut Tensor, y: &Tensor) {
        for (x, y) in x.write().iter_mut().zip(&y.values) {
            *x += y;
        }
    }

    fn rows(&mut self, x: &Tensor, rows: Range<usize>, out: &mut Tensor) {
        let values = &x.values[rows.start * x.columns..rows.end * x.columns];
        out.resize(rows.len()).copy_from_slice(values);
    }

    async fn read(&mut self, x: &Tensor, into: &mut Vec<f32>) -> Result<(), EngineError> {
        into.extend_from_slice(&x.values);
        Ok(())
    }
}

/// Rotates a pair by an angle, given as cosine and sine.
fn rotate(a: &mut f32, b: &mut f32, [cos, sin]: [f32; 2]) {
    (*a, *b) = (*a * cos - *b * sin, *a * sin + *b * cos);
}

#[cfg(test)]
mod tests;
