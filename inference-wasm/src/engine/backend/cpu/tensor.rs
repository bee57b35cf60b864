//! Activations: floats, and the integers that products take.

use std::cell::{Ref, RefCell};

use super::activation::{self, Activations};
use super::weight::Weight;

/// `[rows × columns]` in row order, and the same as integers once a product has needed them.
#[derive(Debug)]
pub struct Tensor {
    pub(super) columns: usize,
    pub(super) values: Vec<f32>,
    pub(super) integers: RefCell<Vec<Activations>>,
}

impl Tensor {
    /// The integers, made now if one of the weights needs them and they are missing.
    pub(super) fn integers_for<const N: usize>(
        &self,
        weights: [&Weight; N],
    ) -> Ref<'_, Vec<Activations>> {
        let mut integers = self.integers.borrow_mut();
        if integers.is_empty() && weights.iter().any(|weight| weight.is_in_blocks()) {
            for row in self.values.chunks_exact(self.columns) {
                activation::quantize_row(row, &mut integers);
            }
        }
        drop(integers);
        self.integers.borrow()
    }

    pub(super) fn rows(&self) -> usize {
        self.values.len() / self.columns
    }

    pub(super) fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.columns..(row + 1) * self.columns]
    }

    /// All values, for writing: discards the integers.
    pub(super) fn write(&mut self) -> &mut [f32] {
        self.integers.get_mut().clear();
        &mut self.values
    }

    /// The same, with another number of rows.
    pub(super) fn resize(&mut self, rows: usize) -> &mut [f32] {
        self.values.resize(rows * self.columns, 0.0);
        self.write()
    }
}
