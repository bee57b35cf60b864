//! Matrix products of stored weights with rows of activations: the hot loops of the engine.
//!
//! One tile for everything: `ROWS` rows of activations by `OUTPUTS` rows of weights, so that a
//! block of weights is unpacked once and used for several rows (prefill), and a block of
//! activations is loaded once and used for several rows of weights (decode). Whatever the tile,
//! an output is summed in the same order, so a token gives the same bits alone and in a batch:
//!
//! ```text
//! blocks:  lane[j] += (scale_w · scale_x) · (integer dot of pairs j, j+4, j+8, j+12), a block at
//!          a time; rest += least_w · sum_x (both halves); result (l0 + l1) + (l2 + l3) + rest
//! floats:  lane[j] += w[4i+j] · x[4i+j]; result (l0 + l1) + (l2 + l3)
//! ```

#![expect(
    clippy::inline_always,
    reason = "tiles are made for the numbers that they are called with"
)]

use super::activation::Activations;
use crate::engine::lanes::{F32x4, I16x8, I32x4, padded};

/// A format of blocks of `BYTES` bytes whose weights are integers with a scale, in groups of 32:
/// weight `i` of a group is `scale · q[i] + least[i / 16]`.
pub(crate) trait Blocks<const BYTES: usize> {
    /// Groups of 32 weights in a block.
    const GROUPS: usize = 1;
    /// Unpacks a group of a block.
    fn unpack(block: &[u8; BYTES], group: usize) -> Unpacked;
}

/// A group of weights, ready to be multiplied.
#[derive(Clone, Copy)]
pub(crate) struct Unpacked {
    /// The 32 integers in order, of magnitude 4096 at most: eight products with activations of 16
    /// bits, the most that a lane adds up, then stay below 2³¹. A format with a scale for every
    /// 16 weights multiplies them by it here.
    pub(crate) q: [I16x8; 4],
    /// What they are multiplied by.
    pub(crate) scale: f32,
    /// What is added to each of the first 16 and of the last; 0 in formats without.
    pub(crate) least: [f32; 2],
}

/// A format of plain floats, `BYTES` for four of them.
pub(crate) trait Floats<const BYTES: usize> {
    /// Bytes of one.
    const ONE: usize = BYTES / 4;
    /// Four weights.
    fn unpack(four: &[u8; BYTES]) -> F32x4;
}

/// What a format of blocks is multiplied by: `[rows × columns]` in blocks, to
/// `[rows × outputs]`.
pub(crate) struct BlockJob<'a> {
    /// Stored rows, one after another: `[outputs × columns]`.
    pub(crate) weights: &'a [u8],
    /// Activations.
    pub(crate) x: &'a [Activations],
    /// Groups of 32 in a row, of weights and of activations.
    pub(crate) row_groups: usize,
    /// Where the results go, row after row.
    pub(crate) out: &'a mut [f32],
    /// Floats in a row of `out`.
    pub(crate) outputs: usize,
}

/// What a format of floats is multiplied by.
pub(crate) struct FloatJob<'a> {
    /// Stored rows, one after another: `[outputs × columns]`.
    pub(crate) weights: &'a [u8],
    /// Activations: `[rows × columns]`.
    pub(crate) x: &'a [f32],
    /// Floats in a row, of weights and of activations.
    pub(crate) columns: usize,
    /// Where the results go, row after row.
    pub(crate) out: &'a mut [f32],
    /// Floats in a row of `out`.
    pub(crate) outputs: usize,
}

/// The tiles: four rows of activations at a time while there are four, by one row of weights;
/// the others one at a time, by four rows of weights. Four accumulators either way, which with
/// the operands is what 16 vector registers hold.
const TILE: usize = 4;

/// Multiplies weights of format `F`.
pub(crate) fn blocks<F: Blocks<BYTES>, const BYTES: usize>(job: BlockJob<'_>) {
    let BlockJob { weights, x, row_groups, out, outputs } = job;
    let weights = weights.as_chunks::<BYTES>().0;
    let row_blocks = row_groups / F::GROUPS;
    let tiles = Tiles {
        x: |row: usize| &x[row * row_groups..(row + 1) * row_groups],
        weights: |output: usize| &weights[output * row_blocks..(output + 1) * row_blocks],
        rows: x.len() / row_groups,
        outputs,
    };
    tiles.multiply(
        out,
        block_tile::<F, BYTES, TILE, 1>,
        block_tile::<F, BYTES, 1, TILE>,
        block_tile::<F, BYTES, 1, 1>,
    );
}

/// Multiplies weights of format `F`.
pub(crate) fn floats<F: Floats<BYTES>, const BYTES: usize>(job: FloatJob<'_>) {
    let FloatJob { weights, x, columns, out, outputs } = job;
    let row_bytes = columns * F::ONE;
    let tiles = Tiles {
        x: |row: usize| &x[row * columns..(row + 1) * columns],
        weights: |output: usize| &weights[output * row_bytes..(output + 1) * row_bytes],
        rows: x.len() / columns,
        outputs,
    };
    tiles.multiply(
        out,
        float_tile::<F, BYTES, TILE, 1>,
        float_tile::<F, BYTES, 1, TILE>,
        float_tile::<F, BYTES, 1, 1>,
    );
}

/// How a product is cut into tiles.
struct Tiles<X, W> {
    /// A row of activations.
    x: X,
    /// A stored row of weights.
    weights: W,
    rows: usize,
    outputs: usize,
}

impl<'a, A: ?Sized + 'a, B: ?Sized + 'a, X: Fn(usize) -> &'a A, W: Fn(usize) -> &'a B> Tiles<X, W> {
    /// Fills `out`, `[rows × outputs]`, with what tiles of the three sizes come to.
    #[inline(always)]
    fn multiply(
        &self,
        out: &mut [f32],
        many_rows: impl Fn([&'a A; TILE], [&'a B; 1]) -> [[f32; 1]; TILE],
        many_outputs: impl Fn([&'a A; 1], [&'a B; TILE]) -> [[f32; TILE]; 1],
        one: impl Fn([&'a A; 1], [&'a B; 1]) -> [[f32; 1]; 1],
    ) {
        let Self { x, weights, rows, outputs } = self;
        let tiled_rows = rows - rows % TILE;
        for output in 0..*outputs {
            let weights = [weights(output)];
            for row in (0..tiled_rows).step_by(TILE) {
                let x = std::array::from_fn(|i| x(row + i));
                for (i, [sum]) in many_rows(x, weights).into_iter().enumerate() {
                    out[(row + i) * outputs + output] = sum;
                }
            }
        }
        for row in tiled_rows..*rows {
            let (x, out) = ([x(row)], &mut out[row * outputs..(row + 1) * outputs]);
            let (tiles, rest) = out.as_chunks_mut::<TILE>();
            let rest_at = tiles.len() * TILE;
            for (tile, out) in tiles.iter_mut().enumerate() {
                let weights = std::array::from_fn(|i| weights(tile * TILE + i));
                [*out] = many_outputs(x, weights);
            }
            for (i, out) in rest.iter_mut().enumerate() {
                [[*out]] = one(x, [weights(rest_at + i)]);
            }
        }
    }
}

#[inline(always)]
fn block_tile<F: Blocks<BYTES>, const BYTES: usize, const ROWS: usize, const OUTPUTS: usize>(
    x: [&[Activations]; ROWS],
    weights: [&[[u8; BYTES]]; OUTPUTS],
) -> [[f32; OUTPUTS]; ROWS] {
    let mut lanes = [[F32x4::splat(0.0); OUTPUTS]; ROWS];
    let mut rest = [[0.0; OUTPUTS]; ROWS];
    // All slices are of one length; said again so that the compiler drops its bounds checks.
    let count = weights[0].len();
    let x = x.map(|x| &x[..count * F::GROUPS]);
    let weights = weights.map(|weights| &weights[..count]);
    for block in 0..count {
        for group in 0..F::GROUPS {
            for output in 0..OUTPUTS {
                let w = F::unpack(&weights[output][block], group);
                for row in 0..ROWS {
                    let x = &x[row][block * F::GROUPS + group];
                    let scale = F32x4::splat(w.scale * x.scale);
                    let sum = &mut lanes[row][output];
                    *sum = sum.add(scale.mul(integer_dot(&w.q, &x.q).to_f32()));
                    rest[row][output] += w.least[0] * x.sums[0] + w.least[1] * x.sums[1];
                }
            }
        }
    }
    std::array::from_fn(|row| {
        std::array::from_fn(|output| lanes[row][output].sum() + rest[row][output])
    })
}

#[inline(always)]
fn integer_dot(w: &[I16x8; 4], x: &[[i16; 8]; 4]) -> I32x4 {
    let part = |i: usize| w[i].dot(I16x8::load(&x[i]));
    part(0).add(part(1)).add(part(2).add(part(3)))
}

#[inline(always)]
fn float_tile<F: Floats<BYTES>, const BYTES: usize, const ROWS: usize, const OUTPUTS: usize>(
    x: [&[f32]; ROWS],
    weights: [&[u8]; OUTPUTS],
) -> [[f32; OUTPUTS]; ROWS] {
    let mut lanes = [[F32x4::splat(0.0); OUTPUTS]; ROWS];
    let x = x.map(<[f32]>::as_chunks::<4>);
    let weights = weights.map(<[u8]>::as_chunks::<BYTES>);
    let count = x[0].0.len();
    for four in 0..count {
        for output in 0..OUTPUTS {
            let w = F::unpack(&weights[output].0[four]);
            for row in 0..ROWS {
                let sum = &mut lanes[row][output];
                *sum = sum.add(w.mul(F32x4::load(&x[row].0[four])));
            }
        }
    }
    if !x[0].1.is_empty() {
        for output in 0..OUTPUTS {
            let mut four = [0; BYTES];
            four[..weights[output].1.len()].copy_from_slice(weights[output].1);
            let w = F::unpack(&four);
            for row in 0..ROWS {
                let sum = &mut lanes[row][output];
                *sum = sum.add(w.mul(F32x4::load(&padded(x[row].1))));
            }
        }
    }
    lanes.map(|row| row.map(F32x4::sum))
}
