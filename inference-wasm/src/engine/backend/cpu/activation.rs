//! Activations as integers: blocks of 32 with one scale, made once for each row.
//!
//! The layout is that of ggml's `block_q8_1` (`quantize_row_q8_1_ref` in `ggml-quants.c`), with 16
//! bits in place of 8. The vector instruction multiplies 16 by 16 bits anyway, so the wider
//! integers cost nothing and reduce the error by two and a half orders of magnitude: with 8 bits,
//! rounding activations alone moves the logits of a 4-bit model by more than half a unit, enough to
//! turn a near tie into another sentence.

use crate::engine::lanes::{F32x4, I16x8, I32x4, MULTIPLIES_BYTES};

/// Weights, and activations, in a block.
pub(crate) const BLOCK: usize = 32;

/// 32 activations: value `i` is about `scale · q[i]`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Activations {
    /// From −32639 to 32639.
    pub(crate) q: [[i16; 8]; 4],
    /// `q` as bytes; empty in builds that don't use them.
    pub(crate) bytes: [Bytes; BYTES_KEPT],
    /// The greatest magnitude divided by 32639.
    pub(crate) scale: f32,
    /// `scale · Σ q`, for formats with a least value.
    pub(crate) sum: f32,
    /// The same for the first 16 and for the last.
    pub(crate) sums: [f32; 2],
}

/// 1 if this build needs the integers as bytes. Tests do, to compare both ways.
const BYTES_KEPT: usize = (MULTIPLIES_BYTES || cfg!(test)) as usize;

/// Integers as two signed bytes, `256 · high + low`, for dot products of bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bytes {
    pub(crate) high: [[i8; 16]; 2],
    pub(crate) low: [[i8; 16]; 2],
    /// The sum of all integers.
    pub(crate) sum: i32,
}

/// The greatest integer, 256 · 127 + 127: the greatest that two signed bytes make.
pub(crate) const GREATEST: f32 = 32_639.0;

/// Adding and subtracting this rounds an `f32` below 2²² to an integer, ties to even.
const ROUND: f32 = 12_582_912.0;

/// Quantizes a row; its length is a multiple of 32. Appends to `blocks`.
pub(crate) fn quantize_row(row: &[f32], blocks: &mut Vec<Activations>) {
    blocks.extend(row.as_chunks::<BLOCK>().0.iter().map(quantize));
}

fn quantize(values: &[f32; BLOCK]) -> Activations {
    let fours = values.as_chunks::<4>().0;
    let mut greatest = F32x4::ZERO;
    let mut poison = F32x4::ZERO;
    for four in fours {
        let four = F32x4::load(four);
        greatest = greatest.if_less(four.abs(), four.abs(), greatest);
        // NaN if any value is NaN or infinite, otherwise zero: a comparison would hide a NaN.
        poison = poison.add(four.mul(F32x4::ZERO));
    }
    let greatest = greatest.greatest();
    let scale = greatest / GREATEST;
    // Values so small that the reciprocal would overflow count as zero.
    let inverse = if scale < f32::MIN_POSITIVE { 0.0 } else { GREATEST / greatest };
    let (inverse, round) = (F32x4::splat(inverse), F32x4::splat(ROUND));
    let integers =
        |four: &[f32; 4]| F32x4::load(four).mul(inverse).add(round).bits().minus(round.bits());
    let mut q = [[0; 8]; 4];
    let mut sums = [I32x4::ZERO; 2];
    for (i, (q, eight)) in q.iter_mut().zip(fours.as_chunks::<2>().0).enumerate() {
        let integers = I16x8::narrowed(integers(&eight[0]), integers(&eight[1]));
        integers.store(q);
        sums[i / 2] = sums[i / 2].add(integers.dot(I16x8::splat(1)));
    }
    let scale = scale + poison.sum();
    // Sums of integers below 2²⁰, exact as floats.
    let sums = sums.map(|sum| sum.to_f32().sum());
    Activations {
        q,
        bytes: std::array::from_fn(|_| Bytes::of(&q)),
        scale,
        sum: scale * (sums[0] + sums[1]),
        sums: sums.map(|sum| scale * sum),
    }
}

impl Bytes {
    fn of(q: &[[i16; 8]; 4]) -> Self {
        let mut bytes = Self::default();
        let high = bytes.high.as_flattened_mut().iter_mut();
        let halves = high.zip(bytes.low.as_flattened_mut());
        for ((high, low), &q) in halves.zip(q.as_flattened()) {
            // To the nearest multiple of 256, so that the remainder is a signed byte.
            *high = (q.wrapping_add(128) >> 8) as i8;
            *low = q as i8;
            bytes.sum += i32::from(q);
        }
        bytes
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "values that are exact")]
mod tests {
    use super::*;

    #[test]
    fn rounds_to_nearest_and_keeps_the_greatest_exact() {
        let mut values = [0.0; BLOCK];
        values[..6].copy_from_slice(&[GREATEST, -GREATEST, 1.4, 1.6, 2.5, -3.5]);
        let block = quantize(&values);
        assert_eq!(block.scale, 1.0);
        assert_eq!(block.q[0], [32_639, -32_639, 1, 2, 2, -4, 0, 0]);
        assert_eq!((block.sum, block.sums), (1.0, [1.0, 0.0]));
    }

    #[test]
    fn zeros_and_almost_zeros_are_zero() {
        for value in [0.0, 1e-44, -f32::MIN_POSITIVE] {
            let block = quantize(&[value; BLOCK]);
            assert_eq!((block.q, block.sums), ([[0; 8]; 4], [0.0; 2]), "{value:e}");
        }
    }

    #[test]
    fn a_value_that_is_not_finite_poisons_the_block() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut values = [1.0; BLOCK];
            values[17] = bad;
            assert!(quantize(&values).scale.is_nan(), "{bad}");
        }
    }

    #[test]
    fn the_largest_floats_do_not_overflow() {
        let block = quantize(&[f32::MAX; BLOCK]);
        assert_eq!(block.q, [[32_639; 8]; 4]);
        assert!(block.scale.is_finite());
    }
}
