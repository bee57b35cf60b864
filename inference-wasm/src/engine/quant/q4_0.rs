//! `Q4_0`: blocks of 32 weights of 4 bits, one scale, centred on 8.
//!
//! ```text
//! byte 0..2   scale d, f16
//! byte 2..18  16 pairs: the low nibble of byte j is q[j], the high one q[j + 16]
//!                                   weight i = d · (q[i] − 8)
//! ```
//!
//! Source: `block_q4_0` in ggml's `ggml-common.h`, `dequantize_row_q4_0` in `ggml-quants.c`.

use half::f16;

use super::{Format, Kernel};
use crate::engine::backend::product::{self, Blocks, Least, Scales, Unpacked};
use crate::engine::lanes::{F32x4, I8x16, I16x8, half_to_f32};

const WEIGHTS: usize = 32;
const BYTES: usize = 18;

pub(crate) static FORMAT: Format = Format {
    id: 2,
    name: "Q4_0",
    block_weights: WEIGHTS,
    block_bytes: BYTES,
    dequantize,
    kernel: Kernel::Blocks(product::blocks::<Q40, BYTES>),
};

fn dequantize(blocks: &[u8], weights: &mut [f32]) {
    let blocks = blocks.as_chunks::<BYTES>().0;
    for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<WEIGHTS>().0) {
        let scale = f16::from_le_bytes([block[0], block[1]]).to_f32();
        for (j, &pair) in block[2..].iter().enumerate() {
            weights[j] = scale * (f32::from(pair & 0x0f) - 8.0);
            weights[j + 16] = scale * (f32::from(pair >> 4) - 8.0);
        }
    }
}

/// The format, to the kernels.
pub(super) struct Q40;

impl Blocks<BYTES> for Q40 {
    const GREATEST: i16 = 8;
    const LEAST: Least = Least::None;
    const SEVEN_BITS: Option<i16> = Some(8);

    #[inline(always)]
    fn unpack(block: &[u8; BYTES], _group: usize) -> Unpacked {
        let [d0, d1, pairs @ ..] = block;
        let q = I16x8::from_nibbles(pairs).map(|q| q.minus(8));
        Unpacked { q, scale: half_to_f32([*d0, *d1]), least: [0.0; 2] }
    }

    #[inline(always)]
    fn seven_bits(block: &[u8; BYTES], _group: usize) -> [I8x16; 2] {
        let [_, _, pairs @ ..] = block;
        I8x16::from_nibbles(pairs)
    }

    #[inline(always)]
    fn scales(blocks: [&[u8; BYTES]; 4], _group: usize) -> Scales {
        Scales { scale: F32x4::from_f16s(blocks.map(super::first_half)), least: [F32x4::ZERO; 2] }
    }
}
