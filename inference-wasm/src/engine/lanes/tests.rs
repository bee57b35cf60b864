//! The lanes that this build uses against sums written out in scalar code.

use super::{F32x4, I16x8, dot, portable};
use half::f16;
use proptest::prelude::*;

fn stored(lanes: F32x4) -> [u32; 4] {
    let mut values = [0.0; 4];
    lanes.store(&mut values);
    values.map(f32::to_bits)
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
    fn portable_lanes_agree(a in any::<[f32; 4]>(), b in any::<[f32; 4]>()) {
        let ours = F32x4::load(&a).mul(F32x4::load(&b)).add(F32x4::splat(a[0]));
        let other = portable::F32x4::load(&a)
            .mul(portable::F32x4::load(&b))
            .add(portable::F32x4::splat(a[0]));
        let (ours, other) = (ours.sum(), other.sum());
        prop_assert!(ours.to_bits() == other.to_bits() || ours.is_nan() && other.is_nan());
    }
}

#[test]
fn halves_of_the_library_agree_with_the_lanes() {
    let value = f16::from_f32(-0.1);
    let bytes: Vec<u8> = [value; 4].iter().flat_map(|half| half.to_le_bytes()).collect();
    let bytes: [u8; 8] = bytes.try_into().unwrap();
    assert_eq!(stored(F32x4::from_f16(&bytes)), [value.to_f32().to_bits(); 4]);
}
