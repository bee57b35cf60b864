//! Kernels for the K formats: superblocks of eight groups of 32 weights.
//!
//! Formats with a scale for every 16 weights multiply their integers by it, which is exact and stays
//! within the range that [`Unpacked`] allows.

use super::blocks::{Blocks, Least, Unpacked};
use crate::engine::lanes::{I16x8, half_to_f32};
use crate::engine::quant::superblock::{Bytes32, WEIGHTS, scale_and_least};
use crate::engine::quant::{q2_k, q3_k, q4_k, q5_k, q6_k};

/// Groups of 32 weights.
const GROUPS: usize = WEIGHTS / 32;

pub(super) struct Q2K;

impl Blocks<{ q2_k::BYTES }> for Q2K {
    const GROUPS: usize = GROUPS;
    const GREATEST: i16 = 45;

    #[inline(always)]
    fn unpack(block: &[u8; q2_k::BYTES], group: usize) -> Unpacked {
        let block: &q2_k::Block = bytemuck::cast_ref(block);
        let parts = [block.parts[2 * group], block.parts[2 * group + 1]];
        let q = fields(&block.q[group / 4], group % 4 * 2, 3);
        let least = half_to_f32(block.least);
        Unpacked {
            q: scaled(q, parts.map(|part| i16::from(part & 15))),
            scale: half_to_f32(block.scale),
            least: parts.map(|part| -least * f32::from(part >> 4)),
        }
    }
}

pub(super) struct Q3K;

impl Blocks<{ q3_k::BYTES }> for Q3K {
    const GROUPS: usize = GROUPS;
    const GREATEST: i16 = 128;
    const LEAST: Least = Least::None;

    #[inline(always)]
    fn unpack(block: &[u8; q3_k::BYTES], group: usize) -> Unpacked {
        let block: &q3_k::Block = bytemuck::cast_ref(block);
        let low = fields(&block.low[group / 4], group % 4 * 2, 3);
        let high = fields(&block.high, group, 1);
        let q = std::array::from_fn(|i| low[i].add(high[i].times(4)).minus(4));
        let parts = [block.part(2 * group), block.part(2 * group + 1)];
        Unpacked { q: scaled(q, parts), scale: half_to_f32(block.scale), least: [0.0; 2] }
    }
}

pub(super) struct Q4K;

impl Blocks<{ q4_k::BYTES }> for Q4K {
    const GROUPS: usize = GROUPS;
    const GREATEST: i16 = 15;
    const LEAST: Least = Least::Whole;
    const SEVEN_BITS: Option<i16> = Some(0);

    #[inline(always)]
    fn unpack(block: &[u8; q4_k::BYTES], group: usize) -> Unpacked {
        let block: &q4_k::Block = bytemuck::cast_ref(block);
        let [s, m] = scale_and_least(&block.parts, group).map(f32::from);
        Unpacked {
            q: fields(&block.pairs[group / 2], group % 2 * 4, 15),
            scale: half_to_f32(block.scale) * s,
            least: [-half_to_f32(block.least) * m; 2],
        }
    }
}

pub(super) struct Q5K;

impl Blocks<{ q5_k::BYTES }> for Q5K {
    const GROUPS: usize = GROUPS;
    const GREATEST: i16 = 31;
    const LEAST: Least = Least::Whole;
    const SEVEN_BITS: Option<i16> = Some(0);

    #[inline(always)]
    fn unpack(block: &[u8; q5_k::BYTES], group: usize) -> Unpacked {
        let block: &q5_k::Block = bytemuck::cast_ref(block);
        let [s, m] = scale_and_least(&block.parts, group).map(f32::from);
        let low = fields(&block.pairs[group / 2], group % 2 * 4, 15);
        let high = fields(&block.high, group, 1);
        Unpacked {
            q: std::array::from_fn(|i| low[i].add(high[i].times(16))),
            scale: half_to_f32(block.scale) * s,
            least: [-half_to_f32(block.least) * m; 2],
        }
    }
}

pub(super) struct Q6K;

impl Blocks<{ q6_k::BYTES }> for Q6K {
    const GROUPS: usize = GROUPS;
    const LEAST: Least = Least::None;

    /// The greatest integer is −32 · −128 = 4096.
    #[inline(always)]
    fn unpack(block: &[u8; q6_k::BYTES], group: usize) -> Unpacked {
        let block: &q6_k::Block = bytemuck::cast_ref(block);
        let low = fields(&block.low[group / 4][group % 2], group / 2 % 2 * 4, 15);
        let high = fields(&block.high[group / 4], group % 4 * 2, 3);
        let q = std::array::from_fn(|i| low[i].add(high[i].times(16)).minus(32));
        let parts = [block.parts[2 * group], block.parts[2 * group + 1]].map(i16::from);
        Unpacked { q: scaled(q, parts), scale: half_to_f32(block.scale), least: [0.0; 2] }
    }
}

/// The bits of 32 bytes from `shift` on that `mask` keeps.
#[inline(always)]
fn fields(bytes: &Bytes32, shift: usize, mask: u8) -> [I16x8; 4] {
    let [a, b] = I16x8::from_fields(&bytes[0], shift as u32, mask);
    let [c, d] = I16x8::from_fields(&bytes[1], shift as u32, mask);
    [a, b, c, d]
}

/// 32 integers, the first 16 times one scale and the last 16 times another.
#[inline(always)]
fn scaled(q: [I16x8; 4], scales: [i16; 2]) -> [I16x8; 4] {
    let [a, b, c, d] = q;
    [a.times(scales[0]), b.times(scales[0]), c.times(scales[1]), d.times(scales[1])]
}
