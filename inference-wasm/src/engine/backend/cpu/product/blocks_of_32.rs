//! Kernels for the formats whose block is one group of 32 weights.

use super::blocks::{Blocks, Least, Scales, Unpacked};
use crate::engine::lanes::{F32x4, I8x16, I16x8, half_to_f32};
use crate::engine::quant::{iq4_nl, q4_0, q4_1, q5_0, q5_1, q8_0};

/// Weights in a block.
const WEIGHTS: usize = 32;

pub(super) struct Q40;

impl Blocks<{ q4_0::BYTES }> for Q40 {
    const GREATEST: i16 = 8;
    const LEAST: Least = Least::None;
    const SEVEN_BITS: Option<i16> = Some(8);

    #[inline(always)]
    fn unpack(block: &[u8; q4_0::BYTES], _group: usize) -> Unpacked {
        let [d0, d1, pairs @ ..] = block;
        let q = I16x8::from_nibbles(pairs).map(|q| q.minus(8));
        Unpacked { q, scale: half_to_f32([*d0, *d1]), least: [0.0; 2] }
    }

    #[inline(always)]
    fn seven_bits(block: &[u8; q4_0::BYTES], _group: usize) -> [I8x16; 2] {
        let [_, _, pairs @ ..] = block;
        I8x16::from_nibbles(pairs)
    }

    #[inline(always)]
    fn scales(blocks: [&[u8; q4_0::BYTES]; 4], _group: usize) -> Scales {
        Scales { scale: F32x4::from_f16s(blocks.map(first_half)), least: [F32x4::ZERO; 2] }
    }
}

pub(super) struct Q41;

impl Blocks<{ q4_1::BYTES }> for Q41 {
    const GREATEST: i16 = 15;
    const LEAST: Least = Least::Whole;
    const SEVEN_BITS: Option<i16> = Some(0);

    #[inline(always)]
    fn unpack(block: &[u8; q4_1::BYTES], _group: usize) -> Unpacked {
        let [d0, d1, m0, m1, pairs @ ..] = block;
        let q = I16x8::from_nibbles(pairs);
        Unpacked { q, scale: half_to_f32([*d0, *d1]), least: [half_to_f32([*m0, *m1]); 2] }
    }

    #[inline(always)]
    fn seven_bits(block: &[u8; q4_1::BYTES], _group: usize) -> [I8x16; 2] {
        let [_, _, _, _, pairs @ ..] = block;
        I8x16::from_nibbles(pairs)
    }

    #[inline(always)]
    fn scales(blocks: [&[u8; q4_1::BYTES]; 4], _group: usize) -> Scales {
        let [scale, least] =
            F32x4::from_f16_pairs(blocks.map(|block| &block.as_chunks::<4>().0[0]));
        Scales { scale, least: [least; 2] }
    }
}

pub(super) struct Q50;

impl Blocks<{ q5_0::BYTES }> for Q50 {
    const GREATEST: i16 = 16;
    const LEAST: Least = Least::None;
    const SEVEN_BITS: Option<i16> = Some(16);

    #[inline(always)]
    fn unpack(block: &[u8; q5_0::BYTES], _group: usize) -> Unpacked {
        let [d0, d1, h0, h1, h2, h3, pairs @ ..] = block;
        let high = [*h0, *h1, *h2, *h3];
        let low = I16x8::from_nibbles(pairs);
        let q = std::array::from_fn(|i| low[i].add(I16x8::from_bits(high[i], 16)).minus(16));
        Unpacked { q, scale: half_to_f32([*d0, *d1]), least: [0.0; 2] }
    }
}

pub(super) struct Q51;

impl Blocks<{ q5_1::BYTES }> for Q51 {
    const GREATEST: i16 = 31;
    const LEAST: Least = Least::Whole;
    const SEVEN_BITS: Option<i16> = Some(0);

    #[inline(always)]
    fn unpack(block: &[u8; q5_1::BYTES], _group: usize) -> Unpacked {
        let [d0, d1, m0, m1, h0, h1, h2, h3, pairs @ ..] = block;
        let high = [*h0, *h1, *h2, *h3];
        let low = I16x8::from_nibbles(pairs);
        let q = std::array::from_fn(|i| low[i].add(I16x8::from_bits(high[i], 16)));
        Unpacked { q, scale: half_to_f32([*d0, *d1]), least: [half_to_f32([*m0, *m1]); 2] }
    }
}

pub(super) struct Q80;

impl Blocks<{ q8_0::BYTES }> for Q80 {
    const GREATEST: i16 = 128;
    const LEAST: Least = Least::None;

    #[inline(always)]
    fn unpack(block: &[u8; q8_0::BYTES], _group: usize) -> Unpacked {
        let [d0, d1, q @ ..] = block;
        let [low, high] = halves(q);
        let ([a, b], [c, d]) = (I16x8::from_signed(low), I16x8::from_signed(high));
        Unpacked { q: [a, b, c, d], scale: half_to_f32([*d0, *d1]), least: [0.0; 2] }
    }

    #[inline(always)]
    fn scales(blocks: [&[u8; q8_0::BYTES]; 4], _group: usize) -> Scales {
        Scales { scale: F32x4::from_f16s(blocks.map(first_half)), least: [F32x4::ZERO; 2] }
    }
}

/// The first and the last 16 of 32 bytes.
#[inline(always)]
fn halves(bytes: &[u8; WEIGHTS]) -> [&[u8; 16]; 2] {
    let (halves, _) = bytes.as_chunks::<16>();
    [&halves[0], &halves[1]]
}

pub(super) struct Iq4Nl;

impl Blocks<{ iq4_nl::BYTES }> for Iq4Nl {
    const GREATEST: i16 = 127;
    const LEAST: Least = Least::None;

    #[inline(always)]
    fn unpack(block: &[u8; iq4_nl::BYTES], _group: usize) -> Unpacked {
        let [d0, d1, pairs @ ..] = block;
        let q = I16x8::from_table(pairs, &iq4_nl::TABLE);
        Unpacked { q, scale: half_to_f32([*d0, *d1]), least: [0.0; 2] }
    }
}

/// The half-precision number that a block begins with, as stored.
#[inline(always)]
fn first_half<const BYTES: usize>(block: &[u8; BYTES]) -> &[u8; 2] {
    &block.as_chunks::<2>().0[0]
}
