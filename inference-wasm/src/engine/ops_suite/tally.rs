//! Counts what the cases of a suite come to, by op and weight type.

use super::{Case, Distance, Right};
use crate::protocol::{OpFailure, OpTally, OpWorst};

/// What cases came to, so far.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// By op and weight type, in the order in which they came.
    pub tallies: Vec<OpTally>,
    /// The case of each op that came nearest to its bound, of those that passed.
    pub worst: Vec<OpWorst>,
    /// Every case that failed.
    pub failures: Vec<OpFailure>,
}

impl Tally {
    pub(super) fn add(&mut self, case: &Case, result: Result<Right, String>) {
        let counts = self.counts(case);
        match result {
            Ok(Right::LeftOut) => counts.left_out += 1,
            Ok(Right::Held { distance, is_guarded }) => {
                counts.passed += 1;
                counts.unguarded += u32::from(!is_guarded);
                self.compare(case, distance);
            }
            Err(message) => {
                counts.failed += 1;
                self.failures.push(OpFailure { case: case.name.clone(), message });
            }
        }
    }

    fn counts(&mut self, case: &Case) -> &mut OpTally {
        let is_its = |tally: &OpTally| tally.op == case.op && tally.weights == case.weights;
        let at = self.tallies.iter().position(is_its).unwrap_or_else(|| {
            self.tallies.push(OpTally {
                op: case.op.to_owned(),
                weights: case.weights.to_owned(),
                passed: 0,
                failed: 0,
                left_out: 0,
                unguarded: 0,
            });
            self.tallies.len() - 1
        });
        &mut self.tallies[at]
    }

    fn compare(&mut self, case: &Case, distance: Distance) {
        let Distance { error, allowed, ratio, nmse } = distance;
        let Some(worst) = self.worst.iter_mut().find(|worst| worst.op == case.op) else {
            let (op, case) = (case.op.to_owned(), case.name.clone());
            return self.worst.push(OpWorst { op, case, error, allowed, ratio, nmse });
        };
        let nmse = nmse.max(worst.nmse);
        if ratio > worst.ratio {
            let (op, case) = (case.op.to_owned(), case.name.clone());
            *worst = OpWorst { op, case, error, allowed, ratio, nmse };
        }
        worst.nmse = nmse;
    }
}
