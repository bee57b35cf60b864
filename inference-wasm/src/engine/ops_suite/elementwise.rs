//! The element-wise ops: gates, sums, scales and caps. All in place.

use super::bounds::{Arithmetic, TANH_ULPS, TINY, ULP};
use super::guard::{self, Output};
use super::inputs::{Operands, Source, Values};
use super::op::{Labels, Op};
use crate::engine::backend::Backend;
use crate::engine::model::Activation;
use crate::engine::quant::Format;
use crate::protocol::EngineError;

/// The function of each value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Function {
    /// `gate ← activation(gate) · up`.
    Gated(Activation),
    /// `x ← x + y`.
    Add,
    /// `x[r] ← x[r] + bias`.
    AddBias(&'static Format),
    /// `x ← factor · x`.
    Scale(f32),
    /// `x ← cap · tanh(x / cap)`.
    SoftCap(f32),
}

/// An element-wise op at one shape.
#[derive(Debug, Clone, Copy)]
pub(super) struct Elementwise {
    pub(super) function: Function,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) values: Values,
}

/// The critical arguments of gates and caps: `eˣ` overflows beyond 88.7, half precision's beyond
/// 11.1, and a cube beyond 7·10¹².
const TURNS: [f32; 16] = [
    0.0, -0.0, 1e-6, -1e-6, 0.625, -0.625, 9.0, -9.0, 11.2, -11.2, 44.5, -44.5, 87.0, -87.0, 100.0,
    -100.0,
];

impl Op for Elementwise {
    fn labels(&self) -> Labels {
        let Self { function, rows, columns, values } = *self;
        let values = values.label();
        let (op, weights, more) = match function {
            Function::Gated(Activation::Silu) => ("gated", "F32", ",activation=silu".to_owned()),
            Function::Gated(Activation::GeluTanh) => {
                ("gated", "F32", ",activation=gelu-tanh".to_owned())
            }
            Function::Add => ("add", "F32", String::new()),
            Function::AddBias(format) => ("add_bias", format.name, String::new()),
            Function::Scale(factor) => ("scale", "F32", format!(",factor={factor}")),
            Function::SoftCap(cap) => ("soft_cap", "F32", format!(",cap={cap}")),
        };
        Labels { op, weights, shape: format!("rows={rows},columns={columns}{more}{values}") }
    }

    fn columns(&self) -> usize {
        self.columns
    }

    fn operands(&self, source: &mut Source) -> Operands {
        let Self { function, rows, columns, values } = *self;
        let mut x = source.rows(rows, columns, values);
        if values == Values::Ends {
            for (x, turn) in x.iter_mut().zip(TURNS.iter().cycle()) {
                *x = *turn;
            }
        }
        let mut operands = Operands { x, ..Operands::default() };
        match function {
            Function::AddBias(format) => {
                operands.weight = Some(source.vector(format, columns, Values::Ordinary));
            }
            Function::Gated(_) | Function::Add => {
                let values = if values == Values::Ends { Values::Ordinary } else { values };
                operands.y = source.rows(rows, columns, values);
            }
            Function::Scale(_) | Function::SoftCap(_) => {}
        }
        operands
    }

    async fn run<B: Backend>(
        &self,
        operands: &Operands,
        backend: &mut B,
    ) -> Result<Option<Output>, EngineError> {
        let mut x = guard::guarded(backend, self.columns, &operands.x)?;
        match self.function {
            Function::Gated(activation) => {
                let up = backend.constant(self.columns, &operands.y)?;
                backend.gated(&mut x, &up, activation);
            }
            Function::Add => {
                let y = backend.constant(self.columns, &operands.y)?;
                backend.add(&mut x, &y);
            }
            Function::AddBias(_) => {
                let bias = guard::weight(backend, operands.weight.as_ref())?;
                backend.add_bias(&mut x, &bias);
            }
            Function::Scale(factor) => backend.scale(&mut x, factor),
            Function::SoftCap(cap) => backend.soft_cap(&mut x, cap),
        }
        guard::read_back(backend, &x, (self.rows, self.columns)).await.map(Some)
    }

    fn allowed(&self, operands: &Operands, expected: &[f32], _: Arithmetic) -> Vec<f64> {
        let value = |at: usize| f64::from(expected[at].abs());
        let x = |at: usize| f64::from(operands.x[at].abs());
        let bound = |at: usize| match self.function {
            Function::Add | Function::AddBias(_) | Function::Scale(_) => ULP * value(at) + TINY,
            Function::SoftCap(cap) => TANH_ULPS * ULP * f64::from(cap),
            Function::Gated(Activation::Silu) => {
                // Below 2⁻¹²⁶ the logistic function may count as zero, or e⁻ˣ may have overflowed.
                let up = f64::from(operands.y[at].abs());
                (12.0 + 2.0 * x(at)) * ULP * value(at) + TINY * (1.0 + (1.0 + x(at)) * up)
            }
            Function::Gated(Activation::GeluTanh) => {
                let up = f64::from(operands.y[at].abs());
                16.0 * ULP * x(at) * up + TINY * (1.0 + up)
            }
        };
        (0..expected.len()).map(bound).collect()
    }
}
