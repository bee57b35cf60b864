//! The ops, each as the passes that it draws.

use std::ops::Range;

use super::device::Pass;
use super::passes::Webgl;
use super::program::Number;
use super::shader::{Map, Shader};
use super::tensor::{Cache, Tensor, Weight};
use super::texture::Texture;
use super::weights::GROUP;
use crate::engine::backend::{
    Adapter, Backend, CHUNK_ROWS, Candidate, Counters, Heads, Loss, ModelBytes, Rotary,
};
use crate::engine::model::{Activation, RotaryPairs, TensorInfo};
use crate::protocol::{BackendName, CacheType, EngineError, GpuTime};

/// The textures and numbers of a weight.
type OfWeight<'w> = (Vec<(&'static str, &'w Texture)>, Vec<(&'static str, Number<'w>)>);

/// The textures of a weight and the numbers that a shader needs for it.
fn of_weight(weight: &Weight) -> OfWeight<'_> {
    let mut textures = vec![("body", &weight.body.texture)];
    let mut numbers = vec![
        ("body_shift", Number::Int(weight.body.shift as i32)),
        ("groups", Number::Int(weight.row_groups as i32)),
        ("block_shift", Number::Int(weight.packing.block_shift)),
    ];
    if let Some(heads) = &weight.heads {
        textures.push(("heads_of_blocks", &heads.texture));
        numbers.push(("heads_shift", Number::Int(heads.shift as i32)));
    }
    (textures, numbers)
}

impl Backend for Webgl {
    type Weight = Weight;
    type Tensor = Tensor;
    type Cache = Cache;

    fn name(&self) -> BackendName {
        BackendName::Webgl
    }

    fn counters(&self) -> Counters {
        Counters {
            kernel_calls: 0,
            gpu_dispatches: self.device.draws,
            weight_bytes: self.weight_bytes,
            cache_bytes: self.cache_bytes,
        }
    }

    fn adapter(&self) -> Option<&Adapter> {
        Some(&self.adapter)
    }

    fn loss(&self) -> Option<Loss> {
        self.device.loss()
    }

    fn gpu_time(&self) -> Option<GpuTime> {
        Some(self.time)
    }

    async fn settle(&mut self) -> Result<(), EngineError> {
        self.wait()
    }

    fn weight(&mut self, file: &ModelBytes, tensor: &TensorInfo) -> Result<Weight, EngineError> {
        let weight = Weight::new(&mut self.device, file, tensor)?;
        self.weight_bytes += weight.bytes;
        Ok(weight)
    }

    fn tensor(&mut self, rows: usize, columns: usize) -> Result<Tensor, EngineError> {
        Tensor::new(&mut self.device, rows, columns)
    }

    fn constant(&mut self, columns: usize, values: &[f32]) -> Result<Tensor, EngineError> {
        Tensor::filled(&mut self.device, columns, values)
    }

    fn cache(
        &mut self,
        positions: usize,
        width: usize,
        cache_type: CacheType,
    ) -> Result<Cache, EngineError> {
        let cache = Cache::new(&mut self.device, positions, width, cache_type)?;
        self.cache_bytes += cache.bytes;
        Ok(cache)
    }

    fn embed(&mut self, table: &Weight, ids: &[u32], out: &mut Tensor) {
        let mut padded = [0; CHUNK_ROWS];
        for (padded, id) in padded.iter_mut().zip(ids) {
            *padded = *id as i32;
        }
        let (textures, mut numbers) = of_weight(table);
        numbers.push(("ids", Number::Ints(&padded)));
        self.write(Shader::Embed(table.packing), out, ids.len(), &textures, &numbers);
    }

    fn rms_norm(&mut self, x: &Tensor, scale: &Weight, epsilon: f32, out: &mut Tensor) {
        let Some(factors) = &scale.vector else { return self.not_a_vector(scale) };
        let textures = [("x", &x.front.texture), ("scale", &factors.front.texture)];
        let numbers = [
            ("x_shape", Number::Shape(x.shape.uniform())),
            ("scale_shape", Number::Shape(factors.shape.uniform())),
            ("size", Number::Int(x.shape.columns as i32)),
            ("epsilon", Number::Float(epsilon)),
        ];
        self.write(Shader::RmsNorm(true), out, x.rows, &textures, &numbers);
    }

    fn rms_norm_in_place(&mut self, x: &mut Tensor, scale: &Weight, epsilon: f32) {
        let Some(factors) = &scale.vector else { return self.not_a_vector(scale) };
        let numbers = [
            ("scale_shape", Number::Shape(factors.shape.uniform())),
            ("columns", Number::Int(x.shape.columns as i32)),
            ("size", Number::Int(scale.columns as i32)),
            ("epsilon", Number::Float(epsilon)),
        ];
        let is_aligned = scale.columns.is_multiple_of(4) || scale.columns == x.shape.columns;
        self.change(Shader::RmsNorm(is_aligned), x, &[("scale", &factors.front.texture)], &numbers);
    }

    fn matmul(&mut self, matrix: &Weight, x: &Tensor, out: &mut Tensor) {
        let (mut textures, mut numbers) = of_weight(matrix);
        textures.push(("x", &x.front.texture));
        numbers.extend([
            ("x_shape", Number::Shape(x.shape.uniform())),
            ("columns", Number::Int(matrix.columns as i32)),
            ("outputs", Number::Int(matrix.rows as i32)),
        ]);
        let has_tail = !matrix.columns.is_multiple_of(GROUP);
        let shader = Shader::Matmul(matrix.packing, has_tail);
        self.write(shader, out, x.rows, &textures, &numbers);
    }

    fn add_bias(&mut self, x: &mut Tensor, bias: &Weight) {
        match &bias.vector {
            Some(values) => self.map(Map::Add, x, values, 0),
            None => self.not_a_vector(bias),
        }
    }

    fn rope(&mut self, x: &mut Tensor, angles: &Tensor, rotary: Rotary, first: usize) {
        let interleaved = i32::from(rotary.pairs == RotaryPairs::Interleaved);
        let numbers = [
            ("angles_shape", Number::Shape(angles.shape.uniform())),
            ("columns", Number::Int(x.shape.columns as i32)),
            ("head_size", Number::Int(rotary.head_size as i32)),
            ("rotated", Number::Int(angles.shape.columns as i32)),
            ("interleaved", Number::Int(interleaved)),
            ("first", Number::Int(first as i32)),
        ];
        self.change(Shader::Rope, x, &[("angles", &angles.front.texture)], &numbers);
    }

    fn append(&mut self, cache: &mut Cache, keys: &Tensor, values: &Tensor, first: usize) {
        let end = (first + keys.rows).min(cache.shape.rows);
        for rectangle in cache.shape.rectangles(first..end) {
            let numbers = [
                ("out_shape", Number::Shape(cache.shape.uniform())),
                ("out_texels", Number::Int(cache.shape.texels() as i32)),
                ("x_shape", Number::Shape(keys.shape.uniform())),
                ("first", Number::Int(first as i32)),
            ];
            self.device.draw(&Pass {
                shader: Shader::Append(cache.is_half),
                target: &cache.target,
                rectangle,
                textures: &[
                    ("new_keys", &keys.front.texture),
                    ("new_values", &values.front.texture),
                ],
                numbers: &numbers,
            });
        }
    }

    fn attention(&mut self, queries: &Tensor, cache: &Cache, heads: Heads, out: &mut Tensor) {
        if let Err(error) = self.attend(queries, cache, heads, out) {
            self.device.fail(error);
        }
    }

    fn gated(&mut self, gate: &mut Tensor, up: &Tensor, activation: Activation) {
        self.map(Map::Gated(activation), gate, up, 1);
    }

    fn add(&mut self, x: &mut Tensor, y: &Tensor) {
        self.map(Map::Add, x, y, 1);
    }

    fn scale(&mut self, x: &mut Tensor, factor: f32) {
        self.map_alone(Map::Scale, x, factor);
    }

    fn soft_cap(&mut self, x: &mut Tensor, cap: f32) {
        self.map_alone(Map::SoftCap, x, cap);
    }

    fn rows(&mut self, x: &Tensor, rows: Range<usize>, out: &mut Tensor) {
        let numbers = [
            ("x_shape", Number::Shape(x.shape.uniform())),
            ("x_first", Number::Int(rows.start as i32)),
        ];
        let textures = [("x", &x.front.texture)];
        self.write(Shader::Map(Map::Copy), out, rows.len(), &textures, &numbers);
    }

    async fn read(&mut self, x: &Tensor, into: &mut Vec<f32>) -> Result<(), EngineError> {
        self.read_rows(x, x.rows, into)
    }

    async fn best(
        &mut self,
        x: &Tensor,
        count: usize,
    ) -> Result<Option<Vec<Candidate>>, EngineError> {
        self.find_best(x, count).map(Some)
    }

    async fn read_room(&mut self, x: &Tensor, into: &mut Vec<f32>) -> Result<(), EngineError> {
        self.read_rows(x, x.shape.rows, into)
    }
}
