//! The ops on matrices of weights: `embed` and `matmul`.

use super::bounds::{Arithmetic, TINY, ULP};
use super::guard::{self, Output};
use super::inputs::{Operands, Source, Values, dense};
use super::op::{Labels, Op};
use crate::engine::backend::Backend;
use crate::engine::quant::Format;
use crate::protocol::EngineError;

/// `out[r] = table[ids[r]]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Embed {
    pub(super) format: &'static Format,
    pub(super) rows: usize,
    /// Rows of the table.
    pub(super) tokens: usize,
    pub(super) columns: usize,
    pub(super) values: Values,
}

impl Op for Embed {
    fn labels(&self) -> Labels {
        let Self { format, rows, tokens, columns, values } = *self;
        let values = values.label();
        let shape = format!("rows={rows},columns={columns},tokens={tokens}{values}");
        Labels { op: "embed", weights: format.name, shape }
    }

    fn columns(&self) -> usize {
        self.columns
    }

    fn operands(&self, source: &mut Source) -> Operands {
        let weight = source.weight(self.format, (self.tokens, self.columns), self.values);
        let mut ids: Vec<u32> = (0..self.rows).map(|_| source.below(self.tokens) as u32).collect();
        // The last row of the table, where a tail would be.
        ids[self.rows - 1] = self.tokens as u32 - 1;
        Operands { weight: Some(weight), ids, ..Operands::default() }
    }

    async fn run<B: Backend>(
        &self,
        operands: &Operands,
        backend: &mut B,
    ) -> Result<Option<Output>, EngineError> {
        let table = guard::weight(backend, operands.weight.as_ref())?;
        let mut out = guard::poisoned(backend, self.rows, self.columns)?;
        backend.embed(&table, &operands.ids, &mut out);
        guard::read_back(backend, &out, (self.rows, self.columns)).await.map(Some)
    }

    fn allowed(&self, operands: &Operands, _expected: &[f32], _: Arithmetic) -> Vec<f64> {
        let Some(weight) = &operands.weight else { return Vec::new() };
        let (_, parts) = dense(weight);
        let ulps = if self.format.block_weights > 1 { 4.0 } else { 0.0 };
        let rows = operands.ids.iter().map(|&id| id as usize * self.columns);
        let parts = rows.flat_map(|start| &parts[start..start + self.columns]);
        parts.map(|part| ulps * ULP * part + TINY).collect()
    }
}

/// `out[r] = matrix · x[r]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Matmul {
    pub(super) format: &'static Format,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) outputs: usize,
    pub(super) values: Values,
}

impl Op for Matmul {
    fn labels(&self) -> Labels {
        let Self { format, rows, columns, outputs, values } = *self;
        let values = values.label();
        let shape = format!("rows={rows},columns={columns},outputs={outputs}{values}");
        Labels { op: "matmul", weights: format.name, shape }
    }

    #[expect(clippy::misnamed_getters, reason = "the columns of the output")]
    fn columns(&self) -> usize {
        self.outputs
    }

    fn operands(&self, source: &mut Source) -> Operands {
        let weight = source.weight(self.format, (self.outputs, self.columns), self.values);
        let x = source.rows(self.rows, self.columns, self.values);
        Operands { x, weight: Some(weight), ..Operands::default() }
    }

    async fn run<B: Backend>(
        &self,
        operands: &Operands,
        backend: &mut B,
    ) -> Result<Option<Output>, EngineError> {
        let matrix = guard::weight(backend, operands.weight.as_ref())?;
        let x = backend.constant(self.columns, &operands.x)?;
        let mut out = guard::poisoned(backend, self.rows, self.outputs)?;
        backend.matmul(&matrix, &x, &mut out);
        guard::read_back(backend, &out, (self.rows, self.outputs)).await.map(Some)
    }

    /// A product's magnitude is that of all parts of the weight, since a backend may sum those with
    /// the scale and the least values separately. With integer activations, each product may be off
    /// by half a step of its group of 32.
    fn allowed(&self, operands: &Operands, _: &[f32], arithmetic: Arithmetic) -> Vec<f64> {
        let Some(weight) = &operands.weight else { return Vec::new() };
        let (weights, parts) = dense(weight);
        let ulps = 2.0 * self.columns as f64;
        let is_rounded = arithmetic.has_integer_activations && self.format.block_weights > 1;
        let mut allowed = Vec::with_capacity(self.rows * self.outputs);
        for x in operands.x.chunks_exact(self.columns) {
            let half_steps: Vec<f64> = x
                .chunks(32)
                .map(|group| group.iter().fold(0.0_f32, |greatest, x| greatest.max(x.abs())))
                .map(|greatest| if is_rounded { f64::from(greatest) / 65_278.0 } else { 0.0 })
                .collect();
            let matrix = weights.chunks_exact(self.columns).zip(parts.chunks_exact(self.columns));
            for (weights, parts) in matrix {
                let (mut magnitude, mut rounded) = (0.0, 0.0);
                for (at, (x, part)) in x.iter().zip(parts).enumerate() {
                    let half_step = half_steps[at / 32];
                    magnitude += (f64::from(x.abs()) + half_step) * part;
                    rounded += half_step * f64::from(weights[at].abs());
                }
                allowed.push(ulps * ULP * magnitude + rounded + ulps * TINY);
            }
        }
        allowed
    }
}
