//! The op suite: every op, weight type and shape of a table, on a backend against the scalar
//! reference.
//!
//! Both get the same seeded inputs in one process, in a page too. Outputs are poisoned before, and
//! what is behind them is looked at afterwards; a value may be off by a bound that counts
//! roundings ([`bounds`]), never by what was once measured. How a report reaches anybody is the
//! [runner](super::runner)'s business.
//!
//! To add a case, add a line to the [`table`]; to add an op, a type that is an [`Op`] beside those
//! of its family, and its bound to the list in [`bounds`].

mod attention;
mod bounds;
mod compare;
mod elementwise;
mod guard;
mod inputs;
mod norms;
mod products;
mod rope;
mod selection;
mod table;
mod tally;

use attention::Attention;
use bounds::Arithmetic;
use compare::Distance;
use elementwise::Elementwise;
use guard::Seen;
use inputs::{Operands, Source};
use norms::Norm;
use products::{Embed, Matmul};
use rope::Rope;
use selection::{Best, Read, Rows};

pub use table::cases;
pub use tally::Tally;

use super::backend::{Backend, Reference};
use crate::protocol::{EngineError, EngineErrorKind};

/// What the parts of a case's name are.
struct Labels {
    /// The op, as [`Backend`] calls it.
    op: &'static str,
    /// How its weights, or the numbers of its cache, are stored; `F32` where it has neither.
    weights: &'static str,
    /// The rest: `rows=5,columns=96,outputs=33`.
    shape: String,
}

/// One op at one shape.
trait Op {
    /// Its name.
    fn labels(&self) -> Labels;

    /// Floats in a row of what it leaves.
    fn columns(&self) -> usize;

    /// What it is given.
    fn operands(&self, source: &mut Source) -> Operands;

    /// Runs it; `None` if the backend leaves the op to others.
    async fn play<B: Backend>(
        &self,
        operands: &Operands,
        backend: &mut B,
    ) -> Result<Option<Seen>, EngineError>;

    /// What is right, where that is known without a backend.
    fn known(&self, _: &Operands) -> Option<Vec<f32>> {
        None
    }

    /// How far each value may be off from what is `expected`.
    fn allowed(&self, operands: &Operands, expected: &[f32], arithmetic: Arithmetic) -> Vec<f64>;
}

/// Defines the ops that a case can be, and hands each call on to the one that it is.
macro_rules! ops {
    ($($name:ident),*) => {
        #[derive(Debug, Clone)]
        enum AnyOp {
            $($name($name),)*
        }

        $(impl From<$name> for Case {
            fn from(op: $name) -> Self {
                let labels = op.labels();
                Self::new(&labels, AnyOp::$name(op))
            }
        })*

        /// Runs an expression with the op of a case.
        macro_rules! on_op {
            ($any:expr, $op:ident => $run:expr) => {
                match $any {
                    $(AnyOp::$name($op) => $run,)*
                }
            };
        }
    };
}

ops!(Embed, Matmul, Norm, Rope, Attention, Elementwise, Rows, Read, Best);

/// A line of the table.
#[derive(Debug, Clone)]
pub struct Case {
    name: String,
    op: &'static str,
    weights: &'static str,
    any: AnyOp,
}

/// What came of a case that is right.
enum Right {
    /// It ran.
    Held { distance: Distance, is_guarded: bool },
    /// The backend leaves the op to others.
    LeftOut,
}

impl Case {
    fn new(labels: &Labels, any: AnyOp) -> Self {
        let Labels { op, weights, shape } = labels;
        Self { name: format!("{op}/{weights}/{shape}"), op, weights, any }
    }

    /// Op, weight type and shape: `matmul/Q8_0/rows=5,columns=96,outputs=33`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the name has `filter` in it or, if that has a `*`, is like it as a whole.
    pub fn matches(&self, filter: &str) -> bool {
        let Some((start, rest)) = filter.split_once('*') else {
            return self.name.contains(filter);
        };
        let Some(mut left) = self.name.strip_prefix(start) else { return false };
        let mut parts = rest.split('*').collect::<Vec<_>>();
        let end = parts.pop().unwrap_or_default();
        for part in parts {
            let Some(at) = left.find(part) else { return false };
            left = &left[at + part.len()..];
        }
        left.ends_with(end)
    }

    /// Runs it on both. `Err` inside: what is wrong, naming the case and the backend.
    async fn hold<B: Backend>(
        &self,
        subject: &mut B,
    ) -> Result<Result<Right, String>, EngineError> {
        let operands = on_op!(&self.any, op => op.operands(&mut Source::of(&self.name)));
        let known = on_op!(&self.any, op => op.known(&operands));
        let expected = if let Some(known) = known {
            known
        } else {
            let mut reference = Reference::default();
            let seen = on_op!(&self.any, op => op.play(&operands, &mut reference).await?);
            seen.unwrap_or_default().values
        };
        let backend = subject.name();
        let wrong = |what: &str| Ok(Err(format!("`{}` on `{backend}`: {what}", self.name)));
        let found = match on_op!(&self.any, op => op.play(&operands, subject).await) {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(Ok(Right::LeftOut)),
            // Nothing more can come from this backend.
            Err(error) if error.kind == EngineErrorKind::DeviceLost => return Err(error),
            Err(error) => return wrong(&error.message),
        };
        let arithmetic = Arithmetic::of(backend);
        let allowed = on_op!(&self.any, op => op.allowed(&operands, &expected, arithmetic));
        let columns = on_op!(&self.any, op => op.columns());
        match compare::hold(&expected, &allowed, &found, columns) {
            Ok(distance) => Ok(Ok(Right::Held { distance, is_guarded: !found.beyond.is_empty() })),
            Err(what) => wrong(&what),
        }
    }
}

/// Holds cases one after the other on a backend. Before each, `pause` is told how many are
/// through; it may let others run, and ends the suite by an error.
pub async fn run<B: Backend>(
    subject: &mut B,
    cases: &[Case],
    pause: &mut impl AsyncFnMut(usize) -> Result<(), EngineError>,
) -> Result<Tally, EngineError> {
    let mut tally = Tally::default();
    for (done, case) in cases.iter().enumerate() {
        pause(done).await?;
        tally.add(case, case.hold(subject).await?);
    }
    pause(cases.len()).await?;
    Ok(tally)
}

#[cfg(test)]
mod tests;
