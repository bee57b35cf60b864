//! A case: an op with a name, run on a backend and on the reference.

use super::attention::Attention;
use super::bounds::Arithmetic;
use super::compare::{Distance, compare};
use super::elementwise::Elementwise;
use super::guard::Output;
use super::inputs::{Operands, Source};
use super::norms::Norm;
use super::op::{Labels, Op};
use super::products::{Embed, Matmul};
use super::rope::Rope;
use super::selection::{Best, Read, Rows};
use crate::engine::backend::{Backend, Reference};
use crate::protocol::{EngineError, EngineErrorKind};

/// Defines the ops that a case can be, and passes each call on to the one that it is.
macro_rules! ops {
    ($($name:ident),*) => {
        #[derive(Debug, Clone)]
        pub(super) enum AnyOp {
            $($name($name),)*
        }

        $(impl From<$name> for Case {
            fn from(op: $name) -> Self {
                Self::new(&op.labels(), AnyOp::$name(op))
            }
        })*

        impl Op for AnyOp {
            fn labels(&self) -> Labels {
                match self { $(Self::$name(op) => op.labels(),)* }
            }

            fn columns(&self) -> usize {
                match self { $(Self::$name(op) => op.columns(),)* }
            }

            fn operands(&self, source: &mut Source) -> Operands {
                match self { $(Self::$name(op) => op.operands(source),)* }
            }

            async fn run<B: Backend>(
                &self,
                operands: &Operands,
                backend: &mut B,
            ) -> Result<Option<Output>, EngineError> {
                match self { $(Self::$name(op) => op.run(operands, backend).await,)* }
            }

            fn exact(&self, operands: &Operands) -> Option<Vec<f32>> {
                match self { $(Self::$name(op) => op.exact(operands),)* }
            }

            fn allowed(&self, operands: &Operands, expected: &[f32], on: Arithmetic) -> Vec<f64> {
                match self { $(Self::$name(op) => op.allowed(operands, expected, on),)* }
            }
        }
    };
}

ops!(Embed, Matmul, Norm, Rope, Attention, Elementwise, Rows, Read, Best);

/// A line of the table.
#[derive(Debug, Clone)]
pub struct Case {
    name: String,
    pub(super) op: &'static str,
    pub(super) weights: &'static str,
    pub(super) any: AnyOp,
}

/// The result of a case.
pub(super) enum Outcome {
    /// Every value is within its bound.
    Passed { distance: Distance, is_guarded: bool },
    /// The backend leaves the op to others.
    Skipped,
    /// What is wrong, naming the case and the backend.
    Failed { message: String },
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

    /// Whether the name contains `filter` or, if that has a `*`, matches it as a whole.
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

    /// Runs the case on the reference and on a backend, and compares the results.
    ///
    /// Fails only if the device is lost, since nothing more can come from that backend.
    pub(super) async fn check<B: Backend>(&self, backend: &mut B) -> Result<Outcome, EngineError> {
        let operands = self.any.operands(&mut Source::of(&self.name));
        let expected = if let Some(exact) = self.any.exact(&operands) {
            exact
        } else {
            let output = self.any.run(&operands, &mut Reference::default()).await?;
            output.unwrap_or_default().values
        };
        let name = backend.name();
        let failed = |what: &dyn std::fmt::Display| Outcome::Failed {
            message: format!("`{}` on `{name}`: {what}", self.name),
        };
        let found = match self.any.run(&operands, backend).await {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(Outcome::Skipped),
            Err(error) if error.kind == EngineErrorKind::DeviceLost => return Err(error),
            Err(error) => return Ok(failed(&error.message)),
        };
        let allowed = self.any.allowed(&operands, &expected, Arithmetic::of(name));
        Ok(match compare(&expected, &allowed, &found, self.any.columns()) {
            Ok(distance) => Outcome::Passed { distance, is_guarded: !found.beyond.is_empty() },
            Err(mismatch) => failed(&mismatch),
        })
    }
}
