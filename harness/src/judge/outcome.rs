//! Everything that can come of a cell, and what it means for a run.
//!
//! A [`Disposition`] is what the plan expects before anything runs, an [`Outcome`] is what one
//! attempt came to, a [`Verdict`] judges all attempts of a cell against the disposition. No bool
//! anywhere: infrastructure trouble is not a wrong answer, and not running is not passing.

use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use inference_wasm::protocol::EngineErrorKind;
use serde::{Deserialize, Serialize};

use crate::judge::compare::Mismatch;
use crate::judge::proof::{MissingProof, Proof};

/// What the plan expects of a cell, decided before anything runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Disposition {
    /// It runs and must pass.
    Run,
    /// It runs and must fail as the matrix says; passing is unexpected.
    KnownFailure {
        /// The matrix's reason.
        reason: String,
        /// The report of the defect.
        link: String,
    },
    /// It can't run here by the nature of the browser or the engine.
    Unsupported {
        /// Why, for a stranger to act on.
        reason: String,
    },
    /// It could run, but something is not installed or not fetched.
    Unavailable {
        /// What is missing and the command that mends it.
        reason: String,
    },
}

/// What one attempt came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Outcome {
    /// The right answer, on the right tier; or none, where the tier was switched off.
    Pass {
        /// Why we believe that it was the tier, or that there was none.
        proof: Box<Proof>,
    },
    /// A wrong answer.
    Mismatch(Box<Mismatch>),
    /// An answer from elsewhere than the tier, or from nobody knows where.
    BackendMismatch(MissingProof),
    /// The engine ended a command with an error where the scenario expects a result.
    EngineError {
        /// Its kind.
        error: EngineErrorKind,
        /// What it said.
        message: String,
    },
    /// An `error` or `unhandledrejection` on the page, or a broken protocol.
    PageError {
        /// What the browser or the host said.
        message: String,
    },
    /// The engine panicked.
    Panicked {
        /// The panic message.
        message: String,
    },
    /// The GPU device was lost and the scenario did not ask for that.
    DeviceLost {
        /// The reason that the browser gave.
        reason: String,
    },
    /// Out of memory.
    OutOfMemory {
        /// What the engine said.
        message: String,
    },
    /// Heartbeats or progress stopped.
    Hung {
        /// The phase it was in.
        phase: String,
        /// How long nothing was heard.
        silent_for: Duration,
    },
    /// It went on, but not fast enough.
    TimedOut {
        /// The phase it was in.
        phase: String,
        /// The limit of that phase.
        limit: Duration,
    },
    /// The browser or its tab went away.
    BrowserCrashed {
        /// What is known of it.
        message: String,
    },
    /// Our own trouble: driver, session, server, disk.
    Infrastructure {
        /// What was being done.
        phase: String,
        /// What went wrong.
        message: String,
    },
}

impl Outcome {
    /// The name of the variant, as it stands in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pass { .. } => "pass",
            Self::Mismatch(_) => "mismatch",
            Self::BackendMismatch(_) => "backend-mismatch",
            Self::EngineError { .. } => "engine-error",
            Self::PageError { .. } => "page-error",
            Self::Panicked { .. } => "panicked",
            Self::DeviceLost { .. } => "device-lost",
            Self::OutOfMemory { .. } => "out-of-memory",
            Self::Hung { .. } => "hung",
            Self::TimedOut { .. } => "timed-out",
            Self::BrowserCrashed { .. } => "browser-crashed",
            Self::Infrastructure { .. } => "infrastructure",
        }
    }

    /// A message of one or more lines for people; empty for a pass.
    pub fn message(&self) -> String {
        match self {
            Self::Pass { .. } => String::new(),
            Self::Mismatch(mismatch) => mismatch.to_string(),
            Self::BackendMismatch(missing) => {
                format!("no tier proof: {}", missing.reasons.join("; "))
            }
            Self::EngineError { error, message } => format!("engine error `{error}`: {message}"),
            Self::PageError { message } => format!("page error: {message}"),
            Self::Panicked { message } => format!("the engine panicked: {message}"),
            Self::DeviceLost { reason } => format!("the GPU device was lost: {reason}"),
            Self::OutOfMemory { message } => format!("out of memory: {message}"),
            Self::Hung { phase, silent_for } => {
                format!("hung in phase `{phase}`: silent for {:.1} s", silent_for.as_secs_f64())
            }
            Self::TimedOut { phase, limit } => {
                format!("phase `{phase}` took longer than {:.1} s", limit.as_secs_f64())
            }
            Self::BrowserCrashed { message } => format!("the browser crashed: {message}"),
            Self::Infrastructure { phase, message } => {
                format!("infrastructure trouble in phase `{phase}`: {message}")
            }
        }
    }

    /// With the step of the scenario that it came in, where it does not tell itself.
    #[must_use]
    pub(crate) fn in_step(mut self, step: &str) -> Self {
        match &mut self {
            // A mismatch begins with its place.
            Self::Pass { .. } | Self::Mismatch(_) => {}
            Self::BackendMismatch(missing) => missing.reasons.push(format!("in step `{step}`")),
            Self::EngineError { message, .. }
            | Self::PageError { message }
            | Self::Panicked { message }
            | Self::DeviceLost { reason: message }
            | Self::OutOfMemory { message }
            | Self::BrowserCrashed { message }
            | Self::Infrastructure { message, .. } => {
                *message = format!("{message}\n  in step `{step}`");
            }
            Self::Hung { phase, .. } | Self::TimedOut { phase, .. } => {
                *phase = format!("{phase}, in step {step}");
            }
        }
        self
    }

    /// Worth another attempt in a fresh browser: our own trouble, never the product's.
    pub fn is_infrastructure(&self) -> bool {
        matches!(self, Self::Infrastructure { .. })
    }
}

/// How an attempt ended without a pass: the error of everything that an attempt does.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}", .0.message())]
pub struct Failed(Box<Outcome>);

impl Failed {
    /// Trouble of the harness itself while it was doing `phase`.
    pub(crate) fn trouble(phase: &str, cause: impl fmt::Display) -> Self {
        Outcome::Infrastructure { phase: phase.to_owned(), message: cause.to_string() }.into()
    }

    /// The page broke the protocol, or reported an error.
    pub(crate) fn page_error(message: impl Into<String>) -> Self {
        Outcome::PageError { message: message.into() }.into()
    }

    /// The same failure, naming the step of the scenario.
    #[must_use]
    pub(crate) fn in_step(self, step: &str) -> Self {
        self.0.in_step(step).into()
    }
}

impl Deref for Failed {
    type Target = Outcome;

    fn deref(&self) -> &Outcome {
        &self.0
    }
}

impl From<Outcome> for Failed {
    fn from(outcome: Outcome) -> Self {
        Self(Box::new(outcome))
    }
}

impl From<Failed> for Outcome {
    fn from(failed: Failed) -> Self {
        *failed.0
    }
}

impl From<Box<Mismatch>> for Failed {
    fn from(mismatch: Box<Mismatch>) -> Self {
        Outcome::Mismatch(mismatch).into()
    }
}

impl From<MissingProof> for Failed {
    fn from(missing: MissingProof) -> Self {
        Outcome::BackendMismatch(missing).into()
    }
}

/// What a cell comes to over all its attempts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Verdict {
    /// As the disposition says: a pass, or a known failure that failed.
    Expected,
    /// A failure that nobody announced.
    Unexpected,
    /// A known failure that passed: the entry in the matrix must go.
    UnexpectedPass,
    /// Product failure and pass over attempts of the same cell.
    Flaky,
    /// Only infrastructure trouble: nothing is known about the product.
    Inconclusive,
    /// Never started.
    NotRun {
        /// Why, for a stranger to act on.
        reason: String,
    },
}

impl Verdict {
    /// The name of the variant, as it stands in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Expected => "expected",
            Self::Unexpected => "unexpected",
            Self::UnexpectedPass => "unexpected-pass",
            Self::Flaky => "flaky",
            Self::Inconclusive => "inconclusive",
            Self::NotRun { .. } => "not-run",
        }
    }
}

/// Judges the attempts of a cell, in order.
///
/// Infrastructure trouble says nothing about the product and is left out of account as long as
/// some other outcome is there.
pub fn judge(disposition: &Disposition, attempts: &[Outcome]) -> Verdict {
    let known_failure = match disposition {
        Disposition::Unsupported { reason } | Disposition::Unavailable { reason } => {
            return Verdict::NotRun { reason: reason.clone() };
        }
        Disposition::Run => false,
        Disposition::KnownFailure { .. } => true,
    };
    if attempts.is_empty() {
        return Verdict::NotRun { reason: "the run ended before it started".to_owned() };
    }
    let product: Vec<_> = attempts.iter().filter(|outcome| !outcome.is_infrastructure()).collect();
    let passes = product.iter().filter(|outcome| matches!(outcome, Outcome::Pass { .. })).count();
    match (product.len(), passes, known_failure) {
        (0, ..) => Verdict::Inconclusive,
        (all, passed, false) if passed == all => Verdict::Expected,
        (all, passed, true) if passed == all => Verdict::UnexpectedPass,
        (_, 0, false) => Verdict::Unexpected,
        (_, 0, true) => Verdict::Expected,
        _ => Verdict::Flaky,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure() -> Outcome {
        Outcome::Panicked { message: "boom".to_owned() }
    }

    fn trouble() -> Outcome {
        Outcome::Infrastructure { phase: "session".to_owned(), message: "no".to_owned() }
    }

    #[test]
    fn a_message_names_the_step() {
        let missing = MissingProof { reasons: vec!["no kernel call was counted".to_owned()] };
        let hung = |phase: &str| Outcome::Hung {
            phase: phase.to_owned(),
            silent_for: Duration::from_secs(3),
        };
        for (outcome, message) in [
            (failure(), "the engine panicked: boom\n  in step `2 generate`"),
            (
                Outcome::BackendMismatch(missing),
                "no tier proof: no kernel call was counted; in step `2 generate`",
            ),
            (hung("decode"), "hung in phase `decode, in step 2 generate`: silent for 3.0 s"),
        ] {
            assert_eq!(outcome.in_step("2 generate").message(), message);
        }
    }

    #[test]
    fn attempts_are_judged_against_the_disposition() {
        let known = Disposition::KnownFailure { reason: "r".to_owned(), link: "l".to_owned() };
        for (disposition, attempts, verdict) in [
            (&Disposition::Run, vec![failure()], Verdict::Unexpected),
            (&Disposition::Run, vec![trouble(), failure()], Verdict::Unexpected),
            (&Disposition::Run, vec![trouble(), trouble()], Verdict::Inconclusive),
            (&known, vec![failure()], Verdict::Expected),
            (&known, vec![trouble()], Verdict::Inconclusive),
        ] {
            assert_eq!(judge(disposition, &attempts), verdict, "{attempts:?}");
        }
        let unsupported = Disposition::Unsupported { reason: "no such backend".to_owned() };
        assert_eq!(
            judge(&unsupported, &[]),
            Verdict::NotRun { reason: "no such backend".to_owned() }
        );
    }
}
