//! `F16`: IEEE half precision, two little-endian bytes each.
//!
//! Source: `GGML_TYPE_F16` in ggml's `ggml.h`.

use half::f16;

use super::format::Format;

pub(crate) static FORMAT: Format =
    Format { id: 1, name: "F16", block_weights: 1, block_bytes: 2, dequantize };

fn dequantize(blocks: &[u8], weights: &mut [f32]) {
    for (bytes, weight) in blocks.as_chunks::<2>().0.iter().zip(weights) {
        *weight = f16::from_le_bytes(*bytes).to_f32();
    }
}
