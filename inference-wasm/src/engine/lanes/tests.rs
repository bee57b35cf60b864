//! The lanes of this build, compared with sums in scalar code.

use super::{F32x4, I16x8, dot, portable};
use half::f16;
use proptest::prelude::*;
// In a browser too: only there are the lanes those of SIMD128.
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

fn stored(lanes: F32x4) -> [u32; 4] {
    let mut values = [0.0; 4];
    lanes.store(&mut values);
    values.map(f32::to_bits)
}

/// The eight integers, each by a product with a vector that has 1 in that lane alone.
fn lanes(lanes: I16x8) -> [i32; 8] {
    std::array::from_fn(|i| {
        let one = std::array::from_fn(|j| i16::from(i == j));
        stored(lanes.dot(I16x8::load(&one)).to_f32()).map(f32::from_bits)[i / 2] as i32
    })
}

/// The results of every operation of an implementation, as floats.
macro_rules! results {
    ($floats:ty, $integers:ty, $a:expr, $b:expr, $bytes:expr, $x:expr) => {{
        let floats = |lanes: $floats| {
            let mut values = [0.0_f32; 4];
            lanes.store(&mut values);
            values
        };
        let wide = $x.map(i16::from);
        let (low, high) = wide.split_at(8);
        let low = <$integers>::load(low.try_into().unwrap());
        let high = <$integers>::load(high.try_into().unwrap());
        let [s, t] = <$integers>::from_signed($bytes);
        let [c, d, e, f] = <$integers>::from_nibbles($bytes);
        let halves: [u8; 8] = $bytes[..8].try_into().unwrap();
        [
            floats(<$floats>::load($a).mul(<$floats>::load($b))),
            floats(<$floats>::load($a).add(<$floats>::splat($b[0]))),
            [<$floats>::load($a).sum(); 4],
            floats(<$floats>::from_f16(&halves)),
            floats(s.dot(low).add(t.dot(high)).to_f32()),
            floats(c.minus(8).dot(low).add(d.dot(high)).to_f32()),
            floats(e.dot(low).add(f.minus(-3).dot(high)).to_f32()),
            floats(<$floats>::from_bf16(&halves)),
        ]
    }};
}

#[test]
fn every_half_becomes_the_float_of_its_value() {
    for start in (0..=u16::MAX).step_by(4) {
        let halves: [u16; 4] = std::array::from_fn(|i| start + i as u16);
        let mut bytes = [0; 8];
        for (bytes, half) in bytes.as_chunks_mut::<2>().0.iter_mut().zip(halves) {
            *bytes = half.to_le_bytes();
        }
        let ours = stored(F32x4::from_f16(&bytes)).map(f32::from_bits);
        for (half, ours) in halves.into_iter().zip(ours) {
            // By definition of the format, not by a library: sign, exponent, fraction.
            let sign = if half & 0x8000 == 0 { 1.0 } else { -1.0 };
            let (exponent, fraction) = (i32::from(half >> 10 & 31), f64::from(half & 1023));
            let expected = match exponent {
                0 => sign * fraction * 2_f64.powi(-24),
                31 if fraction == 0.0 => sign * f64::INFINITY,
                31 => f64::NAN,
                _ => sign * (1.0 + fraction / 1024.0) * 2_f64.powi(exponent - 15),
            };
            let same = if expected.is_nan() { ours.is_nan() } else { f64::from(ours) == expected };
            assert!(same, "half {half:#06x}: expected {expected}, found {ours}");
            assert_eq!(ours.is_sign_negative(), sign < 0.0, "half {half:#06x}");
        }
    }
}

proptest! {
    #[test]
    fn a_dot_product_sums_in_four_lanes(pairs in prop::collection::vec((-1e3_f32..1e3, -1e3_f32..1e3), 0..70)) {
        let (a, b): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
        let mut lanes = [0.0_f32; 4];
        for i in 0..a.len() {
            lanes[i % 4] += a[i] * b[i];
        }
        let expected = (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
        prop_assert_eq!(dot(&a, &b).to_bits(), expected.to_bits());
    }

    #[test]
    fn integers_land_in_the_lane_of_their_pair(bytes in any::<[u8; 16]>(), x in any::<[i8; 16]>()) {
        let wide = x.map(i16::from);
        let (low, high) = wide.split_at(8);
        let low = I16x8::load(low.try_into().unwrap());
        let high = I16x8::load(high.try_into().unwrap());

        let [a, b] = I16x8::from_signed(&bytes);
        let signed = stored(a.dot(low).add(b.dot(high)).to_f32());
        let [c, d, e, f] = I16x8::from_nibbles(&bytes);
        let nibbles = stored(c.minus(8).dot(low).add(d.dot(high)).to_f32());
        let highs = stored(e.dot(low).add(f.minus(-3).dot(high)).to_f32());

        let expect = |term: &dyn Fn(usize) -> i32| -> [u32; 4] {
            std::array::from_fn(|j| {
                let sum: i32 = [2 * j, 2 * j + 1, 2 * j + 8, 2 * j + 9].map(term).iter().sum();
                (sum as f32).to_bits()
            })
        };
        let x = |i: usize| i32::from(x[i]);
        prop_assert_eq!(signed, expect(&|i| i32::from(bytes[i] as i8) * x(i)));
        prop_assert_eq!(nibbles, expect(&|i| {
            (i32::from(bytes[i] & 15) - if i < 8 { 8 } else { 0 }) * x(i)
        }));
        prop_assert_eq!(highs, expect(&|i| {
            (i32::from(bytes[i] >> 4) + if i < 8 { 0 } else { 3 }) * x(i)
        }));
    }

    #[test]
    fn fields_bits_and_table_land_in_their_lanes(
        bytes in any::<[u8; 16]>(),
        table in any::<[i8; 16]>(),
        (shift, factor) in (0_u32..8, -128_i16..128),
    ) {
        for width in 1..=8 - shift {
            let mask = (0xff_u32 >> (8 - width)) as u8;
            let [a, b] = I16x8::from_fields(&bytes, shift, mask);
            let field = |i: usize| i32::from(bytes[i] >> shift & mask);
            prop_assert_eq!(lanes(a), std::array::from_fn(field));
            prop_assert_eq!(lanes(b), std::array::from_fn(|i| field(i + 8)));
        }
        let bit = |i: usize| if bytes[0] >> i & 1 == 1 { i32::from(factor) } else { 0 };
        prop_assert_eq!(lanes(I16x8::from_bits(bytes[0], factor)), std::array::from_fn(bit));

        let looked_up = I16x8::from_table(&bytes, &table);
        for (part, looked_up) in looked_up.into_iter().enumerate() {
            let entry = |i: usize| {
                let byte = bytes[part % 2 * 8 + i];
                i32::from(table[usize::from(if part < 2 { byte & 15 } else { byte >> 4 })])
            };
            prop_assert_eq!(lanes(looked_up), std::array::from_fn(entry));
            let sum = looked_up.times(factor).add(looked_up);
            let expected = std::array::from_fn(|i| entry(i) * (i32::from(factor) + 1));
            prop_assert_eq!(lanes(sum), expected);
        }
    }

    /// Trivial where the lanes of this build are the portable ones.
    #[test]
    fn portable_lanes_agree(
        a in any::<[f32; 4]>(),
        b in any::<[f32; 4]>(),
        bytes in any::<[u8; 16]>(),
        x in any::<[i8; 16]>(),
    ) {
        let ours = results!(F32x4, I16x8, &a, &b, &bytes, &x);
        let others = results!(portable::F32x4, portable::I16x8, &a, &b, &bytes, &x);
        for (step, (ours, other)) in ours.into_iter().zip(others).enumerate() {
            for (ours, other) in ours.into_iter().zip(other) {
                // WebAssembly does not specify which NaN results.
                let same = ours.to_bits() == other.to_bits() || ours.is_nan() && other.is_nan();
                prop_assert!(same, "step {step}: expected {other}, found {ours}");
            }
        }
    }
}

#[test]
fn the_upper_half_of_a_float_is_the_float() {
    let values = [1.0_f32, -0.0, f32::NEG_INFINITY, 3.389_531_4e38];
    let mut bytes = [0; 8];
    for (bytes, value) in bytes.as_chunks_mut::<2>().0.iter_mut().zip(values) {
        *bytes = ((value.to_bits() >> 16) as u16).to_le_bytes();
    }
    assert_eq!(stored(F32x4::from_bf16(&bytes)), values.map(f32::to_bits));
}

#[test]
fn halves_of_the_library_agree_with_the_lanes() {
    let value = f16::from_f32(-0.1);
    let bytes: Vec<u8> = [value; 4].iter().flat_map(|half| half.to_le_bytes()).collect();
    let bytes: [u8; 8] = bytes.try_into().unwrap();
    assert_eq!(stored(F32x4::from_f16(&bytes)), [value.to_f32().to_bits(); 4]);
}
