//! Activations and caches on the device.

use super::buffers::Buffer;

/// `[rows × columns]` in row order, with room for more rows.
#[derive(Debug)]
pub struct Tensor {
    pub(super) buffer: Buffer,
    /// Rows of capacity.
    pub(super) room: usize,
    pub(super) rows: usize,
    pub(super) columns: usize,
}

/// Keys and values of a layer: `[positions × row_words]` words each.
#[derive(Debug)]
pub struct Cache {
    pub(super) keys: Buffer,
    pub(super) values: Buffer,
    /// Each word holds two halves.
    pub(super) is_half: bool,
    pub(super) row_words: usize,
}

impl Tensor {
    pub(super) fn count(&self) -> usize {
        self.rows * self.columns
    }
}
