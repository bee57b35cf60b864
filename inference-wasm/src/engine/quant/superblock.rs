//! What the K formats share: superblocks of 256 weights, eight groups of 32.
//!
//! A superblock has one scale in half precision, and integer scales for runs of 16 or 32 weights
//! that it is multiplied by. Formats with a scale for every 16 multiply the kernels' integers by
//! it, which is exact and stays within what [`Unpacked`](crate::engine::backend::product::Unpacked)
//! allows. What lies where is for each format's own file.

use crate::engine::lanes::I16x8;

/// Weights in a superblock: `QK_K` in ggml's `ggml-common.h`.
pub(super) const WEIGHTS: usize = 256;

/// Groups of 32 weights.
pub(super) const GROUPS: usize = WEIGHTS / 32;

/// 32 bytes, as the vectors that hold them.
pub(super) type Bytes32 = [[u8; 16]; 2];

/// The bits of 32 bytes from `shift` on that `mask` keeps.
#[inline(always)]
pub(super) fn fields(bytes: &Bytes32, shift: usize, mask: u8) -> [I16x8; 4] {
    let [a, b] = I16x8::from_fields(&bytes[0], shift as u32, mask);
    let [c, d] = I16x8::from_fields(&bytes[1], shift as u32, mask);
    [a, b, c, d]
}

/// 32 integers, the first 16 times one scale and the last 16 times another.
#[inline(always)]
pub(super) fn scaled(q: [I16x8; 4], scales: [i16; 2]) -> [I16x8; 4] {
    let [a, b, c, d] = q;
    [a.times(scales[0]), b.times(scales[0]), c.times(scales[1]), d.times(scales[1])]
}

/// Scale and least value of a group, 6 bits each, out of the 12 bytes in which `Q4_K` and `Q5_K`
/// have eight of both:
///
/// ```text
/// byte 0..4    bits 0 to 5: scale of group j;     bits 6 and 7: bits 4 and 5 of that of j + 4
/// byte 4..8    bits 0 to 5: least value of j;     bits 6 and 7: bits 4 and 5 of that of j + 4
/// byte 8..12   low nibble: bits 0 to 3 of the scale of j + 4; high nibble: of its least value
/// ```
///
/// Source: `get_scale_min_k4` in ggml's `ggml-quants.c`.
#[inline(always)]
pub(super) fn scale_and_least(packed: &[u8; 12], group: usize) -> [u8; 2] {
    let j = group % 4;
    let [scale, least, rest] = [packed[j], packed[j + 4], packed[j + 8]];
    if group < 4 {
        [scale & 63, least & 63]
    } else {
        [rest & 15 | scale >> 6 << 4, rest >> 4 | least >> 6 << 4]
    }
}
