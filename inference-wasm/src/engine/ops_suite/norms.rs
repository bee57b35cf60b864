//! RMS norm, of rows and of heads.

use super::bounds::{Arithmetic, TINY, ULP};
use super::guard::{self, Output};
use super::inputs::{Operands, Source, Values};
use super::op::{Labels, Op};
use crate::engine::backend::Backend;
use crate::engine::quant::Format;
use crate::protocol::EngineError;

/// A usual value.
const EPSILON: f32 = 1e-5;

/// `rms_norm`, or, where there are heads, `rms_norm_in_place`, which reports call `rms_norm_heads`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Norm {
    /// The format of the scale.
    pub(super) format: &'static Format,
    pub(super) rows: usize,
    /// The number of heads, each normalised in place; `None` for whole rows.
    pub(super) heads: Option<usize>,
    /// Floats that are normalised together.
    pub(super) size: usize,
    pub(super) values: Values,
}

impl Op for Norm {
    fn labels(&self) -> Labels {
        let Self { format, rows, heads, size, values } = *self;
        let values = values.label();
        let (op, shape) = match heads {
            None => ("rms_norm", format!("rows={rows},columns={size}{values}")),
            Some(heads) => {
                ("rms_norm_heads", format!("rows={rows},heads={heads},size={size}{values}"))
            }
        };
        Labels { op, weights: format.name, shape }
    }

    fn columns(&self) -> usize {
        self.heads.unwrap_or(1) * self.size
    }

    fn operands(&self, source: &mut Source) -> Operands {
        // Each head has an end of its own.
        let x = source.rows(self.rows * self.heads.unwrap_or(1), self.size, self.values);
        let weight = source.vector(self.format, self.size, Values::Ordinary);
        Operands { x, weight: Some(weight), ..Operands::default() }
    }

    async fn run<B: Backend>(
        &self,
        operands: &Operands,
        backend: &mut B,
    ) -> Result<Option<Output>, EngineError> {
        let scale = guard::weight(backend, operands.weight.as_ref())?;
        let columns = self.columns();
        let out = if self.heads.is_some() {
            let mut x = guard::guarded(backend, columns, &operands.x)?;
            backend.rms_norm_in_place(&mut x, &scale, EPSILON);
            x
        } else {
            let x = backend.constant(columns, &operands.x)?;
            let mut out = guard::poisoned(backend, self.rows, columns)?;
            backend.rms_norm(&x, &scale, EPSILON, &mut out);
            out
        };
        guard::read_back(backend, &out, (self.rows, columns)).await.map(Some)
    }

    fn allowed(&self, _: &Operands, expected: &[f32], _: Arithmetic) -> Vec<f64> {
        let ulps = self.size as f64 + 10.0;
        expected.iter().map(|value| ulps * ULP * f64::from(value.abs()) + TINY).collect()
    }
}
