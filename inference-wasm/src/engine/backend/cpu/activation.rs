//! Activations as integers: blocks of 32 with one scale, made once for each row.
//!
//! The shape is that of ggml's `block_q8_1` (`quantize_row_q8_1_ref` in `ggml-quants.c`), with 16
//! bits in place of 8. The vector instruction multiplies 16 by 16 bits whatever the numbers are,
//! so the wider ones cost nothing and take two and a half orders of magnitude off the error:
//! with 8 bits, the rounding of activations alone moves the logits of a 4-bit model by more than
//! half a unit, enough to turn a near tie into another sentence.

/// Weights, and activations, in a block.
pub(crate) const BLOCK: usize = 32;

/// 32 activations: value `i` is about `scale · q[i]`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Activations {
    /// From −32639 to 32639.
    pub(crate) q: [[i16; 8]; 4],
    /// `q` as bytes, `256 · high + low`.
    #[cfg(any(test, target_feature = "relaxed-simd"))]
    pub(crate) bytes: Bytes,
    /// The greatest magnitude divided by 32639.
    pub(crate) scale: f32,
    /// `scale · Σ q`, for formats with a least value.
    pub(crate) sum: f32,
    /// The same of the first 16 and of the last.
    pub(crate) sums: [f32; 2],
}

/// Integers as two bytes with signs, `256 · high + low`, for dot products of bytes.
#[cfg(any(test, target_feature = "relaxed-simd"))]
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bytes {
    pub(crate) high: [[i8; 16]; 2],
    pub(crate) low: [[i8; 16]; 2],
    /// The sum of all integers.
    pub(crate) sum: i32,
}

/// The greatest integer: 256 · 127 + 127, the most that two bytes with signs make.
pub(crate) const GREATEST: f32 = 32_639.0;

/// Adding and subtracting this rounds an `f32` of less than 2²² to an integer, ties to even.
const ROUND: f32 = 12_582_912.0;

/// Quantizes a row; its length is a multiple of 32. Appends to `blocks`.
pub(crate) fn quantize_row(row: &[f32], blocks: &mut Vec<Activations>) {
    blocks.extend(row.as_chunks::<BLOCK>().0.iter().map(quantize));
}

fn quantize(values: &[f32; BLOCK]) -> Activations {
    let mut greatest = 0.0_f32;
    let mut poison = 0.0_f32;
    for value in values {
        greatest = greatest.max(value.abs());
        // NaN if any value is NaN or infinite, and zero otherwise: `max` would hide a NaN.
        poison += value * 0.0;
    }
    let scale = greatest / GREATEST;
    // Values so small that the reciprocal would overflow count as zero.
    let inverse = if scale < f32::MIN_POSITIVE { 0.0 } else { GREATEST / greatest };
    let mut block = Activations {
        q: [[0; 8]; 4],
        #[cfg(any(test, target_feature = "relaxed-simd"))]
        bytes: Bytes::default(),
        scale: scale + poison,
        sum: 0.0,
        sums: [0.0; 2],
    };
    let mut sums = [0_i32; 2];
    for (i, (q, values)) in block.q.iter_mut().zip(values.as_chunks::<8>().0).enumerate() {
        for (q, value) in q.iter_mut().zip(values) {
            let rounded = (value * inverse + ROUND) - ROUND;
            *q = rounded as i16;
            sums[i / 2] += i32::from(*q);
        }
    }
    #[cfg(any(test, target_feature = "relaxed-simd"))]
    {
        block.bytes = Bytes::of(&block.q);
    }
    block.sum = block.scale * (sums[0] + sums[1]) as f32;
    block.sums = sums.map(|sum| block.scale * sum as f32);
    block
}

#[cfg(any(test, target_feature = "relaxed-simd"))]
impl Bytes {
    fn of(q: &[[i16; 8]; 4]) -> Self {
        let mut bytes = Self::default();
        let high = bytes.high.as_flattened_mut().iter_mut();
        let halves = high.zip(bytes.low.as_flattened_mut());
        for ((high, low), &q) in halves.zip(q.as_flattened()) {
            // To the nearest multiple of 256, so that what is left has a sign, too.
            *high = ((q + 128) >> 8) as i8;
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
    fn a_value_that_is_no_number_poisons_the_block() {
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
