//! `IQ4_NL`: blocks of 32 weights of 4 bits, one scale; a nibble is an index into a table whose
//! steps grow away from zero.
//!
//! ```text
//! byte 0..2   scale d, f16
//! byte 2..18  16 pairs: the low nibble of byte j is q[j], the high one q[j + 16]
//!                                   weight i = d · TABLE[q[i]]
//! ```
//!
//! Source: `block_iq4_nl` and `kvalues_iq4nl` in ggml's `ggml-common.h`, `dequantize_row_iq4_nl` in
//! `ggml-quants.c`.

use half::f16;

use super::format::Format;

const WEIGHTS: usize = 32;
pub(crate) const BYTES: usize = 18;

pub(crate) const TABLE: [i8; 16] =
    [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

pub(crate) static FORMAT: Format =
    Format { id: 20, name: "IQ4_NL", block_weights: WEIGHTS, block_bytes: BYTES, dequantize };

fn dequantize(blocks: &[u8], weights: &mut [f32]) {
    let blocks = blocks.as_chunks::<BYTES>().0;
    for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<WEIGHTS>().0) {
        let scale = f16::from_le_bytes([block[0], block[1]]).to_f32();
        for (j, &pair) in block[2..].iter().enumerate() {
            weights[j] = scale * f32::from(TABLE[usize::from(pair & 0x0f)]);
            weights[j + 16] = scale * f32::from(TABLE[usize::from(pair >> 4)]);
        }
    }
}
