//! Backends `wasm` and `cpu`: the same kernels, in a page and natively.
//!
//! Weights stay as they are stored, in the bytes of the file; activations are quantized once for
//! each row, and matrix products run on integers. Formats of plain floats are multiplied by plain
//! floats. Products are cut into ranges of outputs, which a [`Team`] shares.

pub(crate) mod activation;
mod attention;
mod cache;
#[cfg(feature = "threads")]
mod crew;
pub(crate) mod product;
mod team;

use std::cell::RefCell;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use activation::Activations;
use attention::Piece;
use cache::Cache;
use product::{BlockJob, FloatJob};
use team::Team;

use super::{Activation, Backend, Counters, Heads, ModelBytes, Rotary, RotaryPairs, zeros};
use crate::engine::lanes::{F32x4, dot, padded};
use crate::engine::model::TensorInfo;
use crate::engine::quant::{Format, Kernel};
use crate::protocol::{BackendName, CacheType, EngineError};

/// The kernels' backend.
#[derive(Debug, Default)]
pub struct Cpu {
    counters: Counters,
    team: Team,
    /// Attention's scratch, one for each thread.
    scores: Vec<Mutex<Vec<f32>>>,
    /// A vector of weights as floats, while it is used.
    factors: Vec<f32>,
    /// A product of several rows in the parts that threads have written.
    parts: Vec<f32>,
}

impl Cpu {
    /// A backend that computes on so many threads, the calling one included; fails with
    /// `backend-unavailable` if there can't be that many.
    pub fn new(threads: usize) -> Result<Self, EngineError> {
        Ok(Self { team: Team::new(threads)?, ..Self::default() })
    }
}

/// The least number of products that a part of a matrix is worth a thread's attention for: some
/// microseconds of work, several times what handing it over takes.
const PART_PRODUCTS: usize = 65_536;

/// Weights as the file stores them.
#[derive(Debug)]
pub struct Weight {
    file: ModelBytes,
    bytes: Range<usize>,
    format: &'static Format,
    rows: usize,
    columns: usize,
}

/// `[rows × columns]` in row order, and the same as integers once a product has needed it.
#[derive(Debug)]
pub struct Tensor {
    columns: usize,
    values: Vec<f32>,
    integers: RefCell<Vec<Activations>>,
}

impl Cpu {
    /// Outputs of a part of a product, where one output takes `products`: small enough that
    /// threads finish together, and a multiple of what kernels do at a time.
    fn part_outputs(&self, products: usize, outputs: usize) -> usize {
        if self.team.threads() == 1 {
            return outputs;
        }
        // As many parts for each thread, or one would wait for the other's last.
        let each = (products * outputs / self.team.threads() / PART_PRODUCTS).clamp(1, 4);
        outputs.div_ceil(each * self.team.threads()).next_multiple_of(product::WIDTH)
    }
}

impl Weight {
    fn bytes(&self) -> &[u8] {
        &self.file[self.bytes.clone()]
    }

    fn row_bytes(&self) -> usize {
        self.columns / self.format.block_weights * self.format.block_bytes
    }

    /// A vector as floats.
    fn floats<'a>(&self, into: &'a mut Vec<f32>) -> &'a [f32] {
        into.resize(self.columns, 0.0);
        (self.format.dequantize)(self.bytes(), into);
        into
    }

    /// Makes the integers of activations, where the format needs them and they aren't there yet.
    fn quantize(&self, x: &Tensor) {
        let mut integers = x.integers.borrow_mut();
        if matches!(self.format.kernel, Kernel::Blocks(_)) && integers.is_empty() {
            for row in x.values.chunks_exact(self.columns) {
                activation::quantize_row(row, &mut integers);
            }
        }
    }

    /// Multiplies some rows of the matrix, from `first` on, with all rows of `x`:
    /// `[rows × outputs]`, as many outputs as `out` has room for.
    fn multiply(
        &self,
        first: usize,
        x: &[f32],
        integers: &[Activations],
        rows: usize,
        out: &mut [f32],
    ) {
        let (columns, outputs) = (self.columns, out.len() / rows);
        let weights = &self.bytes()[first * self.row_bytes()..][..outputs * self.row_bytes()];
        match self.format.kernel {
            Kernel::Blocks(multiply) => {
                let row_groups = columns / activation::BLOCK;
                multiply(BlockJob { weights, x: integers, row_groups, out, outputs });
            }
            Kernel::Floats(multiply) => multiply(FloatJob { weights, x, columns, out, outputs }),
        }
    }
}

impl Tensor {
    fn rows(&self) -> usize {
        self.values.len() / self.columns
    }

    fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.columns..(row + 1) * self.columns]
    }

    /// All values, to be written: forgets the integers.
    fn write(&mut self) -> &mut [f32] {
        self.integers.get_mut().clear();
        &mut self.values
    }

    /// The same, with another number of rows.
    fn resize(&mut self, rows: usize) -> &mut [f32] {
        self.values.resize(rows * self.columns, 0.0);
        self.write()
    }
}

impl Backend for Cpu {
    type Weight = Weight;
    type Tensor = Tensor;
    type Cache = Cache;

    fn name(&self) -> BackendName {
        if cfg!(target_arch = "wasm32") { BackendName::Wasm } else { BackendName::Cpu }
    }

    fn threads(&self) -> u32 {
        self.team.worked()
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
        self.scores.resize_with(self.team.threads(), Mutex::default);
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

    fn rms_norm_heads(&mut self, x: &mut Tensor, scale: &Weight, epsilon: f32) {
        let factors = scale.floats(&mut self.factors);
        for head in x.write().chunks_exact_mut(factors.len()) {
            let inverse = 1.0 / (dot(head, head) / head.len() as f32 + epsilon).sqrt();
            for (x, factor) in head.iter_mut().zip(factors) {
                *x *= inverse * factor;
            }
        }
    }

    fn matmul(&mut self, matrix: &Weight, x: &Tensor, out: &mut Tensor) {
        self.counters.kernel_calls += 1;
        let (outputs, rows) = (matrix.rows, x.rows());
        let out = out.resize(rows);
        matrix.quantize(x);
        let integers = x.integers.borrow();
        let (values, integers) = (x.values.as_slice(), integers.as_slice());
        let part = self.part_outputs(rows * matrix.columns, outputs);
        let multiply = |_, (index, out): (usize, &mut [f32])| {
            matrix.multiply(index * part, values, integers, rows, out);
        };
        if rows == 1 || part >= outputs {
            return self.team.share(out.chunks_mut(part * rows).enumerate(), multiply);
        }
        // Each part is `[rows × its outputs]`; one after another, and then row by row.
        self.parts.resize(rows * outputs, 0.0);
        self.team.share(self.parts.chunks_mut(part * rows).enumerate(), multiply);
        for (index, values) in self.parts.chunks(part * rows).enumerate() {
            let width = values.len() / rows;
            for (row, values) in values.chunks_exact(width).enumerate() {
                out[row * outputs + index * part..][..width].copy_from_slice(values);
            }
        }
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
                            turn(a, b, *angle);
                        }
                    }
                    RotaryPairs::Halves => {
                        let (first, second) = rotated.split_at_mut(angles.len());
                        for ((a, b), angle) in first.iter_mut().zip(second).zip(angles) {
                            turn(a, b, *angle);
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
        let (team, scores, queries) = (&self.team, &self.scores, queries.values.as_slice());
        let out = out.resize(rows);
        let attend = |number: usize, piece: Piece<'_>| {
            let mut scratch = scores[number].lock().unwrap_or_else(PoisonError::into_inner);
            attention::attend(queries, cache, &heads, piece, &mut scratch);
        };
        let positions: usize = (0..rows).map(|row| heads.visible(row).len()).sum();
        if team.threads() == 1 || positions * columns < PART_PRODUCTS {
            return attend(0, Piece { rows: 0..rows, kv_heads: 0..heads.kv, out });
        }
        if rows == 1 {
            let group = columns / heads.kv;
            let pieces = out.chunks_exact_mut(group).enumerate();
            let pieces =
                pieces.map(|(head, out)| Piece { rows: 0..1, kv_heads: head..head + 1, out });
            return team.share(pieces, attend);
        }
        let pieces = out.chunks_mut(attention::ROWS * columns).enumerate();
        let pieces = pieces.map(|(index, out)| {
            let first = index * attention::ROWS;
            Piece { rows: first..first + out.len() / columns, kv_heads: 0..heads.kv, out }
        });
        team.share(pieces, attend);
    }

    fn gated(&mut self, gate: &mut Tensor, up: &Tensor, activation: Activation) {
        let gated = |gate: &[f32; 4], up: &[f32; 4]| {
            let (gate, up) = (F32x4::load(gate), F32x4::load(up));
            activated(gate, activation).mul(up)
        };
        let (gates, last_gates) = gate.write().as_chunks_mut::<4>();
        let (ups, last_ups) = up.values.as_chunks::<4>();
        for (gate, up) in gates.iter_mut().zip(ups) {
            gated(gate, up).store(gate);
        }
        let mut last = [0.0; 4];
        gated(&padded(last_gates), &padded(last_ups)).store(&mut last);
        last_gates.copy_from_slice(&last[..last_gates.len()]);
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

/// Turns a pair by an angle, given as cosine and sine.
fn turn(a: &mut f32, b: &mut f32, [cos, sin]: [f32; 2]) {
    (*a, *b) = (*a * cos - *b * sin, *a * sin + *b * cos);
}

/// The function of a gate. Both are the gate times the logistic function: the tangent of `y` and
/// one, halved, are that of `2y`.
#[inline(always)]
fn activated(x: F32x4, activation: Activation) -> F32x4 {
    match activation {
        Activation::Silu => x.times_logistic(x),
        Activation::GeluTanh => {
            // 2 · √(2/π) · (x + 0.044715 · x³)
            let cube = x.mul(x).mul(x).mul(F32x4::splat(0.044_715));
            x.times_logistic(x.add(cube).mul(F32x4::splat(1.595_769)))
        }
    }
}

#[cfg(test)]
mod tests;
