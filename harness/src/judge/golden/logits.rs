//! Whole rows of logits, read from the safetensors file beside a golden.

use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors};

use super::GoldenError;

/// Rows of logits, [rows, columns], row after row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rows<'a> {
    values: &'a [f32],
    columns: usize,
}

impl<'a> Rows<'a> {
    /// `None` if the values do not make whole rows.
    pub fn new(values: &'a [f32], columns: usize) -> Option<Self> {
        (columns > 0 && values.len().is_multiple_of(columns)).then_some(Self { values, columns })
    }

    /// Number of rows.
    pub fn count(&self) -> usize {
        self.values.len() / self.columns
    }

    /// Number of logits in a row: the vocabulary.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The rows, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'a [f32]> + use<'a> {
        self.values.chunks_exact(self.columns)
    }

    /// One logit.
    pub fn get(&self, row: usize, id: u32) -> Option<f32> {
        self.iter().nth(row)?.get(id as usize).copied()
    }
}

/// The file of logits of one golden, checked against the golden's hash.
#[derive(Debug)]
pub struct LogitsGolden {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl LogitsGolden {
    pub(super) fn new(path: &Path, bytes: Vec<u8>) -> Self {
        Self { path: path.to_owned(), bytes }
    }

    /// The values and the number of columns of a case; see [`Rows::new`].
    pub fn case(&self, id: &str, expected_rows: usize) -> Result<(Vec<f32>, usize), GoldenError> {
        let broken = |reason: String| GoldenError::Broken { path: self.path.clone(), reason };
        let file =
            SafeTensors::deserialize(&self.bytes).map_err(|error| broken(error.to_string()))?;
        let tensor = file
            .tensor(id)
            .map_err(|_| broken(format!("expected a tensor for case `{id}`, found none")))?;
        match (tensor.dtype(), tensor.shape()) {
            (Dtype::F32, [rows, columns]) if *rows == expected_rows && *columns > 0 => {
                let (values, _) = tensor.data().as_chunks::<4>();
                Ok((values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(), *columns))
            }
            (dtype, shape) => Err(broken(format!(
                "tensor `{id}`: expected F32 [{expected_rows}, vocabulary], found {dtype:?} {shape:?}"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_whole() {
        let values = [1.0, 2.0, 3.0, 4.0];
        let rows = Rows::new(&values, 2).unwrap();
        assert_eq!(
            (rows.count(), rows.get(1, 0), rows.get(1, 2), rows.get(2, 0)),
            (2, Some(3.0), None, None)
        );
        assert_eq!(Rows::new(&values, 3), None);
        assert_eq!(Rows::new(&values, 0), None);
    }

    #[test]
    fn a_tensor_of_another_shape_is_rejected() {
        let bytes: Vec<u8> = [1.0_f32, -2.5].iter().flat_map(|value| value.to_le_bytes()).collect();
        let view = safetensors::tensor::TensorView::new(Dtype::F32, vec![1, 2], &bytes).unwrap();
        let file = safetensors::serialize([("c", view)], None).unwrap();
        let logits = LogitsGolden::new(Path::new("x.safetensors"), file);
        assert_eq!(logits.case("c", 1).unwrap(), (vec![1.0, -2.5], 2));
        assert_eq!(
            logits.case("c", 2).unwrap_err().to_string(),
            "golden `x.safetensors` is broken: tensor `c`: expected F32 [2, vocabulary], found F32 [1, 2]"
        );
        assert_eq!(
            logits.case("d", 1).unwrap_err().to_string(),
            "golden `x.safetensors` is broken: expected a tensor for case `d`, found none"
        );
    }
}
