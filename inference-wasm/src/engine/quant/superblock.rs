//! The layout that the K formats share: superblocks of 256 weights, in runs of 16 or 32.
//!
//! A superblock has one scale in half precision, which multiplies the integer scales of its runs.
//! The layout of its bytes is documented in each format's own file.

/// Weights in a superblock: `QK_K` in ggml's `ggml-common.h`.
pub(crate) const WEIGHTS: usize = 256;

/// 32 bytes, as two vectors.
pub(crate) type Bytes32 = [[u8; 16]; 2];

/// Scale and least value of a group, 6 bits each, from the 12 bytes in which `Q4_K` and `Q5_K`
/// store eight of both:
///
/// ```text
/// byte 0..4    bits 0 to 5: scale of group j;     bits 6 and 7: bits 4 and 5 of that of j + 4
/// byte 4..8    bits 0 to 5: least value of j;     bits 6 and 7: bits 4 and 5 of that of j + 4
/// byte 8..12   low nibble: bits 0 to 3 of the scale of j + 4; high nibble: of its least value
/// ```
///
/// Source: `get_scale_min_k4` in ggml's `ggml-quants.c`.
#[inline(always)]
#[expect(clippy::inline_always, reason = "called once per group, in the innermost loop")]
pub(crate) fn scale_and_least(packed: &[u8; 12], group: usize) -> [u8; 2] {
    let j = group % 4;
    let [scale, least, rest] = [packed[j], packed[j + 4], packed[j + 8]];
    if group < 4 {
        [scale & 63, least & 63]
    } else {
        [rest & 15 | scale >> 6 << 4, rest >> 4 | least >> 6 << 4]
    }
}
