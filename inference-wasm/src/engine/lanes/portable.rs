//! Lanes as arrays: plain Rust in a form that compilers vectorise.

use super::half_to_f32;

/// Eight `i16`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct I16x8([i16; 8]);

/// 16 `i8`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct I8x16([i8; 16]);

/// Four `i32`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct I32x4([i32; 4]);

/// Four `f32`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct F32x4([f32; 4]);

impl I16x8 {
    pub(crate) const ZERO: Self = Self([0; 8]);

    #[inline(always)]
    pub(crate) fn load(values: &[i16; 8]) -> Self {
        Self(*values)
    }

    /// Two integers, repeated four times.
    #[inline(always)]
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the vector load takes a reference")]
    pub(crate) fn splat_pair(pair: &[i16; 2]) -> Self {
        Self(std::array::from_fn(|i| pair[i % 2]))
    }

    /// Eight numbers, saturated to 16 bits.
    #[inline(always)]
    pub(crate) fn narrowed(low: I32x4, high: I32x4) -> Self {
        let narrow = |value: i32| value.clamp(-32_768, 32_767) as i16;
        Self(std::array::from_fn(|i| narrow(if i < 4 { low.0[i] } else { high.0[i - 4] })))
    }

    #[inline(always)]
    pub(crate) fn store(self, to: &mut [i16; 8]) {
        *to = self.0;
    }

    /// One integer in all lanes.
    #[inline(always)]
    pub(crate) fn splat(value: i16) -> Self {
        Self([value; 8])
    }

    /// 16 bytes as signed numbers, in order.
    #[inline(always)]
    pub(crate) fn from_signed(bytes: &[u8; 16]) -> [Self; 2] {
        let at = |i: usize| i16::from(bytes[i] as i8);
        [Self(std::array::from_fn(at)), Self(std::array::from_fn(|i| at(i + 8)))]
    }

    /// The low nibbles of 16 bytes in order, then the high ones.
    #[inline(always)]
    pub(crate) fn from_nibbles(bytes: &[u8; 16]) -> [Self; 4] {
        let low = |i: usize| i16::from(bytes[i] & 0x0f);
        let high = |i: usize| i16::from(bytes[i] >> 4);
        [
            Self(std::array::from_fn(low)),
            Self(std::array::from_fn(|i| low(i + 8))),
            Self(std::array::from_fn(high)),
            Self(std::array::from_fn(|i| high(i + 8))),
        ]
    }

    /// Four rows of four pairs as four columns: pair `p` of each row in order.
    #[inline(always)]
    pub(crate) fn transposed(rows: [Self; 4]) -> [Self; 4] {
        std::array::from_fn(|p| Self(std::array::from_fn(|i| rows[i / 2].0[2 * p + i % 2])))
    }

    /// `self − value` in every lane.
    #[inline(always)]
    pub(crate) fn minus(self, value: i16) -> Self {
        Self(self.0.map(|lane| lane.wrapping_sub(value)))
    }

    /// Products of 16 by 16 bits; lane `j` holds `a[2j]·b[2j] + a[2j+1]·b[2j+1]`.
    #[inline(always)]
    pub(crate) fn dot(self, other: Self) -> I32x4 {
        let product = |i: usize| i32::from(self.0[i]) * i32::from(other.0[i]);
        I32x4(std::array::from_fn(|j| product(2 * j).wrapping_add(product(2 * j + 1))))
    }

    /// `byte >> shift & mask` for 16 bytes, in order. `mask` has at most `8 - shift` bits, the
    /// lowest.
    #[inline(always)]
    pub(crate) fn from_fields(bytes: &[u8; 16], shift: u32, mask: u8) -> [Self; 2] {
        let at = |i: usize| i16::from(bytes[i] >> shift & mask);
        [Self(std::array::from_fn(at)), Self(std::array::from_fn(|i| at(i + 8)))]
    }

    /// `value` in lane `j` where bit `j` is set, 0 elsewhere.
    #[inline(always)]
    pub(crate) fn from_bits(bits: u8, value: i16) -> Self {
        Self(std::array::from_fn(|j| if bits >> j & 1 == 1 { value } else { 0 }))
    }

    /// The entries of `table` for the low nibbles of 16 bytes in order, then for the high ones.
    #[inline(always)]
    pub(crate) fn from_table(bytes: &[u8; 16], table: &[i8; 16]) -> [Self; 4] {
        let nibbles = Self::from_nibbles(bytes);
        nibbles.map(|lanes| Self(lanes.0.map(|nibble| i16::from(table[nibble as usize]))))
    }

    #[inline(always)]
    pub(crate) fn add(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i].wrapping_add(other.0[i])))
    }

    /// `self · value` in every lane.
    #[inline(always)]
    pub(crate) fn times(self, value: i16) -> Self {
        Self(self.0.map(|lane| lane.wrapping_mul(value)))
    }
}

impl I8x16 {
    #[inline(always)]
    pub(crate) fn load(values: &[i8; 16]) -> Self {
        Self(*values)
    }

    /// The low nibbles of 16 bytes, and the high ones.
    #[inline(always)]
    pub(crate) fn from_nibbles(bytes: &[u8; 16]) -> [Self; 2] {
        [Self(bytes.map(|byte| (byte & 0x0f) as i8)), Self(bytes.map(|byte| (byte >> 4) as i8))]
    }

    /// Two vectors, saturated to `i8`, one after the other.
    #[inline(always)]
    pub(crate) fn narrowed(low: I16x8, high: I16x8) -> Self {
        let narrow = |value: i16| value.clamp(-128, 127) as i8;
        Self(std::array::from_fn(|i| narrow(if i < 8 { low.0[i] } else { high.0[i - 8] })))
    }

    /// `sum` plus products with numbers from 0 to 127: lane `j` adds those of bytes `4j` to `4j +
    /// 3`.
    #[inline(always)]
    pub(crate) fn dot_seven_bits(self, seven: Self, sum: I32x4) -> I32x4 {
        let product = |i: usize| i32::from(self.0[i]) * i32::from(seven.0[i]);
        let four = |j: usize| (4 * j..4 * j + 4).map(product).sum::<i32>();
        I32x4(std::array::from_fn(|j| sum.0[j].wrapping_add(four(j))))
    }
}

impl I32x4 {
    pub(crate) const ZERO: Self = Self([0; 4]);

    /// The sum of each vector's lanes.
    #[inline(always)]
    pub(crate) fn totals(of: [Self; 4]) -> Self {
        Self(of.map(|Self(lanes)| lanes.into_iter().fold(0, i32::wrapping_add)))
    }

    #[inline(always)]
    pub(crate) fn add(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i].wrapping_add(other.0[i])))
    }

    #[inline(always)]
    pub(crate) fn splat(value: i32) -> Self {
        Self([value; 4])
    }

    /// Shifts left, filling with zeros.
    #[inline(always)]
    pub(crate) fn shl(self, bits: u32) -> Self {
        Self(self.0.map(|lane| lane << bits))
    }

    /// Shifts right, filling with the sign.
    #[inline(always)]
    pub(crate) fn shr(self, bits: u32) -> Self {
        Self(self.0.map(|lane| lane >> bits))
    }

    /// Reinterprets the bits as floats.
    #[inline(always)]
    pub(crate) fn as_f32(self) -> F32x4 {
        F32x4(self.0.map(|lane| f32::from_bits(lane as u32)))
    }

    /// `self − other`.
    #[inline(always)]
    pub(crate) fn minus(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i].wrapping_sub(other.0[i])))
    }

    /// Rounds to nearest, ties to even.
    #[inline(always)]
    pub(crate) fn to_f32(self) -> F32x4 {
        F32x4(self.0.map(|lane| lane as f32))
    }
}

impl F32x4 {
    pub(crate) const ZERO: Self = Self([0.0; 4]);

    #[inline(always)]
    pub(crate) fn splat(value: f32) -> Self {
        Self([value; 4])
    }

    #[inline(always)]
    pub(crate) fn load(values: &[f32; 4]) -> Self {
        Self(*values)
    }

    #[inline(always)]
    pub(crate) fn store(self, to: &mut [f32; 4]) {
        *to = self.0;
    }

    /// One value from memory, in all lanes.
    #[inline(always)]
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the vector load takes a reference")]
    pub(crate) fn load_splat(value: &f32) -> Self {
        Self([*value; 4])
    }

    /// One half-precision number from each of four places.
    #[inline(always)]
    pub(crate) fn from_f16s(halves: [&[u8; 2]; 4]) -> Self {
        Self(halves.map(|half| half_to_f32(*half)))
    }

    /// Two half-precision numbers from each of four places: all the first, and all the second.
    #[inline(always)]
    pub(crate) fn from_f16_pairs(pairs: [&[u8; 4]; 4]) -> [Self; 2] {
        [
            Self(pairs.map(|[a, b, _, _]| half_to_f32([*a, *b]))),
            Self(pairs.map(|[_, _, a, b]| half_to_f32([*a, *b]))),
        ]
    }

    /// Four little-endian half-precision numbers.
    #[inline(always)]
    #[cfg_attr(
        target_pointer_width = "64",
        expect(clippy::trivially_copy_pass_by_ref, reason = "the vector load takes a reference")
    )]
    pub(crate) fn from_f16(bytes: &[u8; 8]) -> Self {
        Self(std::array::from_fn(|i| half_to_f32([bytes[2 * i], bytes[2 * i + 1]])))
    }

    #[inline(always)]
    pub(crate) fn add(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] + other.0[i]))
    }

    #[inline(always)]
    pub(crate) fn mul(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] * other.0[i]))
    }

    #[inline(always)]
    pub(crate) fn sub(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] - other.0[i]))
    }

    #[inline(always)]
    pub(crate) fn div(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] / other.0[i]))
    }

    #[inline(always)]
    pub(crate) fn abs(self) -> Self {
        Self(self.0.map(f32::abs))
    }

    /// `then` where `self < other`; `or` elsewhere, and where either is NaN.
    #[inline(always)]
    pub(crate) fn if_less(self, other: Self, then: Self, or: Self) -> Self {
        let select = |i: usize| if self.0[i] < other.0[i] { then.0[i] } else { or.0[i] };
        Self(std::array::from_fn(select))
    }

    /// Reinterprets the bits as integers.
    #[inline(always)]
    pub(crate) fn bits(self) -> I32x4 {
        I32x4(self.0.map(|lane| lane.to_bits() as i32))
    }

    /// The greatest lane, if none is NaN.
    #[inline(always)]
    pub(crate) fn greatest(self) -> f32 {
        let [a, b, c, d] = self.0;
        let greater = |a: f32, b: f32| if a < b { b } else { a };
        greater(greater(a, b), greater(c, d))
    }

    /// `(l0 + l1) + (l2 + l3)`.
    #[inline(always)]
    pub(crate) fn sum(self) -> f32 {
        let [a, b, c, d] = self.0;
        (a + b) + (c + d)
    }

    /// Four little-endian `bf16` numbers.
    #[inline(always)]
    #[cfg_attr(
        target_pointer_width = "64",
        expect(clippy::trivially_copy_pass_by_ref, reason = "the vector load takes a reference")
    )]
    pub(crate) fn from_bf16(bytes: &[u8; 8]) -> Self {
        Self(std::array::from_fn(|i| f32::from_le_bytes([0, 0, bytes[2 * i], bytes[2 * i + 1]])))
    }
}
