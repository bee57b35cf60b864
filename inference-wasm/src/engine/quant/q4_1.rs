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

use super::format::Format;

const WEIGHTS: usize = 32;
pub(crate) const BYTES: usize = 20;

pub(crate) static FORMAT: Format =
    Format { id: 3, name: "Q4_1", block_weights: WEIGHTS, block_bytes: BYTES, dequantize };

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
