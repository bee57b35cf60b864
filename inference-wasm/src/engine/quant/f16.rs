//! `F16`: IEEE half precision, two little-endian bytes each.
//!
//! Source: `GGML_TYPE_F16` in ggml's `ggml.h`.

use half::f16;

use super::{Format, Kernel};
use crate::engine::backend::product::{self, Floats};
use crate::engine::lanes::F32x4;

pub(crate) static FORMAT: Format = Format {
    id: 1,
    name: "F16",
    block_weights: 1,
    block_bytes: 2,
    dequantize,
    kernel: Kernel::Floats(product::floats::<F16, 8>),
};

fn dequantize(blocks: &[u8], weights: &mut [f32]) {
    for (bytes, weight) in blocks.as_chunks::<2>().0.iter().zip(weights) {
        *weight = f16::from_le_bytes(*bytes).to_f32();
    }
}

/// The format, to the kernels.
struct F16;

impl Floats<8> for F16 {
    #[inline(always)]
    fn unpack(four: &[u8; 8]) -> F32x4 {
        F32x4::from_f16(four)
    }
}
