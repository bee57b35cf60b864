//! `Q4_1`: blocks of 32 weights of 4 bits, a scale and a least value.
//!
//! ```text
//! byte 0..2   scale d, f16
//! byte 2..4   least value m, f16
//! byte 4..20  16 pairs: the low nibble of byte j is q[j], the high one q[j + 16]
//!                                   weight i = d · q[i] + m
//! ```
//!
//! Source: `block_q4_1` in ggml's `ggml-common.h`, `dequantize_row_q4_1` in `ggml-quants.c`.

use half::f16;

use super::{Format, Kernel};
use crate::engine::backend::product::{self, Blocks, Least, Scales, Unpacked};
use crate::engine::lanes::{F32x4, I8x16, I16x8, half_to_f32};

const WEIGHTS: usize = 32;
const BYTES: usize = 20;

pub(crate) static FORMAT: Format = Format {
    id: 3,
    name: "Q4_1",
    block_weights: WEIGHTS,
    block_bytes: BYTES,
    dequantize,
    kernel: Kernel::Blocks(product::blocks::<Q41, BYTES>),
};

fn dequantize(blocks: &[u8], weights: &mut [f32]) {
    let blocks = blocks.as_chunks::<BYTES>().0;
    for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<WEIGHTS>().0) {
        let scale = f16::from_le_bytes([block[0], block[1]]).to_f32();
        let least = f16::from_le_bytes([block[2], block[3]]).to_f32();
        for (j, &pair) in block[4..].iter().enumerate() {
            weights[j] = scale * f32::from(pair & 0x0f) + least;
            weights[j + 16] = scale * f32::from(pair >> 4) + least;
        }
    }
}

/// The format, to the kernels.
pub(super) struct Q41;

impl Blocks<BYTES> for Q41 {
    const GREATEST: i16 = 15;
    const LEAST: Least = Least::Whole;
    const SEVEN_BITS: Option<i16> = Some(0);

    #[inline(always)]
    fn unpack(block: &[u8; BYTES], _group: usize) -> Unpacked {
        let [d0, d1, m0, m1, pairs @ ..] = block;
        let q = I16x8::from_nibbles(pairs);
        Unpacked { q, scale: half_to_f32([*d0, *d1]), least: [half_to_f32([*m0, *m1]); 2] }
    }

    #[inline(always)]
    fn seven_bits(block: &[u8; BYTES], _group: usize) -> [I8x16; 2] {
        let [_, _, _, _, pairs @ ..] = block;
        I8x16::from_nibbles(pairs)
    }

    #[inline(always)]
    fn scales(blocks: [&[u8; BYTES]; 4], _group: usize) -> Scales {
        let [scale, least] =
            F32x4::from_f16_pairs(blocks.map(|block| &block.as_chunks::<4>().0[0]));
        Scales { scale, least: [least; 2] }
    }
}
