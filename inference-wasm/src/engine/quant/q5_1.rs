//! `Q5_1`: blocks of 32 weights of 5 bits, a scale and a least value.
//!
//! ```text
//! byte 0..2   scale d, f16
//! byte 2..4   least value m, f16
//! byte 4..8   32 bits: bit i is bit 4 of q[i]
//! byte 8..24  16 pairs: the low nibble of byte j is bits 0 to 3 of q[j], the high one of q[j + 16]
//!                                   weight i = d · q[i] + m
//! ```
//!
//! Source: `block_q5_1` in ggml's `ggml-common.h`, `dequantize_row_q5_1` in `ggml-quants.c`.

use half::f16;

use super::format::Format;

const WEIGHTS: usize = 32;
pub(crate) const BYTES: usize = 24;

pub(crate) static FORMAT: Format =
    Format { id: 7, name: "Q5_1", block_weights: WEIGHTS, block_bytes: BYTES, dequantize };

fn dequantize(blocks: &[u8], weights: &mut [f32]) {
    let blocks = blocks.as_chunks::<BYTES>().0;
    for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<WEIGHTS>().0) {
        let [d0, d1, m0, m1, h0, h1, h2, h3, pairs @ ..] = block;
        let scale = f16::from_le_bytes([*d0, *d1]).to_f32();
        let least = f16::from_le_bytes([*m0, *m1]).to_f32();
        let high = u32::from_le_bytes([*h0, *h1, *h2, *h3]);
        let high = |i: usize| (high >> i & 1) as u8 * 16;
        for (j, &pair) in pairs.iter().enumerate() {
            weights[j] = scale * f32::from(pair & 0x0f | high(j)) + least;
            weights[j + 16] = scale * f32::from(pair >> 4 | high(j + 16)) + least;
        }
    }
}
