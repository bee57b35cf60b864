//! The state of an attempt between its steps, and what every step does with an answer.

use inference_wasm::protocol::{Action, EngineErrorKind, ExecutionReport};

use super::judge;
use crate::drive::page::Page;
use crate::judge::compare::{Comparison, Mismatch};
use crate::judge::golden::GoldenCase;
use crate::judge::outcome::Failed;
use crate::judge::proof::{self, NoAbsence, Refusal, TierProof};
use crate::run::attempt::Attempt;
use crate::run::conversation::{Conversation, End, TokenSeen, Watch};
use crate::run::event::{Evidence, StepEvidence};
use crate::spec::scenario::Cases;
use crate::spec::tolerance::ToleranceClass;

/// An attempt whose page is open.
pub(super) struct Session<'a, P> {
    pub(super) attempt: Attempt<'a>,
    pub(super) conversation: Conversation<'a, P>,
    progress: &'a mut dyn FnMut(String),
    evidence: &'a mut Evidence,
    /// The proof of the last answer.
    proof: Option<TierProof>,
    /// The engine's errors where it had to report that the backend is missing.
    pub(super) refusals: Vec<Refusal>,
}

impl<'a, P: Page> Session<'a, P> {
    pub(super) fn new(
        attempt: Attempt<'a>,
        conversation: Conversation<'a, P>,
        progress: &'a mut dyn FnMut(String),
        evidence: &'a mut Evidence,
    ) -> Self {
        Self { attempt, conversation, progress, evidence, proof: None, refusals: Vec::new() }
    }

    /// The proof of the last answer; `None` if nothing was computed.
    pub(super) fn into_proof(self) -> Option<TierProof> {
        self.proof
    }

    /// Runs a command. The tokens of its answer go to `on_token`.
    pub(super) async fn command(
        &mut self,
        action: Action,
        on_token: &mut dyn FnMut(TokenSeen),
        cancel_after: Option<u32>,
    ) -> Result<(u32, End), Failed> {
        let watch = Watch { progress: &mut *self.progress, on_token, cancel_after };
        self.conversation.command(action, watch).await
    }

    /// Runs a command that streams no tokens.
    pub(super) async fn plain(&mut self, action: Action) -> Result<(u32, End), Failed> {
        self.command(action, &mut |_| {}, None).await
    }

    /// Files the evidence of a step.
    pub(super) fn file(&mut self, record: StepEvidence) {
        self.evidence.steps.push(record);
    }

    /// How far an answer may be off on the adapter that it comes from.
    pub(super) fn class(&self, execution: &ExecutionReport) -> &'a ToleranceClass {
        let cell = self.attempt.cell;
        cell.tolerances.of_answer(cell.id.backend, execution.adapter.as_deref())
    }

    /// Judges a command that has to end with an error of the kind `expected`.
    pub(super) fn expected_error(
        &mut self,
        mut record: StepEvidence,
        end: &End,
        expected: &str,
    ) -> Result<(), Failed> {
        if let End::Failed(error) = end {
            record.notes.push(error.message.clone());
            if error.kind == EngineErrorKind::BackendUnavailable {
                let (asked, message) = (record.step.clone(), error.message.clone());
                self.refusals.push(Refusal { asked, message });
            }
        }
        let judged = judge::error(&judge::place(&record.step, None), end, expected);
        record.comparisons.push(match &judged {
            Ok(comparison) => comparison.clone(),
            Err(mismatch) => mismatch.comparison.clone(),
        });
        self.file(record);
        judged.map(drop).map_err(Failed::from)
    }

    /// Files and judges a step that made the model compute.
    pub(super) fn conclude(
        &mut self,
        mut record: StepEvidence,
        judged: Result<Vec<Comparison>, Box<Mismatch>>,
        execution: &ExecutionReport,
    ) -> Result<(), Failed> {
        // An answer from another tier says nothing about this one, so the proof comes first.
        let proven = proof::verify(self.attempt.demand(), execution);
        record.comparisons = match &judged {
            Ok(comparisons) => comparisons.clone(),
            Err(mismatch) => vec![mismatch.comparison.clone()],
        };
        self.file(record);
        self.proof = Some(proven?);
        judged.map(drop).map_err(Failed::from)
    }

    /// The golden's cases that a step runs.
    pub(super) fn cases(&self, cases: &Cases) -> Result<Vec<&'a GoldenCase>, Failed> {
        let all = self.attempt.golden().map_or(&[][..], |golden| &golden.cases);
        let chosen: Vec<_> = match cases {
            Cases::All => all.iter().collect(),
            Cases::First => all.iter().take(1).collect(),
            Cases::Id(id) => all.iter().filter(|case| case.id == *id).collect(),
        };
        if chosen.is_empty() {
            let message = format!("the golden has no case for {cases:?}");
            return Err(Failed::trouble("read golden", message));
        }
        Ok(chosen)
    }
}

/// The harness switches the backend off, so a failure to do so is trouble of the harness.
#[expect(clippy::needless_pass_by_value, reason = "the argument of `map_err`")]
pub(super) fn no_absence(reason: NoAbsence) -> Failed {
    Failed::trouble("switch backend off", reason)
}
