//! Weights, in place in the bytes of the file.
//!
//! Owns reading a stored matrix or vector, and multiplying parts of a matrix. The backend decides
//! on the parts and their threads.

use std::ops::Range;

use super::activation::{self, Activations};
use super::product::{BlockJob, FloatJob, Kernel};
use crate::engine::backend::ModelBytes;
use crate::engine::quant::Format;

/// Weights as the file stores them.
#[derive(Debug)]
pub struct Weight {
    pub(super) file: ModelBytes,
    pub(super) bytes: Range<usize>,
    pub(super) format: &'static Format,
    pub(super) kernel: Kernel,
    pub(super) rows: usize,
    pub(super) columns: usize,
}

impl Weight {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.file[self.bytes.clone()]
    }

    pub(super) fn row_bytes(&self) -> usize {
        self.columns / self.format.block_weights * self.format.block_bytes
    }

    /// Reads a vector as floats.
    pub(super) fn floats<'a>(&self, into: &'a mut Vec<f32>) -> &'a [f32] {
        into.resize(self.columns, 0.0);
        (self.format.dequantize)(self.bytes(), into);
        into
    }

    /// Whether it is multiplied by the integers of activations.
    pub(super) fn is_in_blocks(&self) -> bool {
        matches!(self.kernel, Kernel::Blocks(_))
    }

    /// Multiplies rows of the matrix, from `first` on, with all rows of `x`: `[rows × outputs]`, as
    /// many outputs as `out` has room for.
    pub(super) fn multiply(
        &self,
        first: usize,
        x: &[f32],
        integers: &[Activations],
        rows: usize,
        out: &mut [f32],
    ) {
        let (columns, outputs) = (self.columns, out.len() / rows);
        let weights = &self.bytes()[first * self.row_bytes()..][..outputs * self.row_bytes()];
        match self.kernel {
            Kernel::Blocks(multiply) => {
                let row_groups = columns / activation::BLOCK;
                multiply(BlockJob { weights, x: integers, row_groups, out, outputs });
            }
            Kernel::Floats(multiply) => multiply(FloatJob { weights, x, columns, out, outputs }),
        }
    }
}
