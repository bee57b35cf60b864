//! `Q3_K`: superblocks of 256 weights of 3 bits, centred on 4; a scale for every 16.
//!
//! ```text
//! byte 0..32    bit g of byte j is bit 2 of q[32g + j]
//! byte 32..96   two halves of 32 bytes: bits 2k and 2k + 1 of byte j of half h are bits 0 and 1 of
//!               q[128h + 32k + j]
//! byte 96..108  sixteen scales s of 6 bits: bits 0 to 3 are the low nibbles of bytes 0 to 7, then
//!               the high ones; bits 4 and 5 of scale i are bits 2(i / 4) and up of byte 8 + i % 4
//! byte 108..110 scale d of the scales, f16
//!                                   weight i = d · (s[i / 16] − 32) · (q[i] − 4)
//! ```
//!
//! Source: `block_q3_K` in ggml's `ggml-common.h`, `dequantize_row_q3_K` in `ggml-quants.c`.

use half::f16;

use super::format::Format;
use super::superblock::{Bytes32, WEIGHTS};

pub(crate) const BYTES: usize = size_of::<Block>();

#[derive(Clone, Copy, bytemuck::AnyBitPattern)]
#[repr(C)]
pub(crate) struct Block {
    pub(crate) high: Bytes32,
    pub(crate) low: [Bytes32; 2],
    pub(crate) parts: [u8; 12],
    pub(crate) scale: [u8; 2],
}

impl Block {
    /// The scale of 16 weights, from −32 to 31.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "called once per group, in the innermost loop")]
    pub(crate) fn part(&self, i: usize) -> i16 {
        let low = self.parts[i % 8] >> (i / 8 * 4) & 15;
        let high = self.parts[8 + i % 4] >> (i / 4 * 2) & 3;
        i16::from(low | high << 4) - 32
    }
}

pub(crate) static FORMAT: Format =
    Format { id: 11, name: "Q3_K", block_weights: WEIGHTS, block_bytes: BYTES, dequantize };

fn dequantize(blocks: &[u8], weights: &mut [f32]) {
    let blocks = blocks.as_chunks::<BYTES>().0;
    for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<WEIGHTS>().0) {
        let block: &Block = bytemuck::cast_ref(block);
        let scale = f16::from_le_bytes(block.scale).to_f32();
        for (i, weight) in weights.iter_mut().enumerate() {
            let low = block.low[i / 128].as_flattened()[i % 32] >> (i / 32 % 4 * 2) & 3;
            let high = block.high.as_flattened()[i % 32] >> (i / 32) & 1;
            let q = f32::from(low | high << 2) - 4.0;
            *weight = scale * f32::from(block.part(i / 16)) * q;
        }
    }
}
