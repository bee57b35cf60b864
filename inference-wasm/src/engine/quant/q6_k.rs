//! `Q6_K`: superblocks of 256 weights of 6 bits, centred on 32; a scale for every 16.
//!
//! ```text
//! byte 0..128    two halves of 64 bytes: the low nibble of byte j of half h is bits 0 to 3 of
//!                q[128h + j], the high one of q[128h + 64 + j]
//! byte 128..192  two halves of 32 bytes: bits 2k and 2k + 1 of byte j of half h are bits 4 and 5 of
//!                q[128h + 32k + j]
//! byte 192..208  sixteen scales s, i8
//! byte 208..210  scale d of the scales, f16
//!                                   weight i = d · s[i / 16] · (q[i] − 32)
//! ```
//!
//! Source: `block_q6_K` in ggml's `ggml-common.h`, `dequantize_row_q6_K` in `ggml-quants.c`.

use half::f16;

use super::format::Format;
use super::superblock::{Bytes32, WEIGHTS};

pub(crate) const BYTES: usize = size_of::<Block>();

#[derive(Clone, Copy, bytemuck::AnyBitPattern)]
#[repr(C)]
pub(crate) struct Block {
    pub(crate) low: [[Bytes32; 2]; 2],
    pub(crate) high: [Bytes32; 2],
    pub(crate) parts: [i8; 16],
    pub(crate) scale: [u8; 2],
}

pub(crate) static FORMAT: Format =
    Format { id: 14, name: "Q6_K", block_weights: WEIGHTS, block_bytes: BYTES, dequantize };

fn dequantize(blocks: &[u8], weights: &mut [f32]) {
    let blocks = blocks.as_chunks::<BYTES>().0;
    for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<WEIGHTS>().0) {
        let block: &Block = bytemuck::cast_ref(block);
        let scale = f16::from_le_bytes(block.scale).to_f32();
        for (i, weight) in weights.iter_mut().enumerate() {
            let low = block.low[i / 128][i / 32 % 2].as_flattened()[i % 32];
            let low = low >> (i / 64 % 2 * 4) & 15;
            let high = block.high[i / 128].as_flattened()[i % 32] >> (i / 32 % 4 * 2) & 3;
            let q = f32::from(low | high << 4) - 32.0;
            *weight = scale * f32::from(block.parts[i / 16]) * q;
        }
    }
}
