//! The ops, each as the passes that it draws.

use std::ops::Range;

use super::attention::Scores;
use super::context::{self, Listener};
use super::device::{Device, Number, Pass, Texture};
use super::shader::{Map, Shader};
use super::tensor::{Cache, Surface, Tensor, Weight};
use super::weights::GROUP;
use crate::engine::backend::{
    Activation, Adapter, Backend, CHUNK_ROWS, Candidate, Counters, Heads, Loss, ModelBytes, Rotary,
    RotaryPairs,
};
use crate::engine::model::TensorInfo;
use crate::protocol::{BackendName, CacheType, EngineError, GpuTime};

/// A WebGL2 context that computes.
pub struct Webgl {
    pub(super) device: Device,
    adapter: Adapter,
    /// Attention's scratch, as large as it has been needed.
    pub(super) scores: Option<Scores>,
    /// What the search for the best tokens leaves.
    pub(super) found: Option<Tensor>,
    weight_bytes: u64,
    cache_bytes: u64,
    pub(super) time: GpuTime,
    /// Hears of the loss of the context.
    _listener: Listener,
}

/// Textures and numbers of a pass, beside its target.
type Textures<'p> = &'p [(&'static str, &'p Texture)];
type Numbers<'p> = &'p [(&'static str, Number<'p>)];

impl Webgl {
    /// Gets a context, and checks that it computes right.
    ///
    /// # Errors
    /// `backend-unavailable`, with what is missing.
    pub fn new() -> Result<Self, EngineError> {
        let (device, listener, adapter) = context::open()?;
        Ok(Self {
            device,
            adapter,
            scores: None,
            found: None,
            weight_bytes: 0,
            cache_bytes: 0,
            time: GpuTime::default(),
            _listener: listener,
        })
    }

    /// Draws some rows of a tensor of this shape.
    fn draw_rows(
        device: &mut Device,
        shader: Shader,
        (surface, shape): (&Surface, super::layout::Shape),
        rows: usize,
        textures: Textures<'_>,
        numbers: Numbers<'_>,
    ) {
        for rectangle in shape.rectangles(0..rows) {
            let own = [
                ("out_shape", Number::Shape(shape.uniform())),
                ("out_texels", Number::Int(shape.texels() as i32)),
            ];
            let numbers = &[&own, numbers].concat();
            let target = &surface.target;
            device.draw(&Pass { shader, target, rectangle, textures, numbers });
        }
    }

    /// Draws `out`, as many rows as given.
    pub(super) fn write(
        &mut self,
        shader: Shader,
        out: &mut Tensor,
        rows: usize,
        textures: Textures<'_>,
        numbers: Numbers<'_>,
    ) {
        let rows = rows.min(out.shape.rows);
        let (front, shape) = (&out.front, out.shape);
        Self::draw_rows(&mut self.device, shader, (front, shape), rows, textures, numbers);
        out.rows = rows;
    }

    /// Draws what becomes of `x`, which the shader reads as `x`.
    fn change(
        &mut self,
        shader: Shader,
        x: &mut Tensor,
        textures: Textures<'_>,
        numbers: Numbers<'_>,
    ) {
        if let Err(error) = x.with_back(&mut self.device) {
            return self.device.fail(error);
        }
        let Some(back) = &x.back else { return };
        let shape = x.shape;
        let textures = &[&[("x", &x.front.texture)], textures].concat();
        let numbers = &[&[("x_shape", Number::Shape(shape.uniform()))], numbers].concat();
        Self::draw_rows(&mut self.device, shader, (back, shape), x.rows, textures, numbers);
        x.swap();
    }

    /// `x ← map(x, y)`, with one row of `y` for all rows of `x` where `y_step` is 0.
    fn map(&mut self, map: Map, x: &mut Tensor, y: &Tensor, y_step: i32) {
        let numbers =
            [("y_shape", Number::Shape(y.shape.uniform())), ("y_step", Number::Int(y_step))];
        self.change(Shader::Map(map), x, &[("y", &y.front.texture)], &numbers);
    }

    fn map_alone(&mut self, map: Map, x: &mut Tensor, factor: f32) {
        let numbers = [("x_first", Number::Int(0)), ("factor", Number::Float(factor))];
        self.change(Shader::Map(map), x, &[], &numbers);
    }

    /// Keeps the error of a weight that is no vector.
    fn no_vector(&mut self, weight: &Weight) {
        let message = format!("a weight of {} rows, expected 1", weight.rows);
        self.device.fail(super::device::unexpected(&message));
    }
}

/// What [`Textures`] and [`Numbers`] are cut from.
type OfWeight<'w> = (Vec<(&'static str, &'w Texture)>, Vec<(&'static str, Number<'w>)>);

/// The textures of a weight and what a shader has to know of it.
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
        let Some(factors) = &scale.vector else { return self.no_vector(scale) };
        let textures = [("x", &x.front.texture), ("scale", &factors.front.texture)];
        let numbers = [
            ("x_shape", Number::Shape(x.shape.uniform())),
            ("scale_shape", Number::Shape(factors.shape.uniform())),
            ("size", Number::Int(x.shape.columns as i32)),
            ("epsilon", Number::Float(epsilon)),
        ];
        self.write(Shader::RmsNorm(true), out, x.rows, &textures, &numbers);
    }

    fn rms_norm_heads(&mut self, x: &mut Tensor, scale: &Weight, epsilon: f32) {
        let Some(factors) = &scale.vector else { return self.no_vector(scale) };
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
            None => self.no_vector(bias),
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
