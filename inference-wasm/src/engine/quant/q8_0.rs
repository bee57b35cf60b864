//! `Q8_0`: blocks of 32 weights, one scale.
//!
//! ```text
//! byte 0..2   scale d, f16
//! byte 2..34  q[0..32], i8          weight i = d · q[i]
//! ```
//!
//! Source: `block_q8_0` in ggml's `ggml-common.h`, `dequantize_row_q8_0` in `ggml-quants.c`.

use half::f16;

use super::format::Format;

const WEIGHTS: usize = 32;
pub(crate) const BYTES: usize = 34;

pub(crate) static FORMAT: Format =
    Format { id: 8, name: "Q8_0", block_weights: WEIGHTS, block_bytes: BYTES, dequantize };

fn dequantize(blocks: &[u8], weights: &mut [f32]) {
    let blocks = blocks.as_chunks::<BYTES>().0;
    for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<WEIGHTS>().0) {
        let scale = f16::from_le_bytes([block[0], block[1]]).to_f32();
        for (weight, &q) in weights.iter_mut().zip(&block[2..]) {
            *weight = scale * f32::from(q as i8);
        }
    }
}
