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

pub(super) struct F32;

impl Floats<16> for F32 {
    #[inline(always)]
    fn unpack(four: &[u8; 16]) -> F32x4 {
        F32x4::load(&bytemuck::cast(*four))
    }
}

pub(super) struct F16;

impl Floats<8> for F16 {
    #[inline(always)]
    fn unpack(four: &[u8; 8]) -> F32x4 {
        F32x4::from_f16(four)
    }
}

pub(super) struct Bf16;

impl Floats<8> for Bf16 {
    #[inline(always)]
    fn unpack(four: &[u8; 8]) -> F32x4 {
        F32x4::from_bf16(four)
    }
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
    let x_row = |row: usize| &x[row * columns..(row + 1) * columns];
    let weight_row = |output: usize| &weights[output * row_bytes..(output + 1) * row_bytes];
    let rows = x.len() / columns;
    let tiled_rows = rows - rows % TILE;
    for output in 0..outputs {
        for row in (0..tiled_rows).step_by(TILE) {
            let x = std::array::from_fn(|i| x_row(row + i));
            let sums = tile::<F, BYTES, TILE, 1>(x, [weight_row(output)]);
            for (i, [sum]) in sums.into_iter().enumerate() {
                out[(row + i) * outputs + output] = sum;
            }
        }
    }
    for row in tiled_rows..rows {
        let (tiles, rest) = out[row * outputs..(row + 1) * outputs].as_chunks_mut::<TILE>();
        let tiled_outputs = outputs - rest.len();
        for (output, out) in (0..).step_by(TILE).zip(tiles) {
            let weights = std::array::from_fn(|i| weight_row(output + i));
            [*out] = tile::<F, BYTES, 1, TILE>([x_row(row)], weights);
        }
        for (output, out) in (tiled_outputs..).zip(rest) {
            [[*out]] = tile::<F, BYTES, 1, 1>([x_row(row)], [weight_row(output)]);
        }
    }
}

/// The products of some rows of activations with some rows of weights.
#[inline(always)]
fn tile<F: Floats<BYTES>, const BYTES: usize, const ROWS: usize, const OUTPUTS: usize>(
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
