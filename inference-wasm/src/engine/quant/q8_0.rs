//! `Q8_0`: blocks of 32 weights, one scale.
//!
//! ```text
//! byte 0..2   scale d, f16
//! byte 2..34  q[0..32], i8          weight i = d · q[i]
//! ```
//!
//! Source: `block_q8_0` in ggml's `ggml-common.h`, `dequantize_row_q8_0` in `ggml-quants.c`.

use half::f16;

use super::{Format, Kernel};
use crate::engine::backend::product::{self, Blocks, Least, Scales, Unpacked};
use crate::engine::lanes::{F32x4, I16x8, half_to_f32};

const WEIGHTS: usize = 32;
const BYTES: usize = 34;

pub(crate) static FORMAT: Format = Format {
    id: 8,
    name: "Q8_0",
    block_weights: WEIGHTS,
    block_bytes: BYTES,
    dequantize,
    kernel: Kernel::Blocks(product::blocks::<Q80, BYTES>),
};

fn dequantize(blocks: &[u8], weights: &mut [f32]) {
    let blocks = blocks.as_chunks::<BYTES>().0;
    for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<WEIGHTS>().0) {
        let scale = f16::from_le_bytes([block[0], block[1]]).to_f32();
        for (weight, &q) in weights.iter_mut().zip(&block[2..]) {
            *weight = scale * f32::from(q as i8);
        }
    }
}

/// The format, to the kernels.
struct Q80;

impl Blocks<BYTES> for Q80 {
    const GREATEST: i16 = 128;
    const LEAST: Least = Least::None;

    #[inline(always)]
    fn unpack(block: &[u8; BYTES], _group: usize) -> Unpacked {
        let [d0, d1, q @ ..] = block;
        let [low, high] = halves(q);
        let ([a, b], [c, d]) = (I16x8::from_signed(low), I16x8::from_signed(high));
        Unpacked { q: [a, b, c, d], scale: half_to_f32([*d0, *d1]), least: [0.0; 2] }
    }

    #[inline(always)]
    fn scales(blocks: [&[u8; BYTES]; 4], _group: usize) -> Scales {
        Scales { scale: F32x4::from_f16s(blocks.map(super::first_half)), least: [F32x4::ZERO; 2] }
    }
}

/// The first and the last 16 of 32 bytes.
#[inline(always)]
fn halves(bytes: &[u8; WEIGHTS]) -> [&[u8; 16]; 2] {
    let (halves, _) = bytes.as_chunks::<16>();
    [&halves[0], &halves[1]]
}
