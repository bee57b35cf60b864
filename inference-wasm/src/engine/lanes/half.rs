//! Half precision to single, without a branch.

/// Converts a little-endian half-precision number. Without a branch, since scales are read for
/// every block.
///
/// Exponent and mantissa move to their places in an `f32`; multiplying by 2^112 corrects the
/// exponent's bias exactly, subnormals included. Infinity and NaN, whose exponent is all ones, get
/// all ones again.
#[inline(always)]
pub(crate) fn half_to_f32(bytes: [u8; 2]) -> f32 {
    let half = u32::from(u16::from_le_bytes(bytes));
    let magnitude = (half & 0x7fff) << 13;
    let special = if magnitude >= 0x0f80_0000 { 0x7f80_0000 } else { 0 };
    let value = f32::from_bits(magnitude) * f32::from_bits(0x7780_0000);
    f32::from_bits(value.to_bits() | special | (half & 0x8000) << 16)
}
