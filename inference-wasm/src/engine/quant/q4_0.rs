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

use super::format::Format;

const WEIGHTS: usize = 32;
pub(crate) const BYTES: usize = 18;

pub(crate) static FORMAT: Format =
    Format { id: 2, name: "Q4_0", block_weights: WEIGHTS, block_bytes: BYTES, dequantize };

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
