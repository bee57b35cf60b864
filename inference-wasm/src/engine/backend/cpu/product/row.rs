//! Products with one row of activations: decoding.
//!
//! Four rows of weights at a time, so that a group of activations is loaded once for all of them,
//! and the work after the integer products is done for all of them in one vector, a lane for each.
//! The four are a quarter of the matrix apart: neighbours would be four streams in one page of
//! memory, which processors don't prefetch, and decoding took twice as long.

use super::blocks::{BlockJob, Blocks, NARROW, term};
use crate::engine::backend::cpu::activation::{Activations, Bytes};
use crate::engine::lanes::{F32x4, I8x16, I16x8, I32x4, MULTIPLIES_BYTES};

/// Multiplies weights of format `F` by the one row of a job.
#[inline(always)]
pub(super) fn multiply<F: Blocks<BYTES>, const BYTES: usize>(job: BlockJob<'_>) {
    let BlockJob { weights, x, row_groups, out, outputs } = job;
    let row_blocks = row_groups / F::GROUPS;
    let weights = weights.as_chunks::<BYTES>().0;
    let x = &x[..row_blocks * F::GROUPS];
    let quarter = outputs.div_ceil(4);
    for first in 0..quarter {
        // Rows past the last one repeat it.
        let rows: [&[[u8; BYTES]]; 4] = std::array::from_fn(|i| {
            let start = (first + i * quarter).min(outputs - 1) * row_blocks;
            &weights[start..start + row_blocks]
        });
        let mut sum = F32x4::ZERO;
        for block in 0..row_blocks {
            let blocks = rows.map(|row| &row[block]);
            for group in 0..F::GROUPS {
                let x = &x[block * F::GROUPS + group];
                let products = match (F::SEVEN_BITS, x.bytes.first()) {
                    (Some(offset), Some(bytes)) if MULTIPLIES_BYTES => {
                        products_of_bytes::<F, BYTES>(blocks, group, bytes, offset)
                    }
                    _ => products::<F, BYTES>(blocks, group, x),
                };
                sum = sum.add(term::<F, BYTES>(products, &F::scales(blocks, group), x));
            }
        }
        let mut sums = [0.0; 4];
        sum.store(&mut sums);
        for (out, sum) in out[first..].iter_mut().step_by(quarter).zip(sums) {
            *out = sum;
        }
    }
}

/// `Σ q_w · q_x` over a group, for each of four rows of weights.
#[inline(always)]
fn products<F: Blocks<BYTES>, const BYTES: usize>(
    blocks: [&[u8; BYTES]; 4],
    group: usize,
    x: &Activations,
) -> F32x4 {
    let x = x.q.each_ref().map(I16x8::load);
    let halves = blocks.map(|block| {
        let [a, b, c, d] = F::integers(block, group);
        [a.dot(x[0]).add(b.dot(x[1])), c.dot(x[2]).add(d.dot(x[3]))]
    });
    if F::GREATEST <= NARROW {
        I32x4::totals(halves.map(|[first, last]| first.add(last))).to_f32()
    } else {
        let first = I32x4::totals(halves.map(|[first, _]| first)).to_f32();
        first.add(I32x4::totals(halves.map(|[_, last]| last)).to_f32())
    }
}

/// The same in bytes: `q_x` is `256 · high + low`, and `q_w` is `seven bits − offset`. All in
/// integers, so the result is the same.
#[inline(always)]
fn products_of_bytes<F: Blocks<BYTES>, const BYTES: usize>(
    blocks: [&[u8; BYTES]; 4],
    group: usize,
    x: &Bytes,
    offset: i16,
) -> F32x4 {
    let high = x.high.each_ref().map(I8x16::load);
    let low = x.low.each_ref().map(I8x16::load);
    let sums = blocks.map(|block| {
        let [first, last] = F::seven_bits(block, group);
        let dot =
            |x: [I8x16; 2]| x[1].dot_seven_bits(last, x[0].dot_seven_bits(first, I32x4::ZERO));
        dot(high).shl(8).add(dot(low))
    });
    let sums = I32x4::totals(sums);
    if offset == 0 {
        sums.to_f32()
    } else {
        sums.minus(I32x4::splat(x.sum * i32::from(offset))).to_f32()
    }
}

/// The products of four blocks in both ways, which must agree.
#[cfg(test)]
pub(crate) fn both_ways<F: Blocks<BYTES>, const BYTES: usize>(
    blocks: [&[u8; BYTES]; 4],
    group: usize,
    x: &Activations,
) -> [[u32; 4]; 2] {
    let offset = F::SEVEN_BITS.expect("a format that has them");
    [
        products::<F, BYTES>(blocks, group, x),
        products_of_bytes::<F, BYTES>(blocks, group, &x.bytes[0], offset),
    ]
    .map(|products| {
        let mut values = [0.0; 4];
        products.store(&mut values);
        values.map(f32::to_bits)
    })
}
