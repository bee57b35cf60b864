//! Eight `i16`, four `i32`, four `f32` at a time: every processor feature that the CPU kernels use.
//!
//! One contract, two implementations, chosen at compile time: WebAssembly's SIMD128, and portable
//! Rust for everything else. Both give the same bits: integers are exact, and every `f32` operation
//! is a single IEEE operation in an order fixed here, without fused multiply-add and without
//! reordering.
//!
//! SIMD128 comes with or without relaxed instructions. One of those is used, a dot product of
//! bytes, and only on numbers for which the standard allows a single result: see
//! [`I8x16::dot_seven_bits`].
//!
//! Order of a horizontal sum: `(l0 + l1) + (l2 + l3)`.

#![expect(clippy::inline_always, reason = "a call would cost more than the operation")]

mod function;
mod half;
mod level;
// Tests of a SIMD build also compile the portable lanes, to compare both.
#[cfg(any(test, not(target_feature = "simd128")))]
#[cfg_attr(target_feature = "simd128", expect(dead_code, reason = "the tests use a part of it"))]
mod portable;
#[cfg(target_feature = "simd128")]
mod simd128;
mod slices;

pub(crate) use half::half_to_f32;
pub(crate) use level::{LEVEL, MULTIPLIES_BYTES};
#[cfg(not(target_feature = "simd128"))]
pub(crate) use portable::{F32x4, I8x16, I16x8, I32x4};
#[cfg(target_feature = "simd128")]
pub(crate) use simd128::{F32x4, I8x16, I16x8, I32x4};
pub(crate) use slices::{dot, load_eight, padded, store_eight};

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "halves are exact in wider floats")]
mod tests;
