//! `F32`: weights as they are, four little-endian bytes each.
//!
//! Source: `GGML_TYPE_F32` in ggml's `ggml.h`.

use super::format::Format;

pub(crate) static FORMAT: Format =
    Format { id: 0, name: "F32", block_weights: 1, block_bytes: 4, dequantize };

fn dequantize(blocks: &[u8], weights: &mut [f32]) {
    for (bytes, weight) in blocks.as_chunks::<4>().0.iter().zip(weights) {
        *weight = f32::from_le_bytes(*bytes);
    }
}
