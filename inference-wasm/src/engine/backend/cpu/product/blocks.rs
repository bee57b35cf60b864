//! What a format of blocks offers to the loops, and the loops' operands.

use crate::engine::backend::cpu::activation::Activations;
use crate::engine::lanes::{F32x4, I8x16, I16x8};

/// A format with blocks of `BYTES` bytes whose weights are integers with a scale, in groups of 32:
/// weight `i` of a group is `scale · q[i] + least[i / 16]`.
///
/// [`unpack`](Self::unpack) defines the format. The rest is for speed: it avoids computing what is
/// not needed.
pub(crate) trait Blocks<const BYTES: usize> {
    /// Groups of 32 weights in a block: a divisor of [`DEPTH`].
    const GROUPS: usize = 1;

    /// The greatest magnitude of an integer, at most 4096. Up to [`NARROW`], products of all 32 fit
    /// one sum; above it, the first and the last 16 are summed separately.
    const GREATEST: i16 = 4096;

    /// Which least values the format has.
    const LEAST: Least = Least::Halves;

    /// The offset that makes each integer a number from 0 to 127, in formats where one exists:
    /// those are multiplied as bytes where that is fast.
    const SEVEN_BITS: Option<i16> = None;

    /// Unpacks a group of a block.
    fn unpack(block: &[u8; BYTES], group: usize) -> Unpacked;

    /// Only the integers.
    #[inline(always)]
    fn integers(block: &[u8; BYTES], group: usize) -> [I16x8; 4] {
        Self::unpack(block, group).q
    }

    /// The integers as numbers from 0 to 127, in formats with that offset.
    #[inline(always)]
    fn seven_bits(block: &[u8; BYTES], group: usize) -> [I8x16; 2] {
        let offset = Self::SEVEN_BITS.unwrap_or_default();
        let [a, b, c, d] = Self::integers(block, group).map(|q| q.minus(-offset));
        [I8x16::narrowed(a, b), I8x16::narrowed(c, d)]
    }

    /// Scales and least values of the same group of four blocks.
    #[inline(always)]
    fn scales(blocks: [&[u8; BYTES]; 4], group: usize) -> Scales {
        let unpacked = blocks.map(|block| Self::unpack(block, group));
        let least = |half: usize| F32x4::load(&unpacked.map(|group| group.least[half]));
        Scales {
            scale: F32x4::load(&unpacked.map(|group| group.scale)),
            least: [least(0), least(1)],
        }
    }
}

/// The least values of a format.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Least {
    None,
    /// One for all 32 weights of a group.
    Whole,
    /// One for the first 16, one for the last.
    Halves,
}

/// The greatest magnitude of integers whose 32 products with activations fit an `i32`: 2048 · 32 ·
/// 32639 is less than 2³¹.
pub(super) const NARROW: i16 = 2048;

/// A group of weights, ready to be multiplied.
#[derive(Clone, Copy)]
pub(crate) struct Unpacked {
    /// The 32 integers in order, of magnitude 4096 at most: 16 products with activations of 16 bits
    /// then stay below 2³¹. A format with a scale for every 16 weights multiplies them by it here.
    pub(crate) q: [I16x8; 4],
    /// Their factor.
    pub(crate) scale: f32,
    /// Added to each of the first 16 and of the last; 0 in formats without least values.
    pub(crate) least: [f32; 2],
}

/// Scales and least values of a group in four rows of weights, a lane for each row.
#[derive(Clone, Copy)]
pub(crate) struct Scales {
    pub(crate) scale: F32x4,
    /// Unused in formats without; if there is one for the whole group, it is the first.
    pub(crate) least: [F32x4; 2],
}

/// The operands of a product with a format of blocks: `[rows × columns]` in blocks, to `[rows ×
/// outputs]`.
pub(crate) struct BlockJob<'a> {
    /// Stored rows, one after another: `[outputs × columns]`.
    pub(crate) weights: &'a [u8],
    pub(crate) x: &'a [Activations],
    /// Groups of 32 in a row of weights, and of activations.
    pub(crate) row_groups: usize,
    /// The results, row after row.
    pub(crate) out: &'a mut [f32],
    /// Floats in a row of `out`.
    pub(crate) outputs: usize,
}

/// Groups that a panel holds.
pub(super) const DEPTH: usize = 16;

/// The term that a group adds to the sums of four outputs, given its sums of products.
#[inline(always)]
pub(super) fn term<F: Blocks<BYTES>, const BYTES: usize>(
    products: F32x4,
    weights: &Scales,
    x: &Activations,
) -> F32x4 {
    let [first, last] = weights.least;
    let scale = weights.scale.mul(F32x4::load_splat(&x.scale));
    let term = scale.mul(products);
    match F::LEAST {
        Least::None => term,
        Least::Whole => term.add(first.mul(F32x4::load_splat(&x.sum))),
        Least::Halves => {
            let first = first.mul(F32x4::load_splat(&x.sums[0]));
            term.add(first).add(last.mul(F32x4::load_splat(&x.sums[1])))
        }
    }
}
