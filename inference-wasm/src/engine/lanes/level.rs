//! Which vector instructions this build uses.

use crate::protocol::SimdLevel;

/// The vector instructions of this build.
pub(crate) const LEVEL: SimdLevel = if cfg!(target_feature = "relaxed-simd") {
    SimdLevel::RelaxedSimd
} else if cfg!(target_feature = "simd128") {
    SimdLevel::Simd128
} else if cfg!(target_arch = "wasm32") {
    SimdLevel::Scalar
} else {
    SimdLevel::Native
};

/// Whether [`I8x16::dot_seven_bits`](super::I8x16::dot_seven_bits) is one instruction.
pub(crate) const MULTIPLIES_BYTES: bool = cfg!(target_feature = "relaxed-simd");
