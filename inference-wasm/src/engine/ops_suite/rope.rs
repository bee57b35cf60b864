//! The rotary embedding, in both layouts of pairs, of whole heads and of a part of them.

use super::bounds::{Arithmetic, TINY, ULP};
use super::guard::{self, Output};
use super::inputs::{Operands, Source, Values};
use super::op::{Labels, Op};
use crate::engine::backend::{Backend, Rotary};
use crate::engine::model::RotaryPairs;
use crate::protocol::EngineError;

/// `rope`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rope {
    pub(super) rows: usize,
    pub(super) heads: usize,
    /// Floats of a head.
    pub(super) size: usize,
    /// Rotated floats of a head.
    pub(super) rotated: usize,
    pub(super) pairs: RotaryPairs,
    /// Position of the first row.
    pub(super) first: usize,
    pub(super) values: Values,
}

impl Op for Rope {
    fn labels(&self) -> Labels {
        let Self { rows, heads, size, rotated, pairs, first, values } = *self;
        let pairs = match pairs {
            RotaryPairs::Interleaved => "interleaved",
            RotaryPairs::Halves => "halves",
        };
        let shape = format!(
            "rows={rows},heads={heads},size={size},rotated={rotated},pairs={pairs},first={first}{}",
            values.label()
        );
        Labels { op: "rope", weights: "F32", shape }
    }

    fn columns(&self) -> usize {
        self.heads * self.size
    }

    fn operands(&self, source: &mut Source) -> Operands {
        let x = source.rows(self.rows, self.columns(), self.values);
        let mut y = Vec::new();
        for position in 0..self.first + self.rows {
            for pair in 0..self.rotated / 2 {
                let frequency = 10_000_f64.powf(-2.0 * pair as f64 / self.rotated as f64);
                let angle = position as f64 * frequency;
                y.extend([angle.cos() as f32, angle.sin() as f32]);
            }
        }
        Operands { x, y, ..Operands::default() }
    }

    async fn run<B: Backend>(
        &self,
        operands: &Operands,
        backend: &mut B,
    ) -> Result<Option<Output>, EngineError> {
        let angles = backend.constant(self.rotated, &operands.y)?;
        let mut x = guard::guarded(backend, self.columns(), &operands.x)?;
        let rotary = Rotary { head_size: self.size, pairs: self.pairs };
        backend.rope(&mut x, &angles, rotary, self.first);
        guard::read_back(backend, &x, (self.rows, self.columns())).await.map(Some)
    }

    /// Only rotated floats may be off at all.
    fn allowed(&self, operands: &Operands, _: &[f32], _: Arithmetic) -> Vec<f64> {
        let half = self.rotated / 2;
        let mut allowed = Vec::with_capacity(operands.x.len());
        for (row, x) in operands.x.chunks_exact(self.columns()).enumerate() {
            let angles = &operands.y[(self.first + row) * self.rotated..][..self.rotated];
            for head in x.chunks_exact(self.size) {
                for at in 0..self.size {
                    let (pair, other) = match self.pairs {
                        _ if at >= self.rotated => {
                            allowed.push(0.0);
                            continue;
                        }
                        RotaryPairs::Interleaved => (at / 2, at ^ 1),
                        RotaryPairs::Halves => (at % half, (at + half) % self.rotated),
                    };
                    let [cos, sin] = [angles[2 * pair], angles[2 * pair + 1]].map(f64::from);
                    let [a, b] = [head[at], head[other]].map(f64::from);
                    allowed.push(4.0 * ULP * ((a * cos).abs() + (b * sin).abs()) + 3.0 * TINY);
                }
            }
        }
        allowed
    }
}
