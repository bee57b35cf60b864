//! Eight `i16`, four `i32`, four `f32` at a time: all that the CPU kernels need of a processor.
//!
//! Two implementations of one contract, chosen when the crate is compiled: WebAssembly's SIMD128,
//! and portable Rust for everything else. Both give the same bits, since integers are exact and
//! every `f32` operation is a single IEEE one with its place in the order fixed here: no fused
//! multiply-add, no reordering.
//!
//! SIMD128 comes with relaxed instructions or without. Of those one is used, a dot product of bytes,
//! and only on numbers for which the standard leaves it no freedom: see [`I8x16::dot_seven_bits`].
//!
//! Order of a horizontal sum: `(l0 + l1) + (l2 + l3)`.

#![expect(
    clippy::inline_always,
    reason = "a lane operation that is not inlined costs more than it does"
)]

mod function;
// Portable lanes are compiled in tests of a SIMD build, too, to hold one against the other.
#[cfg(any(test, not(target_feature = "simd128")))]
#[cfg_attr(target_feature = "simd128", expect(dead_code, reason = "the tests use a part of it"))]
mod portable;
#[cfg(target_feature = "simd128")]
mod simd128;

#[cfg(not(target_feature = "simd128"))]
pub(crate) use portable::{F32x4, I8x16, I16x8, I32x4};
#[cfg(target_feature = "simd128")]
pub(crate) use simd128::{F32x4, I8x16, I16x8, I32x4};

use crate::protocol::SimdLevel;

/// What this build has.
pub(crate) const LEVEL: SimdLevel = if cfg!(target_feature = "relaxed-simd") {
    SimdLevel::RelaxedSimd
} else if cfg!(target_feature = "simd128") {
    SimdLevel::Simd128
} else if cfg!(target_arch = "wasm32") {
    SimdLevel::Scalar
} else {
    SimdLevel::Native
};

/// Whether [`I8x16::dot_seven_bits`] is one instruction.
pub(crate) const MULTIPLIES_BYTES: bool = cfg!(target_feature = "relaxed-simd");

/// A little-endian half-precision number. Without a branch: scales are read for every block.
///
/// Exponent and mantissa move to their places in an `f32`; the product with 2^112 corrects the
/// exponent's bias and is exact, subnormals included. Infinity and NaN, whose exponent is all
/// ones, get all ones again.
#[inline(always)]
pub(crate) fn half_to_f32(bytes: [u8; 2]) -> f32 {
    let half = u32::from(u16::from_le_bytes(bytes));
    let magnitude = (half & 0x7fff) << 13;
    let special = if magnitude >= 0x0f80_0000 { 0x7f80_0000 } else { 0 };
    let value = f32::from_bits(magnitude) * f32::from_bits(0x7780_0000);
    f32::from_bits(value.to_bits() | special | (half & 0x8000) << 16)
}

/// Dot product in four lanes; the rest of a length that is no multiple of four is padded with
/// zeros.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a_lanes, a_rest) = a.as_chunks::<4>();
    let (b_lanes, b_rest) = b.as_chunks::<4>();
    let mut sum = F32x4::splat(0.0);
    for (a, b) in a_lanes.iter().zip(b_lanes) {
        sum = sum.add(F32x4::load(a).mul(F32x4::load(b)));
    }
    if !a_rest.is_empty() {
        sum = sum.add(F32x4::load(&padded(a_rest)).mul(F32x4::load(&padded(b_rest))));
    }
    sum.sum()
}

/// Up to four values with zeros after them.
pub(crate) fn padded(rest: &[f32]) -> [f32; 4] {
    let mut lanes = [0.0; 4];
    for (lane, value) in lanes.iter_mut().zip(rest) {
        *lane = *value;
    }
    lanes
}

/// Up to eight values with zeros after them. To copy a number of them that is not known before is a
/// call, which takes longer than the copy.
#[inline(always)]
pub(crate) fn load_eight(values: &[f32]) -> [F32x4; 2] {
    let mut padded = [0.0; 8];
    let eight = values.as_array().unwrap_or_else(|| {
        padded[..values.len()].copy_from_slice(values);
        &padded
    });
    let fours = eight.as_chunks().0;
    [F32x4::load(&fours[0]), F32x4::load(&fours[1])]
}

/// The first of eight values, as many as `out` has room for.
#[inline(always)]
pub(crate) fn store_eight(values: [F32x4; 2], out: &mut [f32]) {
    let put = |eight: &mut [f32; 8]| {
        let fours = eight.as_chunks_mut().0;
        values[0].store(&mut fours[0]);
        values[1].store(&mut fours[1]);
    };
    if let Some(eight) = out.as_mut_array() {
        return put(eight);
    }
    let mut eight = [0.0; 8];
    put(&mut eight);
    out.copy_from_slice(&eight[..out.len()]);
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "halves are exact in wider floats")]
mod tests;
