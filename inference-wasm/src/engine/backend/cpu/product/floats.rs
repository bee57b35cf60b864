//! Kernels for plain floats.

use super::float::Floats;
use crate::engine::lanes::F32x4;

/// `F32`.
pub(super) struct F32;

impl Floats<16> for F32 {
    #[inline(always)]
    fn unpack(four: &[u8; 16]) -> F32x4 {
        F32x4::load(&bytemuck::cast(*four))
    }
}

/// `F16`.
pub(super) struct F16;

impl Floats<8> for F16 {
    #[inline(always)]
    fn unpack(four: &[u8; 8]) -> F32x4 {
        F32x4::from_f16(four)
    }
}

/// `BF16`.
pub(super) struct Bf16;

impl Floats<8> for Bf16 {
    #[inline(always)]
    fn unpack(four: &[u8; 8]) -> F32x4 {
        F32x4::from_bf16(four)
    }
}
