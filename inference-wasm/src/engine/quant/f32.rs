//! `F32`: weights as they are, four little-endian bytes each.
//!
//! Source: `GGML_TYPE_F32` in ggml's `ggml.h`.

use super::{Format, Kernel};
use crate::engine::backend::product::{self, Floats};
use crate::engine::lanes::F32x4;

pub(crate) static FORMAT: Format = Format {
    id: 0,
    name: "F32",
    block_weights: 1,
    block_bytes: 4,
    dequantize,
    kernel: Kernel::Floats(product::floats::<F32, 16>),
};

fn dequantize(blocks: &[u8], weights: &mut [f32]) {
    for (bytes, weight) in blocks.as_chunks::<4>().0.iter().zip(weights) {
        *weight = f32::from_le_bytes(*bytes);
    }
}

/// The format, to the kernels.
struct F32;

impl Floats<16> for F32 {
    #[inline(always)]
    fn unpack(four: &[u8; 16]) -> F32x4 {
        F32x4::load(&bytemuck::cast(*four))
    }
}
