//! Attention: softmax over products with keys, and the sum of values by it.
//!
//! Works on up to four queries at a time that share a key-value head: query heads of a group, and
//! rows. Keys and values are loaded once for all of them. Scores are stored four positions to a
//! vector, by absolute position; positions that a query does not see have the weight 0, which
//! changes no bit of a sum. So a row gives the same bits alone and in a batch:
//!
//! ```text
//! score[p]  = scale · (q[0]·k[0] + q[1]·k[1] + …), in order; then the soft cap
//! weight[p] = exp(score[p] − greatest)
//! total     = lane[j] += weight[p], p ≡ j mod 4, in order; (l0 + l1) + (l2 + l3)
//! out[i]    = (weight[0]·v[0][i] + weight[1]·v[1][i] + …, in order) / total
//! ```

#![expect(clippy::inline_always, reason = "tiles are specialised to their sizes")]

use std::ops::Range;

use super::cache::{Cache, Layout, POSITIONS, Rows, Stored};
use crate::engine::backend::Heads;
use crate::engine::lanes::{F32x4, store_eight};

/// Queries that are computed together.
const TILE: usize = 4;

/// Rows that share a pass over keys and values.
pub(crate) const ROWS: usize = 4;

/// Floats of scratch that [`attend`] needs for `positions`.
pub(crate) fn scratch(positions: usize) -> usize {
    TILE * positions.next_multiple_of(POSITIONS)
}

/// Some rows and some query heads.
pub(crate) struct Piece<'a> {
    pub(crate) rows: Range<usize>,
    pub(crate) heads: Range<usize>,
    /// `[rows × heads × size]`.
    pub(crate) out: &'a mut [f32],
}

/// One query, by its place.
#[derive(Clone, Copy)]
struct Query {
    row: usize,
    head: usize,
}

/// Computes a piece of `[rows × heads · size]`, given the queries of all rows in the same shape.
pub(crate) fn attend(
    queries: &[f32],
    cache: &Cache,
    heads: &Heads,
    piece: Piece<'_>,
    scratch: &mut [f32],
) {
    match &cache.0 {
        Layout::F32(rows) => attend_stored(queries, rows, heads, piece, scratch),
        Layout::F16(rows) => attend_stored(queries, rows, heads, piece, scratch),
    }
}

fn attend_stored<T: Stored>(
    queries: &[f32],
    cache: &Rows<T>,
    heads: &Heads,
    piece: Piece<'_>,
    scratch: &mut [f32],
) {
    let Piece { rows, heads: mine, out } = piece;
    let group = heads.queries / heads.kv;
    let first = Query { row: rows.start, head: mine.start };
    let mut work = Work { queries, cache, heads, first, out_heads: mine.len(), scratch, out };
    for kv_head in mine.start / group..mine.end.div_ceil(group) {
        let start = mine.start.max(kv_head * group);
        let end = mine.end.min((kv_head + 1) * group);
        let mut tile = [first; TILE];
        let mut count = 0;
        for row in rows.clone() {
            for head in start..end {
                tile[count] = Query { row, head };
                count += 1;
                if count == TILE {
                    work.tile(kv_head, tile);
                    count = 0;
                }
            }
        }
        match count {
            1 => work.tile(kv_head, [tile[0]]),
            2 => work.tile(kv_head, [tile[0], tile[1]]),
            3 => work.tile(kv_head, [tile[0], tile[1], tile[2]]),
            _ => {}
        }
    }
}

struct Work<'a, T> {
    queries: &'a [f32],
    cache: &'a Rows<T>,
    heads: &'a Heads,
    /// The first query of `out`.
    first: Query,
    /// Query heads in a row of `out`.
    out_heads: usize,
    scratch: &'a mut [f32],
    out: &'a mut [f32],
}

impl<T: Stored> Work<'_, T> {
    /// Computes queries that share a key-value head.
    fn tile<const N: usize>(&mut self, kv_head: usize, queries: [Query; N]) {
        let heads = self.heads;
        let visible = queries.map(|query| heads.visible(query.row));
        let start = visible.iter().map(|seen| seen.start).min().unwrap_or(0);
        let end = visible.iter().map(|seen| seen.end).max().unwrap_or(0);
        let start = start / POSITIONS * POSITIONS;
        let end = end.next_multiple_of(POSITIONS);
        let (scores, _) = self.scratch.split_at_mut(N * (end - start));
        let at = kv_head * heads.size;
        let query = queries.map(|query| {
            let start = (query.row * heads.queries + query.head) * heads.size;
            &self.queries[start..start + heads.size]
        });
        score(query, self.cache, at, start, scores);
        let mut totals = [0.0; N];
        for (query, (scores, seen)) in scores.chunks_exact_mut(end - start).zip(visible).enumerate()
        {
            totals[query] = weigh(scores, seen.start - start..seen.end - start, heads);
        }
        // Scores are stored one query after another; a step over positions reads one of each.
        let mut rest = &*scores;
        let weights = totals.map(|_| {
            let (weights, others) = rest.split_at(end - start);
            rest = others;
            weights
        });
        for column in (0..heads.size).step_by(8) {
            let sums = sum_values(weights, self.cache, at + column, start);
            let width = (heads.size - column).min(8);
            for (query, (sums, total)) in queries.iter().zip(sums.iter().zip(totals)) {
                let row = (query.row - self.first.row) * self.out_heads;
                let out = (row + query.head - self.first.head) * heads.size + column;
                let values = sums.map(|sum| sum.div(F32x4::splat(total)));
                store_eight(values, &mut self.out[out..out + width]);
            }
        }
    }
}

/// `query · key` for positions from `start` on: `[queries × positions]` in `scores`. The head
/// begins at `head` in each position's keys.
#[inline(always)]
fn score<T: Stored, const N: usize>(
    queries: [&[f32]; N],
    cache: &Rows<T>,
    head: usize,
    start: usize,
    scores: &mut [f32],
) {
    let size = queries[0].len();
    let queries = queries.map(|query| &query[..size]);
    let positions = scores.len() / N;
    for position in (0..positions).step_by(POSITIONS) {
        let keys = |four: usize| {
            let keys = ((start + position) / 4 + four) * cache.width + head;
            &cache.keys.as_chunks::<4>().0[keys..keys + size]
        };
        let keys = [keys(0), keys(1)];
        let mut sums = [[F32x4::ZERO; 2]; N];
        for i in 0..size {
            let keys = keys.map(|keys| T::widen(&keys[i]));
            for query in 0..N {
                let x = F32x4::load_splat(&queries[query][i]);
                for four in 0..2 {
                    sums[query][four] = sums[query][four].add(keys[four].mul(x));
                }
            }
        }
        for (query, sums) in sums.into_iter().enumerate() {
            let scores = &mut scores[query * positions + position..][..POSITIONS];
            for (scores, sum) in scores.as_chunks_mut::<4>().0.iter_mut().zip(sums) {
                sum.store(scores);
            }
        }
    }
}

/// Turns scores into weights, `e` to the power of their distance from the greatest, and 0 for
/// positions that are not seen. Returns the sum of the weights.
fn weigh(scores: &mut [f32], seen: Range<usize>, heads: &Heads) -> f32 {
    scores[..seen.start].fill(f32::NEG_INFINITY);
    scores[seen.end..].fill(f32::NEG_INFINITY);
    let scores = scores.as_chunks_mut::<4>().0;
    let mut greatest = F32x4::splat(f32::NEG_INFINITY);
    for scores in &mut *scores {
        let mut four = F32x4::load(scores);
        let none = F32x4::splat(f32::NEG_INFINITY);
        let scaled = four.mul(F32x4::splat(heads.scale));
        let capped = match heads.soft_cap {
            Some(cap) => scaled.div(F32x4::splat(cap)).tanh().mul(F32x4::splat(cap)),
            None => scaled,
        };
        // Positions that are not seen stay so, whatever scale and cap do to them.
        four = four.if_less(F32x4::splat(f32::MIN), none, capped);
        greatest = greatest.if_less(four, four, greatest);
        four.store(scores);
    }
    let greatest = F32x4::splat(greatest.greatest());
    let mut total = F32x4::ZERO;
    for scores in scores {
        let weight = F32x4::load(scores).sub(greatest).exp();
        total = total.add(weight);
        weight.store(scores);
    }
    total.sum()
}

/// The first eight numbers, padded with zeros; those past a head's end belong to another head.
#[inline(always)]
fn eight<T: Stored>(values: &[T]) -> [F32x4; 2] {
    let mut padded = [T::default(); 8];
    let eight = values.first_chunk().unwrap_or_else(|| {
        padded[..values.len()].copy_from_slice(values);
        &padded
    });
    let fours = eight.as_chunks::<4>().0;
    [T::widen(&fours[0]), T::widen(&fours[1])]
}

/// Eight columns of `Σ weight · value` over positions from `start` on.
#[inline(always)]
fn sum_values<T: Stored, const N: usize>(
    weights: [&[f32]; N],
    cache: &Rows<T>,
    column: usize,
    start: usize,
) -> [[F32x4; 2]; N] {
    let positions = weights[0].len();
    let weights = weights.map(|weights| &weights[..positions]);
    let mut sums = [[F32x4::ZERO; 2]; N];
    #[expect(clippy::needless_range_loop, reason = "`weights` are those of all queries")]
    for position in 0..positions {
        let at = (start + position) * cache.width + column;
        let values = eight(&cache.values[at..]);
        for query in 0..N {
            let weight = F32x4::load_splat(&weights[query][position]);
            for four in 0..2 {
                sums[query][four] = sums[query][four].add(values[four].mul(weight));
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests;
