//! `Q4_K`: superblocks of 256 weights of 4 bits; scale and least value for every 32.
//!
//! ```text
//! byte 0..2     scale d of the scales, f16
//! byte 2..4     scale e of the least values, f16
//! byte 4..16    eight scales s and eight least values m, 6 bits each: see `scale_and_least`
//! byte 16..144  four quarters of 32 bytes: the low nibble of byte j of quarter k is q[64k + j], the
//!               high one q[64k + 32 + j]
//!                                   weight i = d · s[i / 32] · q[i] − e · m[i / 32]
//! ```
//!
//! Source: `block_q4_K` in ggml's `ggml-common.h`, `dequantize_row_q4_K` in `ggml-quants.c`.

use half::f16;

use super::format::Format;
use super::superblock::{Bytes32, WEIGHTS, scale_and_least};

pub(crate) const BYTES: usize = size_of::<Block>();

#[derive(Clone, Copy, bytemuck::AnyBitPattern)]
#[repr(C)]
pub(crate) struct Block {
    pub(crate) scale: [u8; 2],
    pub(crate) least: [u8; 2],
    pub(crate) parts: [u8; 12],
    pub(crate) pairs: [Bytes32; 4],
}

pub(crate) static FORMAT: Format =
    Format { id: 12, name: "Q4_K", block_weights: WEIGHTS, block_bytes: BYTES, dequantize };

fn dequantize(blocks: &[u8], weights: &mut [f32]) {
    let blocks = blocks.as_chunks::<BYTES>().0;
    for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<WEIGHTS>().0) {
        let block: &Block = bytemuck::cast_ref(block);
        let scale = f16::from_le_bytes(block.scale).to_f32();
        let least = f16::from_le_bytes(block.least).to_f32();
        for (i, weight) in weights.iter_mut().enumerate() {
            let [s, m] = scale_and_least(&block.parts, i / 32).map(f32::from);
            let q = block.pairs[i / 64].as_flattened()[i % 32] >> (i / 32 % 2 * 4) & 15;
            *weight = scale * s * f32::from(q) - least * m;
        }
    }
}
