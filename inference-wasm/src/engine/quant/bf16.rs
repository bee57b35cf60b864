//! `BF16`: the upper half of an `f32`, two little-endian bytes each.
//!
//! Source: `GGML_TYPE_BF16` in ggml's `ggml.h`, `ggml_compute_bf16_to_fp32` in `ggml-impl.h`.

use super::format::Format;

pub(crate) static FORMAT: Format =
    Format { id: 30, name: "BF16", block_weights: 1, block_bytes: 2, dequantize };

fn dequantize(blocks: &[u8], weights: &mut [f32]) {
    for (&[low, high], weight) in blocks.as_chunks::<2>().0.iter().zip(weights) {
        *weight = f32::from_le_bytes([0, 0, low, high]);
    }
}
