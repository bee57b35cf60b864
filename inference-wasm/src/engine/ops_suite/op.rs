//! One op at one shape: what every family of ops implements.

use super::bounds::Arithmetic;
use super::guard::Output;
use super::inputs::{Operands, Source};
use crate::engine::backend::Backend;
use crate::protocol::EngineError;

/// The parts of a case's name.
pub(super) struct Labels {
    /// The op's name in reports.
    pub(super) op: &'static str,
    /// The format of its weights, or of the numbers of its cache; `F32` if it has neither.
    pub(super) weights: &'static str,
    /// The rest: `rows=5,columns=96,outputs=33`.
    pub(super) shape: String,
}

/// One op at one shape.
pub(super) trait Op {
    /// Its name.
    fn labels(&self) -> Labels;

    /// Floats in a row of its output.
    fn columns(&self) -> usize;

    /// Its operands.
    fn operands(&self, source: &mut Source) -> Operands;

    /// Runs it; `None` if the backend leaves the op to others.
    async fn run<B: Backend>(
        &self,
        operands: &Operands,
        backend: &mut B,
    ) -> Result<Option<Output>, EngineError>;

    /// The exact result, if it is known without a backend.
    fn exact(&self, _: &Operands) -> Option<Vec<f32>> {
        None
    }

    /// The distance that each value may have from `expected`.
    fn allowed(&self, operands: &Operands, expected: &[f32], arithmetic: Arithmetic) -> Vec<f64>;
}
