//! Tensors, caches and weights as textures: making and filling them. [`layout`](super::layout) and
//! [`weights`](super::weights) define the layouts.

use js_sys::{Float32Array, Uint8Array, Uint16Array, Uint32Array};

use super::device::Device;
use super::errors::unexpected;
use super::layout::{Rectangle, Shape};
use super::texture::{Target, Texels, Texture};
use super::weights::{Packed, Packing};
use crate::engine::backend::CHUNK_ROWS;
use crate::engine::memory::zeros;
use crate::engine::model::TensorInfo;
use crate::protocol::{CacheType, EngineError};

/// Bytes of one upload: a second complete copy of the weights never exists.
const UPLOAD_BYTES: usize = 1 << 20;

#[derive(Debug)]
pub(super) struct Surface {
    pub(super) texture: Texture,
    pub(super) target: Target,
}

impl Surface {
    fn new(device: &mut Device, size: (usize, usize)) -> Result<Self, EngineError> {
        let texture = device.texture(Texels::F32, size)?;
        let target = device.target(&[&texture])?;
        Ok(Self { texture, target })
    }
}

/// Activations: `[rows × columns]`.
#[derive(Debug)]
pub struct Tensor {
    pub(super) shape: Shape,
    /// Rows that have been written.
    pub(super) rows: usize,
    pub(super) front: Surface,
    /// The texture that an op writes if it reads the same tensor; made on first use.
    pub(super) back: Option<Surface>,
}

impl Tensor {
    pub(super) fn new(
        device: &mut Device,
        rows: usize,
        columns: usize,
    ) -> Result<Self, EngineError> {
        let shape = Shape::new(rows, columns, device.max_texels)?;
        let front = Surface::new(device, shape.size())?;
        Ok(Self { shape, rows: 0, front, back: None })
    }

    pub(super) fn filled(
        device: &mut Device,
        columns: usize,
        values: &[f32],
    ) -> Result<Self, EngineError> {
        let rows = values.len().checked_div(columns).unwrap_or(0);
        let mut tensor = Self::new(device, rows, columns)?;
        tensor.rows = rows;
        let (width, height) = tensor.shape.size();
        let mut image: Vec<f32> = zeros((4 * width).checked_mul(height), "a constant tensor")?;
        for (row, values) in values.chunks_exact(columns.max(1)).enumerate() {
            for (columns, float) in tensor.shape.places(row) {
                image[float..float + columns.len()].copy_from_slice(&values[columns]);
            }
        }
        let whole = Rectangle { x: 0, y: 0, width: width as i32, height: height as i32 };
        let image = Float32Array::from(image.as_slice());
        device.upload(&tensor.front.texture, Texels::F32, whole, &image);
        Ok(tensor)
    }

    /// Ensures that there is a back. It starts as a copy, so that rows which no op has written look
    /// the same in both.
    pub(super) fn with_back(&mut self, device: &mut Device) -> Result<(), EngineError> {
        if self.back.is_none() {
            let back = Surface::new(device, self.shape.size())?;
            device.copy(&self.front.target, &back.target, self.shape.size());
            self.back = Some(back);
        }
        Ok(())
    }

    /// Makes the back the front.
    pub(super) fn swap(&mut self) {
        if let Some(back) = &mut self.back {
            std::mem::swap(back, &mut self.front);
        }
    }
}

/// The most floats of scores that are kept, 64 MiB: a long prompt is attended to in fewer rows at a
/// time.
const MAX_SCORES: usize = 1 << 24;

/// Scratch for scores.
pub(super) struct Scores {
    pub(super) tensor: Tensor,
    /// Rows of queries that fit, each with all heads.
    pub(super) rows: usize,
    /// The heads and the positions of the cache that it was made for.
    pub(super) made_for: (usize, usize),
}

impl Scores {
    pub(super) fn new(
        device: &mut Device,
        heads: usize,
        positions: usize,
    ) -> Result<Self, EngineError> {
        let rows = (MAX_SCORES / (heads * positions).max(1)).clamp(1, CHUNK_ROWS);
        let tensor = Tensor::new(device, rows * heads, positions)?;
        Ok(Self { tensor, rows, made_for: (heads, positions) })
    }
}

/// Keys and values of a layer, by position: a row for each.
#[derive(Debug)]
pub struct Cache {
    pub(super) shape: Shape,
    pub(super) is_half: bool,
    pub(super) keys: Texture,
    pub(super) values: Texture,
    /// Draws to both.
    pub(super) target: Target,
    pub(super) bytes: u64,
}

impl Cache {
    pub(super) fn new(
        device: &mut Device,
        positions: usize,
        width: usize,
        cache_type: CacheType,
    ) -> Result<Self, EngineError> {
        let shape = Shape::new(positions, width, device.max_texels)?;
        let (texels, texel_bytes, is_half) = match cache_type {
            CacheType::F32 => (Texels::F32, 16, false),
            CacheType::F16 => (Texels::F16, 8, true),
        };
        let (across, down) = shape.size();
        let keys = device.texture(texels, (across, down))?;
        let values = device.texture(texels, (across, down))?;
        let target = device.target(&[&keys, &values])?;
        let bytes = 2 * texel_bytes * across as u64 * down as u64;
        Ok(Self { shape, is_half, keys, values, target, bytes })
    }
}

/// Weights as stored; vectors also as floats.
#[derive(Debug)]
pub struct Weight {
    pub(super) packing: &'static Packing,
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// Groups of 32 weights in a row.
    pub(super) row_groups: usize,
    pub(super) body: Blocks,
    /// `None` for formats whose blocks are whole texels.
    pub(super) heads: Option<Blocks>,
    /// The operand of norms and biases: a few kilobytes, read by every fragment of an op.
    pub(super) vector: Option<Tensor>,
    pub(super) bytes: u64,
}

/// Texels one after another.
#[derive(Debug)]
pub(super) struct Blocks {
    pub(super) texture: Texture,
    /// Log2 of the texels in a line.
    pub(super) shift: u32,
}

impl Weight {
    pub(super) fn new(
        device: &mut Device,
        file: &[u8],
        tensor: &TensorInfo,
    ) -> Result<Self, EngineError> {
        let packed = Packed::new(file, tensor)?;
        let packing = packed.packing;
        let per = packing.body_texels();
        let (body, mut bytes) =
            blocks(device, Texels::Words, packed.body_texels(), tensor, &|texels, into| {
                // A line may begin within a block.
                let (first, last) = (texels.start / per, texels.end.div_ceil(per));
                packed.write_bodies(first..last.min(packed.blocks), into);
                into.drain(..(texels.start - first * per) * 16);
                into.resize((texels.end - texels.start) * 16, 0);
            })?;
        let heads = match packing.head_numbers() {
            0 => None,
            numbers => {
                let texels = Texels::Halves(numbers);
                let (heads, more) =
                    blocks(device, texels, packed.blocks, tensor, &|texels, into| {
                        packed.write_heads(texels.start..texels.end.min(packed.blocks), into);
                        into.resize((texels.end - texels.start) * 2 * numbers, 0);
                    })?;
                bytes += more;
                Some(heads)
            }
        };
        let (rows, columns) = (tensor.rows(), tensor.columns());
        let vector = if rows == 1 { Some(vector(device, file, tensor)?) } else { None };
        let row_groups = packed.row_groups;
        Ok(Self { packing, rows, columns, row_groups, body, heads, vector, bytes })
    }
}

/// A vector of weights as floats.
fn vector(device: &mut Device, file: &[u8], tensor: &TensorInfo) -> Result<Tensor, EngineError> {
    let mut values: Vec<f32> = zeros(Some(tensor.weights()), &tensor.name)?;
    let bytes = file.get(tensor.bytes.clone()).unwrap_or_default();
    (tensor.format.dequantize)(bytes, &mut values);
    Tensor::filled(device, tensor.columns(), &values)
}

/// A texture of `count` texels, and its size in bytes. `write` appends exactly the bytes of a range
/// of them.
fn blocks(
    device: &mut Device,
    texels: Texels,
    count: usize,
    tensor: &TensorInfo,
    write: &dyn Fn(std::ops::Range<usize>, &mut Vec<u8>),
) -> Result<(Blocks, u64), EngineError> {
    let most = device.max_texels;
    let widest = most.max(1).ilog2();
    // About as wide as high.
    let shift = (count.max(1).next_power_of_two().ilog2().div_ceil(2)).min(widest);
    let width = 1 << shift;
    let height = count.div_ceil(width).max(1);
    if height > most {
        return Err(EngineError::out_of_memory(format!(
            "tensor `{}` takes {count} texels, expected at most {} in a texture of {most} × \
                 {most}",
            tensor.name,
            most << widest
        ))
        .with_hint("use a smaller model"));
    }
    let texture = device.texture(texels, (width, height))?;
    let texel_bytes = match texels {
        Texels::F32 | Texels::Words => 16,
        Texels::F16 => 8,
        Texels::Halves(numbers) => 2 * numbers,
    };
    let lines = (UPLOAD_BYTES / (width * texel_bytes)).max(1);
    let mut bytes = Vec::new();
    for start in (0..height).step_by(lines) {
        let end = (start + lines).min(height);
        bytes.clear();
        write(start * width..end * width, &mut bytes);
        let buffer = Uint8Array::from(bytes.as_slice()).buffer();
        let (x, y) = (0, start as i32);
        let rectangle = Rectangle { x, y, width: width as i32, height: (end - start) as i32 };
        match texels {
            Texels::Words => {
                device.upload(&texture, texels, rectangle, &Uint32Array::new(&buffer));
            }
            Texels::Halves(_) => {
                device.upload(&texture, texels, rectangle, &Uint16Array::new(&buffer));
            }
            Texels::F32 | Texels::F16 => return Err(unexpected("blocks consist of integers")),
        }
    }
    Ok((Blocks { texture, shift }, (width * height * texel_bytes) as u64))
}
