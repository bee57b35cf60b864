//! Lanes from slices of any length, and back.

use super::F32x4;

/// A dot product in four lanes; a length that is not a multiple of four is padded with zeros.
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

/// Up to four values, padded with zeros.
pub(crate) fn padded(rest: &[f32]) -> [f32; 4] {
    let mut lanes = [0.0; 4];
    for (lane, value) in lanes.iter_mut().zip(rest) {
        *lane = *value;
    }
    lanes
}

/// Up to eight values, padded with zeros. Copying a number of values unknown at compile time is a
/// call that takes longer than the copy.
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

/// Stores the first of eight values, as many as `out` has room for.
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
