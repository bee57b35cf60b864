//! Lanes as WebAssembly's 128-bit vectors; `portable` documents the operations. The unsafe code is only loads and stores, each from a
//! reference to an array of exactly 16 (or 8) bytes.

#![expect(unsafe_code, reason = "vector loads and stores take raw pointers")]

use core::arch::wasm32 as wasm;
use core::arch::wasm32::v128;

/// Eight `i16`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct I16x8(v128);

/// 16 `i8`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct I8x16(v128);

/// Four `i32`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct I32x4(v128);

/// Four `f32`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct F32x4(v128);

/// The first and the last eight of 16 bytes.
#[inline(always)]
fn halves(bytes: &[u8; 16]) -> [&[u8; 8]; 2] {
    let (halves, _) = bytes.as_chunks::<8>();
    [&halves[0], &halves[1]]
}

#[inline(always)]
fn load<T>(from: &T) -> v128 {
    const { assert!(size_of::<T>() == 16) };
    // SAFETY: `from` is valid for 16 bytes by the assertion, and `v128_load` requires no alignment.
    unsafe { wasm::v128_load(std::ptr::from_ref(from).cast()) }
}

impl I16x8 {
    pub(crate) const ZERO: Self = Self(wasm::i32x4(0, 0, 0, 0));

    #[inline(always)]
    pub(crate) fn load(values: &[i16; 8]) -> Self {
        Self(load(values))
    }

    #[inline(always)]
    pub(crate) fn splat_pair(pair: &[i16; 2]) -> Self {
        // SAFETY: `pair` is valid for 4 bytes, and `v128_load32_splat` requires no alignment.
        Self(unsafe { wasm::v128_load32_splat(pair.as_ptr().cast()) })
    }

    #[inline(always)]
    pub(crate) fn narrowed(low: I32x4, high: I32x4) -> Self {
        Self(wasm::i16x8_narrow_i32x4(low.0, high.0))
    }

    #[inline(always)]
    pub(crate) fn store(self, to: &mut [i16; 8]) {
        // SAFETY: `to` is valid for writes of 16 bytes, and `v128_store` requires no alignment.
        unsafe { wasm::v128_store(to.as_mut_ptr().cast(), self.0) }
    }

    #[inline(always)]
    pub(crate) fn splat(value: i16) -> Self {
        Self(wasm::i16x8_splat(value))
    }

    #[inline(always)]
    pub(crate) fn from_signed(bytes: &[u8; 16]) -> [Self; 2] {
        let half = |bytes: &[u8; 8]| {
            // SAFETY: `bytes` is valid for 8 bytes, and the load requires no alignment.
            Self(unsafe { wasm::i16x8_load_extend_i8x8(bytes.as_ptr().cast()) })
        };
        let [low, high] = halves(bytes);
        [half(low), half(high)]
    }

    #[inline(always)]
    pub(crate) fn from_nibbles(bytes: &[u8; 16]) -> [Self; 4] {
        let half = |bytes: &[u8; 8]| {
            // SAFETY: `bytes` is valid for 8 bytes, and the load requires no alignment.
            unsafe { wasm::i16x8_load_extend_u8x8(bytes.as_ptr().cast()) }
        };
        let [a, b] = halves(bytes).map(half);
        let low = |wide| Self(wasm::v128_and(wide, wasm::i16x8_splat(0x0f)));
        let high = |wide| Self(wasm::u16x8_shr(wide, 4));
        [low(a), low(b), high(a), high(b)]
    }

    #[inline(always)]
    pub(crate) fn transposed([a, b, c, d]: [Self; 4]) -> [Self; 4] {
        let low_ab = wasm::i32x4_shuffle::<0, 4, 1, 5>(a.0, b.0);
        let low_cd = wasm::i32x4_shuffle::<0, 4, 1, 5>(c.0, d.0);
        let high_ab = wasm::i32x4_shuffle::<2, 6, 3, 7>(a.0, b.0);
        let high_cd = wasm::i32x4_shuffle::<2, 6, 3, 7>(c.0, d.0);
        [
            Self(wasm::i64x2_shuffle::<0, 2>(low_ab, low_cd)),
            Self(wasm::i64x2_shuffle::<1, 3>(low_ab, low_cd)),
            Self(wasm::i64x2_shuffle::<0, 2>(high_ab, high_cd)),
            Self(wasm::i64x2_shuffle::<1, 3>(high_ab, high_cd)),
        ]
    }

    #[inline(always)]
    pub(crate) fn minus(self, value: i16) -> Self {
        Self(wasm::i16x8_sub(self.0, wasm::i16x8_splat(value)))
    }

    #[inline(always)]
    pub(crate) fn dot(self, other: Self) -> I32x4 {
        I32x4(wasm::i32x4_dot_i16x8(self.0, other.0))
    }

    /// `byte >> shift & mask` for 16 bytes, in order. `mask` has at most `8 - shift` bits, the
    /// lowest: bits that a 16-bit shift moves from one byte into the other are above it, and
    /// processors have no shift of single bytes.
    #[inline(always)]
    pub(crate) fn from_fields(bytes: &[u8; 16], shift: u32, mask: u8) -> [Self; 2] {
        let fields = wasm::v128_and(wasm::u16x8_shr(load(bytes), shift), wasm::u8x16_splat(mask));
        [Self(wasm::u16x8_extend_low_u8x16(fields)), Self(wasm::u16x8_extend_high_u8x16(fields))]
    }

    #[inline(always)]
    pub(crate) fn from_bits(bits: u8, value: i16) -> Self {
        let each = wasm::u16x8(1, 2, 4, 8, 16, 32, 64, 128);
        let set = wasm::v128_and(wasm::u16x8_splat(bits.into()), each);
        Self(wasm::v128_and(wasm::i16x8_eq(set, each), wasm::i16x8_splat(value)))
    }

    #[inline(always)]
    pub(crate) fn from_table(bytes: &[u8; 16], table: &[i8; 16]) -> [Self; 4] {
        let (bytes, table) = (load(bytes), load(table));
        let low = wasm::u8x16_swizzle(table, wasm::v128_and(bytes, wasm::u8x16_splat(0x0f)));
        let high = wasm::u8x16_swizzle(table, wasm::u8x16_shr(bytes, 4));
        [
            Self(wasm::i16x8_extend_low_i8x16(low)),
            Self(wasm::i16x8_extend_high_i8x16(low)),
            Self(wasm::i16x8_extend_low_i8x16(high)),
            Self(wasm::i16x8_extend_high_i8x16(high)),
        ]
    }

    #[inline(always)]
    pub(crate) fn add(self, other: Self) -> Self {
        Self(wasm::i16x8_add(self.0, other.0))
    }

    #[inline(always)]
    pub(crate) fn times(self, value: i16) -> Self {
        Self(wasm::i16x8_mul(self.0, wasm::i16x8_splat(value)))
    }
}

impl I8x16 {
    #[inline(always)]
    pub(crate) fn load(values: &[i8; 16]) -> Self {
        Self(load(values))
    }

    #[inline(always)]
    pub(crate) fn from_nibbles(bytes: &[u8; 16]) -> [Self; 2] {
        let bytes = load(bytes);
        let low = wasm::v128_and(bytes, wasm::u8x16_splat(0x0f));
        [Self(low), Self(wasm::u8x16_shr(bytes, 4))]
    }

    #[inline(always)]
    pub(crate) fn narrowed(low: I16x8, high: I16x8) -> Self {
        Self(wasm::i8x16_narrow_i16x8(low.0, high.0))
    }

    /// `sum` plus products with numbers from 0 to 127: lane `j` adds those of bytes `4j` to `4j +
    /// 3`.
    ///
    /// Exact: the standard leaves open the meaning of a set top bit in the second operand, which
    /// never occurs, and whether sums of two products saturate to 16 bits, which two of at most 128
    /// · 127 never need.
    #[cfg(target_feature = "relaxed-simd")]
    #[inline(always)]
    pub(crate) fn dot_seven_bits(self, seven: Self, sum: I32x4) -> I32x4 {
        I32x4(wasm::i32x4_relaxed_dot_i8x16_i7x16_add(self.0, seven.0, sum.0))
    }

    #[cfg(not(target_feature = "relaxed-simd"))]
    #[inline(always)]
    pub(crate) fn dot_seven_bits(self, seven: Self, sum: I32x4) -> I32x4 {
        let low = wasm::i16x8_extmul_low_i8x16(self.0, seven.0);
        let high = wasm::i16x8_extmul_high_i8x16(self.0, seven.0);
        let ones = wasm::i16x8_splat(1);
        let (low, high) = (wasm::i32x4_dot_i16x8(low, ones), wasm::i32x4_dot_i16x8(high, ones));
        let even = wasm::i32x4_shuffle::<0, 2, 4, 6>(low, high);
        let odd = wasm::i32x4_shuffle::<1, 3, 5, 7>(low, high);
        I32x4(wasm::i32x4_add(sum.0, wasm::i32x4_add(even, odd)))
    }
}

impl I32x4 {
    pub(crate) const ZERO: Self = Self(wasm::i32x4(0, 0, 0, 0));

    #[inline(always)]
    pub(crate) fn totals([a, b, c, d]: [Self; 4]) -> Self {
        let halves = |a: v128, b: v128| {
            let low = wasm::i32x4_shuffle::<0, 4, 1, 5>(a, b);
            wasm::i32x4_add(low, wasm::i32x4_shuffle::<2, 6, 3, 7>(a, b))
        };
        let (ab, cd) = (halves(a.0, b.0), halves(c.0, d.0));
        let low = wasm::i64x2_shuffle::<0, 2>(ab, cd);
        Self(wasm::i32x4_add(low, wasm::i64x2_shuffle::<1, 3>(ab, cd)))
    }

    #[inline(always)]
    pub(crate) fn add(self, other: Self) -> Self {
        Self(wasm::i32x4_add(self.0, other.0))
    }

    #[inline(always)]
    pub(crate) fn splat(value: i32) -> Self {
        Self(wasm::i32x4_splat(value))
    }

    #[inline(always)]
    pub(crate) fn shl(self, bits: u32) -> Self {
        Self(wasm::i32x4_shl(self.0, bits))
    }

    #[inline(always)]
    pub(crate) fn shr(self, bits: u32) -> Self {
        Self(wasm::i32x4_shr(self.0, bits))
    }

    #[inline(always)]
    pub(crate) fn as_f32(self) -> F32x4 {
        F32x4(self.0)
    }

    #[inline(always)]
    pub(crate) fn minus(self, other: Self) -> Self {
        Self(wasm::i32x4_sub(self.0, other.0))
    }

    #[inline(always)]
    pub(crate) fn to_f32(self) -> F32x4 {
        F32x4(wasm::f32x4_convert_i32x4(self.0))
    }
}

impl F32x4 {
    pub(crate) const ZERO: Self = Self(wasm::i32x4(0, 0, 0, 0));

    #[inline(always)]
    pub(crate) fn splat(value: f32) -> Self {
        Self(wasm::f32x4_splat(value))
    }

    #[inline(always)]
    pub(crate) fn load(values: &[f32; 4]) -> Self {
        Self(load(values))
    }

    #[inline(always)]
    pub(crate) fn store(self, to: &mut [f32; 4]) {
        // SAFETY: `to` is valid for writes of 16 bytes, and `v128_store` requires no alignment.
        unsafe { wasm::v128_store(to.as_mut_ptr().cast(), self.0) }
    }

    #[inline(always)]
    pub(crate) fn load_splat(value: &f32) -> Self {
        // SAFETY: `value` is valid for 4 bytes, and `v128_load32_splat` requires no alignment.
        Self(unsafe { wasm::v128_load32_splat(std::ptr::from_ref(value).cast()) })
    }

    #[inline(always)]
    pub(crate) fn from_f16(bytes: &[u8; 8]) -> Self {
        // SAFETY: `bytes` is valid for 8 bytes, and the load requires no alignment.
        Self::from_wide_f16(unsafe { wasm::i32x4_load_extend_i16x4(bytes.as_ptr().cast()) })
    }

    #[inline(always)]
    pub(crate) fn from_f16s([a, b, c, d]: [&[u8; 2]; 4]) -> Self {
        // SAFETY: each is valid for 2 bytes, and loads require no alignment.
        let halves = unsafe {
            let halves = wasm::v128_load16_lane::<0>(wasm::i32x4_splat(0), a.as_ptr().cast());
            let halves = wasm::v128_load16_lane::<1>(halves, b.as_ptr().cast());
            let halves = wasm::v128_load16_lane::<2>(halves, c.as_ptr().cast());
            wasm::v128_load16_lane::<3>(halves, d.as_ptr().cast())
        };
        Self::from_wide_f16(wasm::i32x4_extend_low_i16x8(halves))
    }

    #[inline(always)]
    pub(crate) fn from_f16_pairs([a, b, c, d]: [&[u8; 4]; 4]) -> [Self; 2] {
        // SAFETY: each is valid for 4 bytes, and loads require no alignment.
        let pairs = unsafe {
            let pairs = wasm::v128_load32_zero(a.as_ptr().cast());
            let pairs = wasm::v128_load32_lane::<1>(pairs, b.as_ptr().cast());
            let pairs = wasm::v128_load32_lane::<2>(pairs, c.as_ptr().cast());
            wasm::v128_load32_lane::<3>(pairs, d.as_ptr().cast())
        };
        let first = wasm::i32x4_shr(wasm::i32x4_shl(pairs, 16), 16);
        [Self::from_wide_f16(first), Self::from_wide_f16(wasm::i32x4_shr(pairs, 16))]
    }

    /// Half-precision numbers in lanes of 32 bits, extended by their sign.
    ///
    /// Exponent and mantissa move to their places in an `f32`; the product with 2^112 corrects
    /// the exponent's bias and is exact, subnormals included. Infinity and NaN, whose exponent
    /// is all ones, come to 2^16 and more, and get all ones again.
    #[inline(always)]
    fn from_wide_f16(halves: v128) -> Self {
        let bits = wasm::v128_and(wasm::i32x4_shl(halves, 13), wasm::u32x4_splat(0x8fff_e000));
        let value = wasm::f32x4_mul(bits, wasm::f32x4_splat(f32::from_bits(0x7780_0000)));
        let special = wasm::f32x4_ge(wasm::f32x4_abs(value), wasm::f32x4_splat(65_536.0));
        let ones = wasm::v128_and(special, wasm::u32x4_splat(0x7f80_0000));
        Self(wasm::v128_or(value, ones))
    }

    #[inline(always)]
    pub(crate) fn add(self, other: Self) -> Self {
        Self(wasm::f32x4_add(self.0, other.0))
    }

    #[inline(always)]
    pub(crate) fn mul(self, other: Self) -> Self {
        Self(wasm::f32x4_mul(self.0, other.0))
    }

    #[inline(always)]
    pub(crate) fn sub(self, other: Self) -> Self {
        Self(wasm::f32x4_sub(self.0, other.0))
    }

    #[inline(always)]
    pub(crate) fn div(self, other: Self) -> Self {
        Self(wasm::f32x4_div(self.0, other.0))
    }

    #[inline(always)]
    pub(crate) fn abs(self) -> Self {
        Self(wasm::f32x4_abs(self.0))
    }

    #[inline(always)]
    pub(crate) fn if_less(self, other: Self, then: Self, or: Self) -> Self {
        Self(wasm::v128_bitselect(then.0, or.0, wasm::f32x4_lt(self.0, other.0)))
    }

    #[inline(always)]
    pub(crate) fn bits(self) -> I32x4 {
        I32x4(self.0)
    }

    #[inline(always)]
    pub(crate) fn greatest(self) -> f32 {
        let a = wasm::f32x4_extract_lane::<0>(self.0);
        let b = wasm::f32x4_extract_lane::<1>(self.0);
        let c = wasm::f32x4_extract_lane::<2>(self.0);
        let d = wasm::f32x4_extract_lane::<3>(self.0);
        let greater = |a: f32, b: f32| if a < b { b } else { a };
        greater(greater(a, b), greater(c, d))
    }

    #[inline(always)]
    pub(crate) fn sum(self) -> f32 {
        let a = wasm::f32x4_extract_lane::<0>(self.0);
        let b = wasm::f32x4_extract_lane::<1>(self.0);
        let c = wasm::f32x4_extract_lane::<2>(self.0);
        let d = wasm::f32x4_extract_lane::<3>(self.0);
        (a + b) + (c + d)
    }

    #[inline(always)]
    pub(crate) fn from_bf16(bytes: &[u8; 8]) -> Self {
        // SAFETY: `bytes` is valid for 8 bytes, and `v128_load64_zero` requires no alignment.
        let halves = unsafe { wasm::v128_load64_zero(bytes.as_ptr().cast()) };
        Self(wasm::u32x4_shl(wasm::u32x4_extend_low_u16x8(halves), 16))
    }
}
