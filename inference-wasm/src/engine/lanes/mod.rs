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
mod half;
mod level;
// Portable lanes are compiled in tests of a SIMD build, too, to hold one against the other.
#[cfg(any(test, not(target_feature = "simd128")))]
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
