//! The backend object, and the passes that draw whole tensors.

use super::context::{self, Listener};
use super::device::{Device, Pass};
use super::errors::unexpected;
use super::layout::Shape;
use super::liveness::Liveness;
use super::program::Number;
use super::shader::{Map, Shader};
use super::tensor::{Scores, Surface, Tensor, Weight};
use super::texture::Texture;
use crate::engine::backend::Adapter;
use crate::protocol::{EngineError, GpuTime};

/// The backend: a WebGL2 context and its scratch tensors.
pub struct Webgl {
    pub(super) device: Device,
    pub(super) adapter: Adapter,
    /// Attention's scratch, as large as needed so far.
    pub(super) scores: Option<Scores>,
    /// The results of the search for the best tokens.
    pub(super) found: Option<Tensor>,
    pub(super) weight_bytes: u64,
    pub(super) cache_bytes: u64,
    /// Checks that the GPU is alive after each read.
    pub(super) liveness: Liveness,
    pub(super) time: GpuTime,
    /// Listens for the loss of the context.
    _listener: Listener,
}

/// The textures and numbers of a pass.
pub(super) type Textures<'p> = &'p [(&'static str, &'p Texture)];
pub(super) type Numbers<'p> = &'p [(&'static str, Number<'p>)];

impl Webgl {
    /// Opens a context, and checks that it computes correctly; fails with `backend-unavailable`,
    /// naming what is missing.
    pub fn new() -> Result<Self, EngineError> {
        let (device, listener, adapter) = context::open()?;
        Ok(Self {
            device,
            adapter,
            scores: None,
            found: None,
            weight_bytes: 0,
            cache_bytes: 0,
            liveness: Liveness::default(),
            time: GpuTime::default(),
            _listener: listener,
        })
    }

    /// Draws the first rows of a tensor.
    fn draw_rows(
        device: &mut Device,
        shader: Shader,
        (surface, shape): (&Surface, Shape),
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

    /// Draws `rows` rows of `out`.
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

    /// Draws the new value of `x`, whose old value the shader reads as `x`.
    pub(super) fn change(
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

    /// `x ← map(x, y)`, with one row of `y` for all rows of `x` if `y_step` is 0.
    pub(super) fn map(&mut self, map: Map, x: &mut Tensor, y: &Tensor, y_step: i32) {
        let numbers =
            [("y_shape", Number::Shape(y.shape.uniform())), ("y_step", Number::Int(y_step))];
        self.change(Shader::Map(map), x, &[("y", &y.front.texture)], &numbers);
    }

    pub(super) fn map_alone(&mut self, map: Map, x: &mut Tensor, factor: f32) {
        let numbers = [("x_first", Number::Int(0)), ("factor", Number::Float(factor))];
        self.change(Shader::Map(map), x, &[], &numbers);
    }

    /// Keeps the error of a weight that is not a vector.
    pub(super) fn not_a_vector(&mut self, weight: &Weight) {
        let message = format!("a weight of {} rows, expected 1", weight.rows);
        self.device.fail(unexpected(&message));
    }
}
