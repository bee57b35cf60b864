//! The course of an attempt: the launch, the steps in their rounds, the final proof.

use super::planned::Planned;
use super::state::{ClientRun, ClientStage};
use super::steps;
use crate::judge::golden::Compared;
use crate::judge::outcome::{Failed, Outcome};
use crate::judge::proof::{ClientProof, Proof};
use crate::run::attempt::Attempt;
use crate::run::event::Evidence;
use crate::spec::scenario::{ClientStep, course};

/// Carries out the scenario. The evidence is complete whatever the outcome.
pub(crate) async fn execute(
    attempt: Attempt<'_>,
    stage: ClientStage<'_>,
    progress: &mut dyn FnMut(String),
) -> (Outcome, Evidence) {
    let mut evidence = Evidence::default();
    let outcome = match attempt_in(attempt, stage, progress, &mut evidence).await {
        Ok(proof) => Outcome::Pass { proof: Box::new(Proof::Client(proof)) },
        Err(failed) => failed.into(),
    };
    (outcome, evidence)
}

async fn attempt_in(
    attempt: Attempt<'_>,
    stage: ClientStage<'_>,
    progress: &mut dyn FnMut(String),
    evidence: &mut Evidence,
) -> Result<ClientProof, Failed> {
    let mut run = ClientRun::new(attempt, stage, evidence)?;
    let proof = carry_out(&mut run, progress).await;
    run.injections.undo_all().await;
    let proof = proof?;
    run.page = None;
    stage.browser.session().about_blank().await?;
    Ok(proof)
}

async fn carry_out(
    run: &mut ClientRun<'_>,
    progress: &mut dyn FnMut(String),
) -> Result<ClientProof, Failed> {
    let Attempt { cell, probed, .. } = run.attempt;
    run.injections.prove_launch(&cell.profile.name(), probed)?;
    for turn in course(&run.scenario.steps) {
        let again = if turn.round > 1 { format!(" #{}", turn.round) } else { String::new() };
        let name = format!("{} {}{again}", turn.number, turn.step.name());
        progress(name.clone());
        run.begin_step(turn.number, turn.round, matches!(turn.step, ClientStep::Visit(_)));
        let done = steps::one(run, &name, turn.step).await;
        done.map_err(|failed| failed.in_step(&name))?;
    }
    run.end_visit();
    if let Some(missing) = run.injections.never_injected() {
        return Err(missing.not_injected());
    }
    compare_with_golden(run)?;
    let faults = run.injections.planned().iter().filter_map(Planned::proof).collect();
    let requests = std::mem::take(&mut run.requests);
    Ok(ClientProof::new(requests, faults)?)
}

fn compare_with_golden(run: &ClientRun<'_>) -> Result<(), Failed> {
    let cell = &run.attempt.cell.id;
    let place = (cell.browser, cell.backend);
    let compared = run.stage.traces.compare(&cell.scenario, place, run.trace.text());
    match compared.map_err(|error| Failed::trouble("read golden trace", error))? {
        Compared::Same => Ok(()),
        Compared::Different { what, detail } => {
            Err(run.mismatch("trace", "the golden trace", &what, detail))
        }
    }
}
