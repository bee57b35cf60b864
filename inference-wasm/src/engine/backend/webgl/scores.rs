//! Attention's scratch.

use super::device::Device;
use super::tensor::Tensor;
use crate::engine::backend::CHUNK_ROWS;
use crate::protocol::EngineError;

/// The most floats of scores that are kept, 64 MiB: a long prompt is attended to in fewer rows at a
/// time.
const MAX_SCORES: usize = 1 << 24;

/// Scratch for scores.
pub(super) struct Scores {
    pub(super) tensor: Tensor,
    /// Rows of queries that fit, each with all heads.
    pub(super) rows: usize,
    /// The heads and the positions of the cache that it was made for.
    pub(super) made_for: (usize, usize),
}

impl Scores {
    pub(super) fn new(
        device: &mut Device,
        heads: usize,
        positions: usize,
    ) -> Result<Self, EngineError> {
        let rows = (MAX_SCORES / (heads * positions).max(1)).clamp(1, CHUNK_ROWS);
        let tensor = Tensor::new(device, rows * heads, positions)?;
        Ok(Self { tensor, rows, made_for: (heads, positions) })
    }
}
