//! Finds tensors by name and shape, and tracks which ones were used: an unused tensor is an error,
//! since leaving it out would compute a different model.

use std::collections::HashSet;

use super::{Gguf, ModelError, TensorInfo};

/// Looks tensors up.
pub(super) struct Finder<'g, 'a> {
    gguf: &'g Gguf<'a>,
    used: HashSet<String>,
}

impl<'g, 'a> Finder<'g, 'a> {
    pub(super) fn new(gguf: &'g Gguf<'a>) -> Self {
        Self { gguf, used: HashSet::new() }
    }

    /// Whether the file has a tensor of that name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.gguf.tensors.contains_key(name)
    }

    /// `[size]`.
    pub(super) fn vector(&mut self, name: &str, size: usize) -> Result<TensorInfo, ModelError> {
        self.tensor(name, &[size])
    }

    /// `[rows × columns]`.
    pub(super) fn matrix(
        &mut self,
        name: &str,
        rows: usize,
        columns: usize,
    ) -> Result<TensorInfo, ModelError> {
        self.tensor(name, &[columns, rows])
    }

    /// Matrices with `columns` columns, stored one after the other in one tensor: each is a range
    /// of its bytes.
    pub(super) fn stacked<const N: usize>(
        &mut self,
        name: &str,
        rows: [usize; N],
        columns: usize,
    ) -> Result<[TensorInfo; N], ModelError> {
        let all_rows = rows.iter().sum();
        let whole = self.matrix(name, all_rows, columns)?;
        let row_bytes = whole.bytes.len() / all_rows;
        let mut start = whole.bytes.start;
        Ok(rows.map(|rows| {
            let bytes = start..start + rows * row_bytes;
            start = bytes.end;
            TensorInfo { dimensions: vec![columns, rows], bytes, ..whole.clone() }
        }))
    }

    fn tensor(&mut self, name: &str, dimensions: &[usize]) -> Result<TensorInfo, ModelError> {
        let what = format!("tensor `{name}`");
        let expected = format!("dimensions {dimensions:?}");
        let Some(tensor) = self.gguf.tensors.get(name) else {
            return Err(ModelError::broken(what, None, expected, "no such tensor"));
        };
        if tensor.dimensions != dimensions {
            let found = format!("{:?}", tensor.dimensions);
            return Err(ModelError::broken(what, tensor.entry_offset, expected, found));
        }
        self.used.insert(tensor.name.clone());
        Ok(tensor.clone())
    }

    /// Refuses a file with unused tensors.
    pub(super) fn finish(&self, architecture: &str) -> Result<(), ModelError> {
        let unused = self.gguf.tensors.values().find(|tensor| !self.used.contains(&tensor.name));
        let Some(unused) = unused else { return Ok(()) };
        Err(ModelError::unsupported(
            format!("tensor `{}`", unused.name),
            unused.entry_offset,
            format!("only tensors that the `{architecture}` architecture of this engine uses"),
            "one that it does not",
        ))
    }
}
