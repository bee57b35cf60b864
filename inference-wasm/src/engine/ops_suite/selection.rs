//! The ops that compute nothing: `rows`, `read` and `best`. Their results are known exactly without
//! a backend.

use std::ops::Range;

use super::bounds::Arithmetic;
use super::guard::{self, Output};
use super::inputs::{Operands, Source, Values};
use super::op::{Labels, Op};
use crate::engine::backend::{Backend, Candidate};
use crate::protocol::EngineError;

/// `out ← x[rows]`.
#[derive(Debug, Clone)]
pub(super) struct Rows {
    /// Rows of `x`.
    pub(super) all: usize,
    pub(super) rows: Range<usize>,
    pub(super) columns: usize,
}

impl Op for Rows {
    fn labels(&self) -> Labels {
        let Self { all, rows: Range { start, end }, columns } = self;
        let shape = format!("rows={start}..{end},of={all},columns={columns}");
        Labels { op: "rows", weights: "F32", shape }
    }

    fn columns(&self) -> usize {
        self.columns
    }

    fn operands(&self, source: &mut Source) -> Operands {
        let x = source.rows(self.all, self.columns, Values::Large);
        Operands { x, ..Operands::default() }
    }

    async fn run<B: Backend>(
        &self,
        operands: &Operands,
        backend: &mut B,
    ) -> Result<Option<Output>, EngineError> {
        let x = backend.constant(self.columns, &operands.x)?;
        let mut out = guard::poisoned(backend, self.rows.len(), self.columns)?;
        backend.rows(&x, self.rows.clone(), &mut out);
        guard::read_back(backend, &out, (self.rows.len(), self.columns)).await.map(Some)
    }

    fn exact(&self, operands: &Operands) -> Option<Vec<f32>> {
        let Range { start, end } = self.rows;
        Some(operands.x[start * self.columns..end * self.columns].to_vec())
    }

    fn allowed(&self, _: &Operands, expected: &[f32], _: Arithmetic) -> Vec<f64> {
        vec![0.0; expected.len()]
    }
}

/// Reads values back unchanged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Read {
    pub(super) rows: usize,
    pub(super) columns: usize,
}

impl Op for Read {
    fn labels(&self) -> Labels {
        let Self { rows, columns } = self;
        Labels { op: "read", weights: "F32", shape: format!("rows={rows},columns={columns}") }
    }

    fn columns(&self) -> usize {
        self.columns
    }

    /// Normal numbers of all sizes.
    fn operands(&self, source: &mut Source) -> Operands {
        let ends = [0.0, f32::MAX, f32::MIN, f32::MIN_POSITIVE, -f32::MIN_POSITIVE, 65_505.0];
        let mut x = source.rows(self.rows, self.columns, Values::Large);
        for (x, end) in x.iter_mut().zip(ends) {
            *x = end;
        }
        Operands { x, ..Operands::default() }
    }

    async fn run<B: Backend>(
        &self,
        operands: &Operands,
        backend: &mut B,
    ) -> Result<Option<Output>, EngineError> {
        let x = backend.constant(self.columns, &operands.x)?;
        // `read` appends: earlier values stay.
        let mut values = vec![1.5];
        backend.read(&x, &mut values).await?;
        let first = values.remove(0);
        // If the first value changed, fail by returning no floats.
        if first.to_bits() != 1.5_f32.to_bits() {
            values.clear();
        }
        Ok(Some(Output { values, beyond: Vec::new() }))
    }

    fn exact(&self, operands: &Operands) -> Option<Vec<f32>> {
        Some(operands.x.clone())
    }

    fn allowed(&self, _: &Operands, expected: &[f32], _: Arithmetic) -> Vec<f64> {
        vec![0.0; expected.len()]
    }
}

/// The row that `best` searches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Logits {
    /// All different, or nearly so.
    Random,
    /// Seven different values, so that most are tied: the lowest ids win.
    Tied,
    /// All the same.
    Equal,
    /// Random, with two NaN, which come first.
    NoNumbers,
}

/// The greatest values of a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Best {
    pub(super) columns: usize,
    pub(super) count: usize,
    pub(super) logits: Logits,
}

impl Op for Best {
    fn labels(&self) -> Labels {
        let Self { columns, count, logits } = self;
        let logits = match logits {
            Logits::Random => "random",
            Logits::Tied => "tied",
            Logits::Equal => "equal",
            Logits::NoNumbers => "no-numbers",
        };
        let shape = format!("columns={columns},count={count},logits={logits}");
        Labels { op: "best", weights: "F32", shape }
    }

    /// An id and a logit.
    fn columns(&self) -> usize {
        2
    }

    fn operands(&self, source: &mut Source) -> Operands {
        let mut x: Vec<f32> = (0..self.columns)
            .map(|_| match self.logits {
                Logits::Random | Logits::NoNumbers => source.signed(0.0, 30.0),
                Logits::Tied => source.below(7) as f32 - 3.0,
                Logits::Equal => -1.25,
            })
            .collect();
        if self.logits == Logits::NoNumbers {
            x[self.columns - 1] = f32::NAN;
            x[self.columns / 2] = f32::NAN;
        }
        Operands { x, ..Operands::default() }
    }

    async fn run<B: Backend>(
        &self,
        operands: &Operands,
        backend: &mut B,
    ) -> Result<Option<Output>, EngineError> {
        let x = backend.constant(self.columns, &operands.x)?;
        let best = backend.best(&x, self.count).await?;
        Ok(best.map(|best| Output { values: floats(&best), beyond: Vec::new() }))
    }

    fn exact(&self, operands: &Operands) -> Option<Vec<f32>> {
        let all = (0..).zip(&operands.x).map(|(id, &logit)| Candidate { id, logit });
        let mut all: Vec<_> = all.collect();
        all.sort_by(Candidate::order);
        all.truncate(self.count);
        Some(floats(&all))
    }

    fn allowed(&self, _: &Operands, expected: &[f32], _: Arithmetic) -> Vec<f64> {
        vec![0.0; expected.len()]
    }
}

/// Ids and logits in turn; ids are below 2²⁴ and exact.
fn floats(candidates: &[Candidate]) -> Vec<f32> {
    candidates.iter().flat_map(|candidate| [candidate.id as f32, candidate.logit]).collect()
}
