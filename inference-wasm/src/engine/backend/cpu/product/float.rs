//! Products of plain floats.
//!
//! `TILE` rows of activations by one row of weights, while there are that many rows; the rest one
//! at a time, by `TILE` rows of weights. Four accumulators either way.

use crate::engine::lanes::{F32x4, padded};

/// A format of plain floats, `BYTES` for four of them.
pub(crate) trait Floats<const BYTES: usize> {
    /// Bytes of one weight.
    const ONE: usize = BYTES / 4;
    /// Unpacks four weights.
    fn unpack(four: &[u8; BYTES]) -> F32x4;
}

/// The operands of a product with a format of floats.
pub(crate) struct FloatJob<'a> {
    /// Stored rows, one after another: `[outputs × columns]`.
    pub(crate) weights: &'a [u8],
    /// Activations: `[rows × columns]`.
    pub(crate) x: &'a [f32],
    /// Floats in a row of weights, and of activations.
    pub(crate) columns: usize,
    /// The results, row after row.
    pub(crate) out: &'a mut [f32],
    /// Floats in a row of `out`.
    pub(crate) outputs: usize,
}

/// Rows, or outputs, of a tile.
const TILE: usize = 4;

/// Multiplies weights of format `F`.
pub(crate) fn multiply<F: Floats<BYTES>, const BYTES: usize>(job: FloatJob<'_>) {
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
    /// Fills `out`, `[rows × outputs]`, with tiles of the three sizes.
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
