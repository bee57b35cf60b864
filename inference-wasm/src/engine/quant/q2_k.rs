//! `Q2_K`: superblocks of 256 weights of 2 bits; scale and least value for every 16.
//!
//! ```text
//! byte 0..16   of each 16 weights: scale s in the low nibble, least value m in the high one
//! byte 16..80  two halves of 32 bytes: bits 2k and 2k + 1 of byte j of half h are q[128h + 32k + j]
//! byte 80..82  scale d of the scales, f16
//! byte 82..84  scale e of the least values, f16
//!                                   weight i = d · s[i / 16] · q[i] − e · m[i / 16]
//! ```
//!
//! Source: `block_q2_K` in ggml's `ggml-common.h`, `dequantize_row_q2_K` in `ggml-quants.c`.

use half::f16;

use super::format::Format;
use super::superblock::{Bytes32, WEIGHTS};

pub(crate) const BYTES: usize = size_of::<Block>();

#[derive(Clone, Copy, bytemuck::AnyBitPattern)]
#[repr(C)]
pub(crate) struct Block {
    pub(crate) parts: [u8; 16],
    pub(crate) q: [Bytes32; 2],
    pub(crate) scale: [u8; 2],
    pub(crate) least: [u8; 2],
}

pub(crate) static FORMAT: Format =
    Format { id: 10, name: "Q2_K", block_weights: WEIGHTS, block_bytes: BYTES, dequantize };

fn dequantize(blocks: &[u8], weights: &mut [f32]) {
    let blocks = blocks.as_chunks::<BYTES>().0;
    for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<WEIGHTS>().0) {
        let block: &Block = bytemuck::cast_ref(block);
        let scale = f16::from_le_bytes(block.scale).to_f32();
        let least = f16::from_le_bytes(block.least).to_f32();
        for (i, weight) in weights.iter_mut().enumerate() {
            let part = block.parts[i / 16];
            let q = block.q[i / 128].as_flattened()[i % 32] >> (i / 32 % 4 * 2) & 3;
            let least = least * f32::from(part >> 4);
            *weight = scale * f32::from(part & 15) * f32::from(q) - least;
        }
    }
}
