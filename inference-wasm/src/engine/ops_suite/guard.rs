//! Tensors that show stray writes: poisoned before an op, and checked after it.

use crate::engine::backend::{Backend, ModelBytes};
use crate::engine::model::TensorInfo;
use crate::protocol::EngineError;

/// Rows after those that an op writes, in which a stray write shows.
pub(super) const GUARD_ROWS: usize = 4;

/// The value of floats that were never written. Large, so that an op which reads it shows that too.
pub(super) const POISON: f32 = -7.625e18;

/// The output of an op.
#[derive(Debug, Default)]
pub(super) struct Output {
    /// The values, row after row.
    pub(super) values: Vec<f32>,
    /// The floats after them, up to [`GUARD_ROWS`] rows; empty if the backend has no room there.
    pub(super) beyond: Vec<f32>,
}

/// A tensor for writing: room for `rows` rows and the guard's, all of it poison.
pub(super) fn poisoned<B: Backend>(
    backend: &mut B,
    rows: usize,
    columns: usize,
) -> Result<B::Tensor, EngineError> {
    backend.constant(columns, &vec![POISON; (rows + GUARD_ROWS) * columns])
}

/// A tensor for changing in place: these values, followed by the guard.
pub(super) fn guarded<B: Backend>(
    backend: &mut B,
    columns: usize,
    values: &[f32],
) -> Result<B::Tensor, EngineError> {
    let rows = values.len() / columns;
    let source = backend.constant(columns, values)?;
    let mut tensor = poisoned(backend, rows, columns)?;
    backend.rows(&source, 0..rows, &mut tensor);
    Ok(tensor)
}

/// Loads the weight of a case.
pub(super) fn weight<B: Backend>(
    backend: &mut B,
    weight: Option<&(ModelBytes, TensorInfo)>,
) -> Result<B::Weight, EngineError> {
    let (file, tensor) = weight.expect("an op with weights has operands with weights");
    backend.weight(file, tensor)
}

/// Reads a tensor: `rows` rows of `columns`, and the floats after them.
pub(super) async fn read_back<B: Backend>(
    backend: &mut B,
    tensor: &B::Tensor,
    (rows, columns): (usize, usize),
) -> Result<Output, EngineError> {
    let mut values = Vec::new();
    backend.read_room(tensor, &mut values).await?;
    let mut beyond = values.split_off(values.len().min(rows * columns));
    beyond.truncate(GUARD_ROWS * columns);
    Ok(Output { values, beyond })
}
