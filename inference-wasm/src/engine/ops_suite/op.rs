//! One op at one shape: what every family of ops implements.

use super::bounds::Arithmetic;
use super::guard::Output;
use super::inputs::{Operands, Source};
use crate::engine::backend::Backend;
use crate::protocol::EngineError;

/// What the parts of a case's name are.
pub(super) struct Labels {
    /// The op, as [`Backend`] calls it.
    pub(super) op: &'static str,
    /// How its weights, or the numbers of its cache, are stored; `F32` where it has neither.
    pub(super) weights: &'static str,
    /// The rest: `rows=5,columns=96,outputs=33`.
    pub(super) shape: String,
}

/// One op at one shape.
pub(super) trait Op {
    /// Its name.
    fn labels(&self) -> Labels;

    /// Floats in a row of what it leaves.
    fn columns(&self) -> usize;

    /// What it is given.
    fn operands(&self, source: &mut Source) -> Operands;

    /// Runs it; `None` if the backend leaves the op to others.
    async fn run<B: Backend>(
        &self,
        operands: &Operands,
        backend: &mut B,
    ) -> Result<Option<Output>, EngineError>;

    /// What is right, where that is known without a backend.
    fn exact(&self, _: &Operands) -> Option<Vec<f32>> {
        None
    }

    /// How far each value may be off from what is `expected`.
    fn allowed(&self, operands: &Operands, expected: &[f32], arithmetic: Arithmetic) -> Vec<f64>;
}
