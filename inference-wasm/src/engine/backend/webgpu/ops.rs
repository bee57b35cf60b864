//! The ops, each as the dispatches that it records.

use std::ops::Range;

use super::dispatch::{MAX_WORKGROUPS, Webgpu};
use super::kernel::{Element, Kernel, SLICE, THREADS, WIDTH};
use super::packing::GROUP;
use super::tensor::{Cache, Tensor};
use super::weights::Weight;
use crate::engine::backend::{
    Adapter, Backend, Candidate, Counters, Heads, Loss, ModelBytes, Rotary,
};
use crate::engine::model::{Activation, RotaryPairs, TensorInfo};
use crate::protocol::{BackendName, CacheType, EngineError, GpuTime};

/// The most ids of one dispatch of the embedding: they are among its parameters.
const EMBED_IDS: usize = 32;
/// The most values that [`Backend::best`] searches for; beyond that, reading the row is as fast.
const MAX_BEST: usize = 64;

impl Backend for Webgpu {
    type Weight = Weight;
    type Tensor = Tensor;
    type Cache = Cache;

    fn name(&self) -> BackendName {
        BackendName::Webgpu
    }

    fn counters(&self) -> Counters {
        Counters { gpu_dispatches: self.work.dispatched(), ..self.counters }
    }

    fn adapter(&self) -> Option<&Adapter> {
        Some(&self.gpu.adapter)
    }

    fn gpu_time(&self) -> Option<GpuTime> {
        Some(self.work.time())
    }

    fn loss(&self) -> Option<Loss> {
        self.gpu.errors.loss()
    }

    async fn settle(&mut self) -> Result<(), EngineError> {
        // Only the arrival of the answer matters.
        let mut bytes = Vec::new();
        self.work.read(&self.gpu, &self.found, 4, &mut bytes).await?;
        self.work.forget(&self.buffers.destroy_dropped());
        Ok(())
    }

    fn weight(&mut self, file: &ModelBytes, tensor: &TensorInfo) -> Result<Weight, EngineError> {
        let (weight, bytes) = Weight::upload(&self.gpu, &mut self.buffers, file, tensor)?;
        self.counters.weight_bytes += bytes;
        if weight.rows > 1 {
            self.prepare(&weight);
        }
        Ok(weight)
    }

    fn tensor(&mut self, rows: usize, columns: usize) -> Result<Tensor, EngineError> {
        let bytes = rows as u64 * columns as u64 * 4;
        let buffer = self.buffers.make(&self.gpu, bytes, "activations")?;
        Ok(Tensor { buffer, room: rows, rows: 0, columns })
    }

    fn constant(&mut self, columns: usize, values: &[f32]) -> Result<Tensor, EngineError> {
        let rows = values.len() / columns.max(1);
        let tensor = self.tensor(rows, columns)?;
        self.gpu.queue.write_buffer(&tensor.buffer.raw, 0, bytemuck::cast_slice(values));
        Ok(Tensor { rows, ..tensor })
    }

    fn cache(
        &mut self,
        positions: usize,
        width: usize,
        cache_type: CacheType,
    ) -> Result<Cache, EngineError> {
        let is_half = cache_type == CacheType::F16;
        let row_words = if is_half { width.div_ceil(2) } else { width };
        let bytes = positions as u64 * row_words as u64 * 4;
        let mut make = || self.buffers.make(&self.gpu, bytes, "the key-value cache");
        let (keys, values) = (make()?, make()?);
        self.counters.cache_bytes += 2 * bytes;
        Ok(Cache { keys, values, is_half, row_words })
    }

    fn embed(&mut self, table: &Weight, ids: &[u32], out: &mut Tensor) {
        self.resize(out, ids.len());
        let groups = table.columns.div_ceil(GROUP);
        for part in &table.parts {
            for (chunk, first_row) in ids.chunks(EMBED_IDS).zip((0_u32..).step_by(EMBED_IDS)) {
                let mut parameters = vec![
                    chunk.len() as u32,
                    table.columns as u32,
                    groups as u32,
                    table.row_words as u32,
                    part.first_row as u32,
                    part.rows as u32,
                    first_row,
                    0,
                ];
                parameters.extend_from_slice(chunk);
                let workgroups = (chunk.len() * groups).div_ceil(THREADS as usize);
                let kernel = Kernel::Embed { format: table.format.id };
                self.dispatch(kernel, &[&part.buffer, &out.buffer], &parameters, workgroups, 1);
            }
        }
    }

    fn rms_norm(&mut self, x: &Tensor, scale: &Weight, epsilon: f32, out: &mut Tensor) {
        self.resize(out, x.rows);
        let parameters = [x.rows as u32, x.columns as u32, epsilon.to_bits()];
        let buffers = [scale.vector(), &x.buffer, &out.buffer];
        self.dispatch(Kernel::Norm, &buffers, &parameters, x.rows, 1);
    }

    fn rms_norm_in_place(&mut self, x: &mut Tensor, scale: &Weight, epsilon: f32) {
        let heads = x.count() / scale.columns;
        let parameters = [heads as u32, scale.columns as u32, epsilon.to_bits()];
        let buffers = [scale.vector(), &x.buffer];
        self.dispatch(Kernel::NormInPlace, &buffers, &parameters, heads, 1);
    }

    fn matmul(&mut self, matrix: &Weight, x: &Tensor, out: &mut Tensor) {
        self.resize(out, x.rows);
        let groups = matrix.columns.div_ceil(GROUP);
        let strategy = self.strategy(groups, x.rows);
        for part in &matrix.parts {
            let parameters = [
                x.rows as u32,
                matrix.columns as u32,
                groups as u32,
                matrix.row_words as u32,
                matrix.rows as u32,
                part.first_row as u32,
                part.rows as u32,
                0,
            ];
            let buffers = [&part.buffer, &x.buffer, &out.buffer];
            let workgroups = part.rows.div_ceil((WIDTH / strategy.threads()) as usize);
            let layers = x.rows.div_ceil(strategy.rows() as usize);
            self.dispatch(matrix.product(strategy), &buffers, &parameters, workgroups, layers);
        }
    }

    fn add_bias(&mut self, x: &mut Tensor, bias: &Weight) {
        self.each(Element::AddBias, x, Some(bias.vector()), 0, 0.0);
    }

    fn rope(&mut self, x: &mut Tensor, angles: &Tensor, rotary: Rotary, first: usize) {
        let pairs = angles.columns / 2;
        let (step, distance) = match rotary.pairs {
            RotaryPairs::Interleaved => (2, 1),
            RotaryPairs::Halves => (1, pairs as u32),
        };
        let parameters = [
            x.rows as u32,
            x.columns as u32,
            rotary.head_size as u32,
            pairs as u32,
            first as u32,
            step,
            distance,
        ];
        let count = x.rows * (x.columns / rotary.head_size) * pairs;
        let workgroups = count.div_ceil(THREADS as usize);
        self.dispatch(Kernel::Rope, &[&angles.buffer, &x.buffer], &parameters, workgroups, 1);
    }

    fn append(&mut self, cache: &mut Cache, keys: &Tensor, values: &Tensor, first: usize) {
        let parameters =
            [keys.rows as u32, keys.columns as u32, cache.row_words as u32, first as u32];
        let buffers = [&keys.buffer, &values.buffer, &cache.keys, &cache.values];
        let workgroups = (keys.rows * cache.row_words).div_ceil(THREADS as usize);
        let kernel = Kernel::Append { is_half: cache.is_half };
        self.dispatch(kernel, &buffers, &parameters, workgroups, 1);
    }

    fn attention(&mut self, queries: &Tensor, cache: &Cache, heads: Heads, out: &mut Tensor) {
        self.resize(out, queries.rows);
        let parameters = [
            queries.rows as u32,
            heads.queries as u32,
            heads.kv as u32,
            heads.size as u32,
            cache.row_words as u32,
            heads.first as u32,
            heads.window.unwrap_or(0) as u32,
            heads.scale.to_bits(),
            heads.soft_cap.unwrap_or(0.0).to_bits(),
        ];
        let buffers = [&queries.buffer, &cache.keys, &cache.values, &out.buffer];
        let dims = (heads.size as u32).div_ceil(THREADS);
        let kernel = Kernel::Attention { is_half: cache.is_half, dims };
        self.dispatch(kernel, &buffers, &parameters, queries.rows * heads.queries, 1);
    }

    fn gated(&mut self, gate: &mut Tensor, up: &Tensor, activation: Activation) {
        let element = match activation {
            Activation::Silu => Element::Silu,
            Activation::GeluTanh => Element::GeluTanh,
        };
        self.each(element, gate, Some(&up.buffer), 0, 0.0);
    }

    fn add(&mut self, x: &mut Tensor, y: &Tensor) {
        self.each(Element::Add, x, Some(&y.buffer), 0, 0.0);
    }

    fn scale(&mut self, x: &mut Tensor, factor: f32) {
        self.each(Element::Scale, x, None, 0, factor);
    }

    fn soft_cap(&mut self, x: &mut Tensor, cap: f32) {
        self.each(Element::SoftCap, x, None, 0, cap);
    }

    fn rows(&mut self, x: &Tensor, rows: Range<usize>, out: &mut Tensor) {
        self.resize(out, rows.len());
        let first = rows.start * x.columns;
        self.each(Element::Rows, out, Some(&x.buffer), first, 0.0);
    }

    async fn read(&mut self, x: &Tensor, into: &mut Vec<f32>) -> Result<(), EngineError> {
        self.floats(&x.buffer, x.count(), into).await
    }

    async fn best(
        &mut self,
        x: &Tensor,
        count: usize,
    ) -> Result<Option<Vec<Candidate>>, EngineError> {
        if count > MAX_BEST || x.rows == 0 {
            return Ok(None);
        }
        let slices = x.columns.div_ceil(SLICE as usize);
        let bytes = (slices * count * 8) as u64;
        if self.found.raw.size() < bytes {
            self.found = self.buffers.make(&self.gpu, bytes, "the greatest values")?;
        }
        let pipeline = self.kernels.get(&self.gpu.device, Kernel::Best);
        let parameters = [x.columns as u32, count as u32];
        let grid = [(slices as u32).min(MAX_WORKGROUPS), 1, 1];
        self.work.record(&self.gpu, pipeline, &[&x.buffer, &self.found], &parameters, grid);
        let mut found = Vec::new();
        self.work.read(&self.gpu, &self.found, bytes, &mut found).await?;
        self.work.forget(&self.buffers.destroy_dropped());
        let words = |bytes: &[u8; 8]| {
            let [a, b, c, d, logit @ ..] = *bytes;
            Candidate { id: u32::from_le_bytes([a, b, c, d]), logit: f32::from_le_bytes(logit) }
        };
        let mut best: Vec<Candidate> = found.as_chunks::<8>().0.iter().map(words).collect();
        best.retain(|candidate| (candidate.id as usize) < x.columns);
        best.sort_by(Candidate::order);
        best.truncate(count);
        Ok(Some(best))
    }

    async fn read_room(&mut self, x: &Tensor, into: &mut Vec<f32>) -> Result<(), EngineError> {
        self.floats(&x.buffer, x.room * x.columns, into).await
    }
}
