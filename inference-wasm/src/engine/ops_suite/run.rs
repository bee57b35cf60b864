//! Runs cases on a backend and counts the results by op and weight type.

use super::case::{Case, Outcome};
use super::compare::Distance;
use crate::engine::backend::Backend;
use crate::protocol::{EngineError, OpFailure, OpTally, OpWorst};

/// Runs cases one after the other on a backend. Before each, `pause` receives the number of
/// finished cases; it may yield, and ends the suite by returning an error.
pub async fn run<B: Backend>(
    backend: &mut B,
    cases: &[Case],
    pause: &mut impl AsyncFnMut(usize) -> Result<(), EngineError>,
) -> Result<Tally, EngineError> {
    let mut tally = Tally::default();
    for (done, case) in cases.iter().enumerate() {
        pause(done).await?;
        tally.add(case, case.check(backend).await?);
    }
    pause(cases.len()).await?;
    Ok(tally)
}

/// The results of cases, counted.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// By op and weight type, in order of appearance.
    pub tallies: Vec<OpTally>,
    /// Of each op, the passed case that came nearest to its bound.
    pub worst: Vec<OpWorst>,
    /// Every case that failed.
    pub failures: Vec<OpFailure>,
}

impl Tally {
    fn add(&mut self, case: &Case, outcome: Outcome) {
        let counts = self.counts(case);
        match outcome {
            Outcome::Skipped => counts.left_out += 1,
            Outcome::Passed { distance, is_guarded } => {
                counts.passed += 1;
                counts.unguarded += u32::from(!is_guarded);
                self.compare(case, distance);
            }
            Outcome::Failed { message } => {
                counts.failed += 1;
                self.failures.push(OpFailure { case: case.name().to_owned(), message });
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
            let (op, case) = (case.op.to_owned(), case.name().to_owned());
            return self.worst.push(OpWorst { op, case, error, allowed, ratio, nmse });
        };
        let nmse = nmse.max(worst.nmse);
        if ratio > worst.ratio {
            let (op, case) = (case.op.to_owned(), case.name().to_owned());
            *worst = OpWorst { op, case, error, allowed, ratio, nmse };
        }
        worst.nmse = nmse;
    }
}
