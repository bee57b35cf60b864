//! Backends `wasm` and `cpu`: the same kernels, in a page and natively.
//!
//! Weights stay as they are stored, in the bytes of the file; activations are quantized once for
//! each row, and matrix products run on integers. Formats of plain floats are multiplied by plain
//! floats. Products are cut into ranges of outputs, which a [`Team`] shares.

pub(crate) mod activation;
pub(crate) mod product;
mod team;

use std::cell::RefCell;
use std::ops::Range;

use activation::Activations;
use product::{BlockJob, FloatJob};
use team::Team;

use super::{Activation, Backend, Counters, Heads, ModelBytes, Rotary, RotaryPairs, zeros};
use crate::engine::lanes::{F32x4, dot};
use crate::engine::model::TensorInfo;
use crate::engine::quant::{Format, Kernel};
use crate::protocol::{BackendName, CacheType, EngineError};

/// The kernels' backend.
#[derive(Debug, Default)]
pub struct Cpu {
    counters: Counters,
    team: Team,
    /// Attention's weights of one head: as many as there are positions.
    scores: Vec<f32>,
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

/// Keys and values of a layer: `[positions × width]` each.
#[derive(Debug)]
pub struct Cache {
    width: usize,
    cache_type: CacheType,
    keys: Vec<f32>,
    values: Vec<f32>,
}

impl Cpu {
    /// Outputs of a part of a product, where one output takes `products`: small enough that
    /// threads finish together, and a multiple of what kernels do at a time.
    fn part_outputs(&self, products: usize, outputs: usize) -> usize {
        if self.team.threads() == 1 {
            return outputs;
        }
        let even = outputs.div_ceil(4 * self.team.threads());
        even.max(PART_PRODUCTS.div_ceil(products)).next_multiple_of(product::WIDTH)
    }
}

impl Weight {
    fn bytes(&self) -> &[u8] {
        &self.file[self.bytes.clone()]
    }

    fn row_bytes(&self) -> usize {
        self.columns / self.format.block_weights * self.format.block_bytes
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
        let count = positions.checked_mul(width);
        let keys = zeros(count, "the key-value cache")?;
        let values = zeros(count, "the key-value cache")?;
        self.counters.cache_bytes += 2 * size_of_val(keys.as_slice()) as u64;
        if self.scores.len() < positions {
            self.scores = zeros(Some(positions), "attention scores")?;
        }
        Ok(Cache { width, cache_type, keys, values })
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
        let mut factors = vec![0.0; scale.columns];
        (scale.format.dequantize)(scale.bytes(), &mut factors);
        for head in x.write().chunks_exact_mut(factors.len()) {
            let inverse = 1.0 / (dot(head, head) / head.len() as f32 + epsilon).sqrt();
            for (x, factor) in head.iter_mut().zip(&factors) {
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
        let mut values = vec![0.0; bias.columns];
        (bias.format.dequantize)(bias.bytes(), &mut values);
        for row in x.write().chunks_exact_mut(values.len()) {
            for (x, bias) in row.iter_mut().zip(&values) {
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
        let start = first * cache.width;
        let end = start + keys.values.len();
        cache.keys[start..end].copy_from_slice(&keys.values);
        cache.values[start..end].copy_from_slice(&values.values);
        if cache.cache_type == CacheType::F16 {
            for value in cache.keys[start..end].iter_mut().chain(&mut cache.values[start..end]) {
                *value = half::f16::from_f32(*value).to_f32();
            }
        }
    }

    fn attention(&mut self, queries: &Tensor, cache: &Cache, heads: Heads, out: &mut Tensor) {
        let columns = queries.columns;
        for (row, out) in out.resize(queries.rows()).chunks_exact_mut(columns).enumerate() {
            let visible = heads.visible(row);
            let scores = &mut self.scores[..visible.len()];
            let per_head = queries.row(row).chunks_exact(heads.size);
            for (head, (query, out)) in per_head.zip(out.chunks_exact_mut(heads.size)).enumerate() {
                let start = head * heads.kv / heads.queries * heads.size;
                attend(query, cache, visible.start, start, &heads, scores, out);
            }
        }
    }

    fn gated(&mut self, gate: &mut Tensor, up: &Tensor, activation: Activation) {
        for (gate, up) in gate.write().iter_mut().zip(&up.values) {
            *gate = activation.of(*gate) * up;
        }
    }

    fn scale(&mut self, x: &mut Tensor, factor: f32) {
        for x in x.write() {
            *x *= factor;
        }
    }

    fn soft_cap(&mut self, x: &mut Tensor, cap: f32) {
        for x in x.write() {
            *x = cap * (*x / cap).tanh();
        }
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

/// One head of one row: `out = Σ softmax(scale · query · key) · value` over as many positions from
/// `first` on as `scores` has room for. The head begins at `start` in each position's keys and
/// values.
fn attend(
    query: &[f32],
    cache: &Cache,
    first: usize,
    start: usize,
    heads: &Heads,
    scores: &mut [f32],
    out: &mut [f32],
) {
    let head = start..start + query.len();
    let mut greatest = f32::NEG_INFINITY;
    let keys = cache.keys[first * cache.width..].chunks_exact(cache.width);
    for (score, keys) in scores.iter_mut().zip(keys) {
        *score = dot(query, &keys[head.clone()]) * heads.scale;
        if let Some(cap) = heads.soft_cap {
            *score = cap * (*score / cap).tanh();
        }
        greatest = greatest.max(*score);
    }
    let mut sum = 0.0;
    for score in scores.iter_mut() {
        *score = (*score - greatest).exp();
        sum += *score;
    }
    out.fill(0.0);
    let values = cache.values[first * cache.width..].chunks_exact(cache.width);
    for (score, values) in scores.iter().zip(values) {
        add_scaled(out, &values[head.clone()], score / sum);
    }
}

/// `out += scale · x`.
fn add_scaled(out: &mut [f32], x: &[f32], scale: f32) {
    let (out_lanes, out_rest) = out.as_chunks_mut::<4>();
    let (x_lanes, x_rest) = x.as_chunks::<4>();
    let lanes = F32x4::splat(scale);
    for (out, x) in out_lanes.iter_mut().zip(x_lanes) {
        F32x4::load(out).add(F32x4::load(x).mul(lanes)).store(out);
    }
    for (out, x) in out_rest.iter_mut().zip(x_rest) {
        *out += x * scale;
    }
}

#[cfg(test)]
mod tests;
