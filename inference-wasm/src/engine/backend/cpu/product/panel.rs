//! Products with several rows of activations: prefill.
//!
//! A panel is a piece of eight rows of weights, unpacked once for all rows of activations and small
//! enough for the first-level cache. Its lanes are outputs: a vector holds a pair of successive
//! weights of each of four rows, and is multiplied by the same pair of activations in all lanes, so
//! no sum across lanes is needed.

use super::blocks::{BlockJob, Blocks, DEPTH, NARROW, Scales, term};
use crate::engine::backend::cpu::activation::Activations;
use crate::engine::lanes::{F32x4, I16x8, I32x4, load_eight, store_eight};

/// Vectors of four rows of weights in a panel.
const VECTORS: usize = 2;

/// Rows of weights in a panel.
pub(crate) const WIDTH: usize = 4 * VECTORS;

/// Rows of activations that are multiplied at a time. With two vectors of outputs that makes eight
/// accumulators, which fit 16 vector registers together with the operands.
const TILE: usize = 4;

/// Pairs of weights in a group.
const PAIRS: usize = 16;

/// A piece of eight rows of weights: up to `DEPTH` groups, each as pairs of four rows in a vector.
struct Panel {
    pairs: [[[I16x8; VECTORS]; PAIRS]; DEPTH],
    scales: [[Scales; VECTORS]; DEPTH],
}

/// Multiplies weights of format `F` by the rows of a job.
#[inline(always)]
pub(super) fn multiply<F: Blocks<BYTES>, const BYTES: usize>(job: BlockJob<'_>) {
    let BlockJob { weights, x, row_groups, out, outputs } = job;
    let row_blocks = row_groups / F::GROUPS;
    let rows = x.len() / row_groups;
    let weights = weights.as_chunks::<BYTES>().0;
    let mut panel = Panel::new();
    for first in (0..outputs).step_by(WIDTH) {
        for start in (0..row_blocks).step_by(DEPTH / F::GROUPS) {
            let end = row_blocks.min(start + DEPTH / F::GROUPS);
            // Rows past the last one repeat it.
            panel.fill::<F, BYTES>(|i| {
                let row = (first + i).min(outputs - 1) * row_blocks;
                &weights[row + start..row + end]
            });
            let piece = |row: usize| &x[row * row_groups..][start * F::GROUPS..end * F::GROUPS];
            let tiled = rows - rows % TILE;
            for row in (0..tiled).step_by(TILE) {
                let x = std::array::from_fn(|i| piece(row + i));
                panel.tile::<F, BYTES, TILE>(
                    x,
                    start > 0,
                    &mut out[row * outputs..],
                    first,
                    outputs,
                );
            }
            for row in tiled..rows {
                panel.tile::<F, BYTES, 1>(
                    [piece(row)],
                    start > 0,
                    &mut out[row * outputs..],
                    first,
                    outputs,
                );
            }
        }
    }
}

impl Panel {
    fn new() -> Self {
        let scales = Scales { scale: F32x4::ZERO, least: [F32x4::ZERO; 2] };
        Self { pairs: [[[I16x8::ZERO; VECTORS]; PAIRS]; DEPTH], scales: [[scales; VECTORS]; DEPTH] }
    }

    /// Unpacks blocks of eight rows.
    #[inline(always)]
    fn fill<'a, F: Blocks<BYTES>, const BYTES: usize>(
        &mut self,
        row: impl Fn(usize) -> &'a [[u8; BYTES]],
    ) {
        for vector in 0..VECTORS {
            let rows: [_; 4] = std::array::from_fn(|i| row(4 * vector + i));
            for block in 0..rows[0].len() {
                let blocks = rows.map(|row| &row[block]);
                for group in 0..F::GROUPS {
                    let at = block * F::GROUPS + group;
                    let [a, b, c, d] = blocks.map(|block| F::integers(block, group));
                    let quarters = self.pairs[at].as_chunks_mut::<4>().0;
                    // Unrolled, to keep the integers in registers: in a loop they don't stay there.
                    put(&mut quarters[0], vector, [a[0], b[0], c[0], d[0]]);
                    put(&mut quarters[1], vector, [a[1], b[1], c[1], d[1]]);
                    put(&mut quarters[2], vector, [a[2], b[2], c[2], d[2]]);
                    put(&mut quarters[3], vector, [a[3], b[3], c[3], d[3]]);
                    self.scales[at][vector] = F::scales(blocks, group);
                }
            }
        }
    }

    /// Adds the products with some rows of activations to what `out` holds, or stores them there.
    /// `out` begins with the first of the rows, `[rows × outputs]`; the panel's outputs start at
    /// `first`.
    #[inline(always)]
    fn tile<F: Blocks<BYTES>, const BYTES: usize, const ROWS: usize>(
        &self,
        x: [&[Activations]; ROWS],
        is_continued: bool,
        out: &mut [f32],
        first: usize,
        outputs: usize,
    ) {
        let width = WIDTH.min(outputs - first);
        let mut sums = [[F32x4::ZERO; VECTORS]; ROWS];
        if is_continued {
            for (row, sums) in sums.iter_mut().enumerate() {
                *sums = load_eight(&out[row * outputs + first..][..width]);
            }
        }
        let groups = x[0].len();
        let x = x.map(|x| &x[..groups]);
        for (group, (pairs, scales)) in self.pairs.iter().zip(&self.scales).enumerate().take(groups)
        {
            let x = x.map(|x| &x[group]);
            let products = products::<F, BYTES, ROWS>(pairs, x);
            for row in 0..ROWS {
                for vector in 0..VECTORS {
                    let term = term::<F, BYTES>(products[row][vector], &scales[vector], x[row]);
                    sums[row][vector] = sums[row][vector].add(term);
                }
            }
            // Force the sums into memory: the loop over pairs needs every register.
            std::hint::black_box(&mut sums);
        }
        for (row, sums) in sums.into_iter().enumerate() {
            store_eight(sums, &mut out[row * outputs + first..][..width]);
        }
    }
}

/// Stores eight successive weights of each of four rows as the pairs of a vector.
#[inline(always)]
fn put(pairs: &mut [[I16x8; VECTORS]; 4], vector: usize, rows: [I16x8; 4]) {
    let [a, b, c, d] = I16x8::transposed(rows);
    pairs[0][vector] = a;
    pairs[1][vector] = b;
    pairs[2][vector] = c;
    pairs[3][vector] = d;
}

/// `Σ q_w · q_x` over a group, for each row of activations and each output.
#[inline(always)]
fn products<F: Blocks<BYTES>, const BYTES: usize, const ROWS: usize>(
    weights: &[[I16x8; VECTORS]; PAIRS],
    x: [&Activations; ROWS],
) -> [[F32x4; VECTORS]; ROWS] {
    let x = x.map(|x| x.q.as_flattened().as_chunks::<2>().0);
    if F::GREATEST <= NARROW {
        sums(weights, x).map(|row| row.map(I32x4::to_f32))
    } else {
        let (first, last) = weights.split_at(PAIRS / 2);
        let first = sums(first, x.map(|x| &x[..PAIRS / 2]));
        let last = sums(last, x.map(|x| &x[PAIRS / 2..]));
        std::array::from_fn(|row| {
            std::array::from_fn(|vector| {
                first[row][vector].to_f32().add(last[row][vector].to_f32())
            })
        })
    }
}

/// Sums of products of pairs, in steps of four: with single steps, a third would be loop overhead.
#[inline(always)]
fn sums<const ROWS: usize>(
    weights: &[[I16x8; VECTORS]],
    x: [&[[i16; 2]]; ROWS],
) -> [[I32x4; VECTORS]; ROWS] {
    let mut sums = [[I32x4::ZERO; VECTORS]; ROWS];
    let weights = weights.as_chunks::<4>().0;
    let x = x.map(|x| &x.as_chunks::<4>().0[..weights.len()]);
    for (four, weights) in weights.iter().enumerate() {
        for pair in 0..4 {
            for row in 0..ROWS {
                let x = I16x8::splat_pair(&x[row][four][pair]);
                for vector in 0..VECTORS {
                    let sum = &mut sums[row][vector];
                    *sum = sum.add(weights[pair][vector].dot(x));
                }
            }
        }
    }
    sums
}
