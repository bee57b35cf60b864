//! The operands of ops: seeded numbers, and weights in every format.
//!
//! A case's inputs depend only on its name, so it gives the same results alone and among others.
//! The [table](super::table) lists the cases.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

use crate::engine::backend::ModelBytes;
use crate::engine::model::TensorInfo;
use crate::engine::quant::Format;

/// The sizes of a case's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Values {
    /// Both signs, magnitudes from 1/4 to 1, so that a missing term of a sum shows; the last of
    /// each row from 2 to 8, so that a loop which ends early shows.
    Ordinary,
    /// Activations of all sizes up to 10⁴, weights up to 8: products and sums exceed half
    /// precision, which ends at 65504.
    Large,
    /// Zeros: nothing may divide by them.
    Zeros,
    /// Stored integers and scales at the ends of their range.
    Ends,
}

impl Values {
    /// Their part of a case's name.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Ordinary => "",
            Self::Large => ",values=large",
            Self::Zeros => ",values=zeros",
            Self::Ends => ",values=ends",
        }
    }
}

/// The operands of one op.
#[derive(Debug, Default)]
pub(super) struct Operands {
    /// Activations; queries.
    pub(super) x: Vec<f32>,
    /// The second operand; keys.
    pub(super) y: Vec<f32>,
    /// Values of attention, as many as keys.
    pub(super) z: Vec<f32>,
    /// A matrix or a vector of weights.
    pub(super) weight: Option<(ModelBytes, TensorInfo)>,
    /// Rows of a table.
    pub(super) ids: Vec<u32>,
}

/// A stream of random numbers.
pub(super) struct Source(ChaCha8Rng);

impl Source {
    /// The stream of a case.
    pub(super) fn of(name: &str) -> Self {
        Self(ChaCha8Rng::from_seed(Sha256::digest(name).into()))
    }

    /// A number from 0 to less than 1.
    fn fraction(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 / 16_777_216.0
    }

    /// A whole number below `end`.
    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0.next_u32() as usize % end
    }

    /// A number of either sign, with a magnitude from `least` to less than `greatest`.
    pub(super) fn signed(&mut self, least: f32, greatest: f32) -> f32 {
        let magnitude = least + (greatest - least) * self.fraction();
        if self.0.next_u32() & 1 == 0 { magnitude } else { -magnitude }
    }

    /// `[rows × columns]` activations.
    pub(super) fn rows(&mut self, rows: usize, columns: usize, values: Values) -> Vec<f32> {
        let mut all = Vec::with_capacity(rows * columns);
        for at in 0..rows * columns {
            let is_last = at % columns == columns - 1;
            all.push(match values {
                Values::Zeros => 0.0,
                Values::Ordinary if is_last => self.signed(2.0, 8.0),
                Values::Ordinary => self.signed(0.25, 1.0),
                Values::Large if is_last => self.signed(9e3, 1e4),
                Values::Large => {
                    let size = 10_f32.powi(self.below(5) as i32);
                    self.signed(0.25 * size, size)
                }
                Values::Ends => self.signed(1.0, 1.0),
            });
        }
        all
    }

    /// A matrix of weights, `[rows × columns]`, in a file whose other bytes are NaN in every
    /// format, so that a read beyond the tensor shows.
    pub(super) fn weight(
        &mut self,
        format: &'static Format,
        (rows, columns): (usize, usize),
        values: Values,
    ) -> (ModelBytes, TensorInfo) {
        // Tensors begin at multiples of 32 in a GGUF file.
        const MARGIN: usize = 32;
        let mut file = vec![0xff; MARGIN];
        for block in 0..rows * columns / format.block_weights {
            let is_last = ((block + 1) * format.block_weights).is_multiple_of(columns);
            self.block(format, values, is_last, &mut file);
        }
        let end = file.len();
        file.resize(end + MARGIN, 0xff);
        let tensor = TensorInfo {
            name: "case".into(),
            dimensions: vec![columns, rows],
            format,
            bytes: MARGIN..end,
            entry_offset: 0,
        };
        (ModelBytes::new(file), tensor)
    }

    /// A vector of weights, `[columns]`.
    pub(super) fn vector(
        &mut self,
        format: &'static Format,
        columns: usize,
        values: Values,
    ) -> (ModelBytes, TensorInfo) {
        let (file, mut tensor) = self.weight(format, (1, columns), values);
        tensor.dimensions = vec![columns];
        (file, tensor)
    }

    fn block(&mut self, format: &Format, values: Values, is_last: bool, file: &mut Vec<u8>) {
        let float = match values {
            Values::Zeros => 0.0,
            Values::Ordinary if is_last => self.signed(1.0, 2.0),
            Values::Ordinary => self.signed(0.25, 1.0),
            Values::Large => self.signed(2.0, 8.0),
            Values::Ends => self.signed(65_504.0, 65_504.0),
        };
        match format.name {
            "F32" => return file.extend(float.to_le_bytes()),
            "F16" => return file.extend(half::f16::from_f32(float).to_le_bytes()),
            "BF16" => return file.extend(half::bf16::from_f32(float).to_le_bytes()),
            _ => {}
        }
        let start = file.len();
        let fill = match values {
            Values::Ends => Some([0x00, 0x0f, 0xf0, 0xff, 0x80, 0x7f, 0x88, 0x77][self.below(8)]),
            _ => None,
        };
        file.extend((0..format.block_bytes).map(|_| fill.unwrap_or(self.0.next_u32() as u8)));
        let layout = Layout::of(format);
        let scale = layout.greatest.map(|greatest| float / greatest);
        for (at, value) in layout.halves.into_iter().zip(scale) {
            if let Some(at) = at {
                let at = start + at;
                // A random sign, whatever that of the scale is.
                let value = if self.0.next_u32() & 1 == 0 { value } else { -value };
                let value = half::f16::from_f32(value.clamp(-65_504.0, 65_504.0));
                file[at..at + 2].copy_from_slice(&value.to_le_bytes());
            }
        }
    }
}

/// The offsets in a block of its half-precision numbers: its scale, and its least value or the
/// scale of least values. The rest are integers, which may be any bits.
struct Layout {
    halves: [Option<usize>; 2],
    /// The greatest magnitude of the integers that each is multiplied by.
    greatest: [f32; 2],
}

impl Layout {
    fn of(format: &Format) -> Self {
        let (halves, greatest) = match format.name {
            "Q4_0" => ([Some(0), None], [8.0, 1.0]),
            "Q4_1" => ([Some(0), Some(2)], [15.0, 1.0]),
            "Q5_0" => ([Some(0), None], [16.0, 1.0]),
            "Q5_1" => ([Some(0), Some(2)], [31.0, 1.0]),
            "Q2_K" => ([Some(80), Some(82)], [15.0 * 3.0, 15.0]),
            "Q3_K" => ([Some(108), None], [32.0 * 4.0, 1.0]),
            "Q4_K" => ([Some(0), Some(2)], [63.0 * 15.0, 63.0]),
            "Q5_K" => ([Some(0), Some(2)], [63.0 * 31.0, 63.0]),
            "Q6_K" => ([Some(208), None], [128.0 * 32.0, 1.0]),
            // Q8_0 and IQ4_NL.
            _ => ([Some(0), None], [128.0, 1.0]),
        };
        Self { halves, greatest }
    }
}

/// Weights as `f32`, and for each the magnitude of its parts: a part with the scale, and a least
/// value, which may cancel.
pub(super) fn dense((file, tensor): &(ModelBytes, TensorInfo)) -> (Vec<f32>, Vec<f64>) {
    let format = tensor.format;
    let mut blocks = file[tensor.bytes.clone()].to_vec();
    let mut weights = vec![0.0; tensor.weights()];
    (format.dequantize)(&blocks, &mut weights);
    let mut leasts = vec![0.0; tensor.weights()];
    if format.block_weights > 1
        && let [Some(scale), Some(_)] = Layout::of(format).halves
    {
        for block in blocks.chunks_exact_mut(format.block_bytes) {
            block[scale..scale + 2].fill(0);
        }
        (format.dequantize)(&blocks, &mut leasts);
    }
    let parts = weights.iter().zip(&leasts).map(|(&weight, &least)| {
        let (weight, least) = (f64::from(weight), f64::from(least));
        (weight - least).abs() + least.abs()
    });
    let parts = parts.collect();
    (weights, parts)
}
