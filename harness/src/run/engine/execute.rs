//! The course of an attempt: the proof that a backend is off, the steps, the final proof.

use super::session::{Session, no_absence};
use super::steps;
use crate::drive::page::Page;
use crate::judge::outcome::{Failed, Outcome};
use crate::judge::proof::{self, MissingProof, Proof};
use crate::run::attempt::Attempt;
use crate::run::conversation::Conversation;
use crate::run::event::Evidence;
use crate::spec::scenario::Step;

/// Carries out the scenario. The evidence is complete whatever the outcome.
pub(crate) async fn execute<P: Page>(
    attempt: Attempt<'_>,
    page: &mut P,
    progress: &mut dyn FnMut(String),
) -> (Outcome, Evidence) {
    let mut evidence = Evidence::default();
    let outcome = match carry_out(attempt, page, progress, &mut evidence).await {
        Ok(proof) => Outcome::Pass { proof: Box::new(proof) },
        Err(failed) => failed.into(),
    };
    (outcome, evidence)
}

async fn carry_out<P: Page>(
    attempt: Attempt<'_>,
    page: &mut P,
    progress: &mut dyn FnMut(String),
    evidence: &mut Evidence,
) -> Result<Proof, Failed> {
    progress("ready".to_owned());
    let Attempt { cell, probed, .. } = attempt;
    let is_without_backend = cell.is_without_backend();
    if is_without_backend {
        // If the backend is present after all, the engine's answers prove nothing.
        proof::is_gone(cell.id.backend, &cell.profile.name(), probed).map_err(no_absence)?;
    }
    let conversation = Conversation::open(page, cell.timeouts).await?;
    let mut session = Session::new(attempt, conversation, progress, evidence);
    for (index, step) in cell.scenario.steps.iter().enumerate() {
        let name = format!("{} {}", index + 1, step.name());
        let done = match step {
            Step::Load(step) => steps::load(&mut session, &name, step).await,
            Step::Generate(step) => steps::generate(&mut session, &name, step).await,
            Step::Score(step) => steps::score(&mut session, &name, step).await,
            Step::Ops(step) => steps::ops(&mut session, &name, step).await,
            Step::Release => steps::release(&mut session, &name).await,
        };
        done.map_err(|failed| failed.in_step(&name))?;
    }
    if is_without_backend {
        return steps::absence(&mut session).await.map(Proof::Absence);
    }
    session.into_proof().map(Proof::Tier).ok_or_else(|| {
        let reasons = vec!["no step of the scenario made the backend compute".to_owned()];
        MissingProof { reasons }.into()
    })
}
