//! The steps of a scenario: each runs its commands, judges the answers, and files the evidence.

use inference_wasm::protocol::{
    Action, CacheType, Finished, GenerateRequest, LoadRequest, LogitsWanted, OpsRequest, Prompt,
    Sampling, ScoreRequest,
};

use super::judge::{self, Answer};
use super::session::{Session, no_absence};
use crate::drive::page::Page;
use crate::drive::server::{DEFAULT_SHARD_BYTES, PageSetup};
use crate::judge::compare::{Comparison, Mismatch, compare_logits};
use crate::judge::golden::{GoldenCase, Rows};
use crate::judge::outcome::Failed;
use crate::judge::proof::{self, AbsenceProof, MissingProof, Refusal};
use crate::run::attempt::Attempt;
use crate::run::conversation::{End, wrong_result};
use crate::run::event::StepEvidence;
use crate::run::mutant::Mutant;
use crate::spec::scenario::{
    Cases, GenerateExpectation, GenerateStep, LoadExpectation, LoadStep, OpsStep, ScoreStep,
};
use crate::spec::tolerance::ToleranceClass;

pub(super) async fn load<P: Page>(
    session: &mut Session<'_, P>,
    step: &str,
    load: &LoadStep,
) -> Result<(), Failed> {
    let Attempt { cell, shelf, mutant, .. } = session.attempt;
    let shard_bytes = load.shard_bytes.map_or(DEFAULT_SHARD_BYTES, u64::from);
    let (path, name) = (&cell.model.path, &cell.id.model);
    let model = tokio::task::block_in_place(|| shelf.model(path, name, shard_bytes))
        .map_err(|error| Failed::trouble("read model", error))?;
    let manifest = model.manifest.clone();
    let bytes = manifest.bytes;
    session.conversation.serve(PageSetup { model: Some(model), fault: load.server_fault });
    let action = Action::Load(LoadRequest {
        backend: cell.id.backend,
        model: manifest,
        context_tokens: load.context_tokens,
        cache_type: CacheType::default(),
        threads: cell.bundle.threads_of_load(cell.id.backend),
        fault: mutant.and_then(Mutant::engine),
    });
    let (_, end) = session.plain(action).await?;
    let mut record = StepEvidence { step: step.to_owned(), ..StepEvidence::default() };
    if let LoadExpectation::Error(kind) = load.expect {
        return session.expected_error(record, &end, kind.as_str());
    }
    match end.finished()? {
        Finished::Load(loaded) => {
            record.notes.push(format!(
                "loaded {:.1} MB: fetched in {:.0} ms, prepared in {:.0} ms",
                bytes as f64 / 1e6,
                loaded.fetch_ms,
                loaded.prepare_ms
            ));
            session.file(record);
            Ok(())
        }
        other => Err(wrong(step, &other)),
    }
}

pub(super) async fn generate<P: Page>(
    session: &mut Session<'_, P>,
    step: &str,
    generate: &GenerateStep,
) -> Result<(), Failed> {
    if let Some(tokens) = generate.prompt_tokens {
        let ids = synthetic_prompt(session, tokens)?;
        return generate_one(session, step, generate, None, Prompt::Ids(ids)).await;
    }
    for case in session.cases(&generate.cases)? {
        let prompt = Prompt::Messages(case.messages.clone());
        generate_one(session, step, generate, Some(case), prompt).await?;
    }
    Ok(())
}

async fn generate_one<P: Page>(
    session: &mut Session<'_, P>,
    step: &str,
    generate: &GenerateStep,
    case: Option<&GoldenCase>,
    prompt: Prompt,
) -> Result<(), Failed> {
    let max_tokens = generate.max_tokens.or(case.map(|case| case.max_tokens)).unwrap_or(1);
    let action = Action::Generate(GenerateRequest {
        prompt,
        max_tokens,
        sampling: Sampling::Greedy,
        stop: Vec::new(),
        ignore_stop: generate.ignore_stop,
        logits: LogitsWanted::All,
    });
    let mut tokens = Vec::new();
    let cancel_after = generate.cancel_after_tokens;
    let (command, end) =
        session.command(action, &mut |token| tokens.push(token), cancel_after).await?;
    let rows = session.conversation.take_logits(command);
    let mut record = StepEvidence {
        step: step.to_owned(),
        case: case.map(|case| case.id.clone()),
        ..StepEvidence::default()
    };
    if let GenerateExpectation::Error(kind) = generate.expect {
        return session.expected_error(record, &end, kind.as_str());
    }
    let generated = match end.finished()? {
        Finished::Generate(generated) => generated,
        other => return Err(wrong(step, &other)),
    };
    record.prompt_ids.clone_from(&generated.prompt_ids);
    record.generated_ids.clone_from(&generated.generated_ids);
    record.text = Some(generated.text.clone());
    record.finish_reason = Some(generated.finish_reason);
    record.timings = Some(generated.timings);
    record.execution = Some(generated.execution.clone());
    if generated.reused_tokens > 0 {
        record.notes.push(format!("reused {} tokens of the cache", generated.reused_tokens));
    }
    let answer = Answer { generated: &generated, tokens: &tokens, rows: rows.as_deref() };
    let class = session.class(&generated.execution);
    let judged = judge::generation(&judge::place(step, case), generate, case, answer, class);
    session.conclude(record, judged, &generated.execution)
}

/// A prompt of that length: the ids of the first case, repeated, so that all are in the vocabulary.
fn synthetic_prompt<P: Page>(session: &Session<'_, P>, tokens: u32) -> Result<Vec<u32>, Failed> {
    let first = session.cases(&Cases::First)?;
    let ids: Vec<u32> = first.iter().flat_map(|case| &case.prompt_ids).copied().collect();
    Ok(ids.iter().cycle().take(tokens as usize).copied().collect())
}

pub(super) async fn score<P: Page>(
    session: &mut Session<'_, P>,
    step: &str,
    score: &ScoreStep,
) -> Result<(), Failed> {
    for case in session.cases(&score.cases)? {
        let (ids, from) = case.scored_sequence();
        let action = Action::Score(ScoreRequest { ids: ids.clone(), from });
        let (command, end) = session.plain(action).await?;
        let scored = match end.finished()? {
            Finished::Score(scored) => scored,
            other => return Err(wrong(step, &other)),
        };
        let measured = session.conversation.take_logits(command).ok_or_else(|| {
            Failed::page_error(format!("the logits of command {command} never arrived"))
        })?;
        let record = StepEvidence {
            step: step.to_owned(),
            case: Some(case.id.clone()),
            prompt_ids: ids,
            timings: Some(scored.timings),
            execution: Some(scored.execution.clone()),
            ..StepEvidence::default()
        };
        let place = judge::place(step, Some(case));
        let class = session.class(&scored.execution);
        let columns = scored.logits.columns as usize;
        let measured = Rows::new(&measured, columns).ok_or_else(|| {
            let count = measured.len();
            Failed::page_error(format!("{count} logits do not make rows of {columns}"))
        })?;
        let judged = compare_rows(session.attempt, (&place, case), measured, class)?;
        session.conclude(record, judged.map(|comparison| vec![comparison]), &scored.execution)?;
    }
    Ok(())
}

/// The outer error: there is no golden to compare with. The inner error: a wrong answer.
fn compare_rows(
    attempt: Attempt<'_>,
    (place, case): (&str, &GoldenCase),
    measured: Rows<'_>,
    class: &ToleranceClass,
) -> Result<Result<Comparison, Box<Mismatch>>, Failed> {
    const PHASE: &str = "read golden";
    let logits = attempt.logits().ok_or_else(|| {
        Failed::trouble(PHASE, "the golden of this scenario has no rows of logits")
    })?;
    let (values, width) = logits
        .case(&case.id, case.generated_ids.len())
        .map_err(|error| Failed::trouble(PHASE, error))?;
    let reference = Rows::new(&values, width)
        .ok_or_else(|| Failed::trouble(PHASE, "the golden's logits do not make rows"))?;
    Ok(compare_logits(case, reference, measured, class, place).map(Comparison::Logits))
}

pub(super) async fn ops<P: Page>(
    session: &mut Session<'_, P>,
    step: &str,
    ops: &OpsStep,
) -> Result<(), Failed> {
    let Attempt { cell, mutant, .. } = session.attempt;
    let (backend, filter) = (cell.id.backend, ops.filter.clone());
    let fault = mutant.and_then(Mutant::engine);
    let action = Action::Ops(OpsRequest { backend, filter, fault });
    let report = match session.plain(action).await?.1.finished()? {
        Finished::Ops(report) => report,
        other => return Err(wrong(step, &other)),
    };
    let judged = judge::ops(&judge::place(step, None), &report);
    let record = StepEvidence {
        step: step.to_owned(),
        execution: Some(report.execution.clone()),
        notes: judge::ops_notes(&report),
        ..StepEvidence::default()
    };
    session.conclude(record, judged, &report.execution)
}

pub(super) async fn release<P: Page>(
    session: &mut Session<'_, P>,
    step: &str,
) -> Result<(), Failed> {
    match session.plain(Action::Release).await?.1.finished()? {
        Finished::Release => {
            session.file(StepEvidence { step: step.to_owned(), ..StepEvidence::default() });
            Ok(())
        }
        other => Err(wrong(step, &other)),
    }
}

/// Asks for an answer that nothing can give, and makes a proof of absence out of this refusal and
/// the earlier ones.
pub(super) async fn absence<P: Page>(session: &mut Session<'_, P>) -> Result<AbsenceProof, Failed> {
    const ASKED: &str = "compute all the same";
    let action = Action::Generate(GenerateRequest {
        // An id that every vocabulary has.
        prompt: Prompt::Ids(vec![0]),
        max_tokens: 1,
        sampling: Sampling::Greedy,
        stop: Vec::new(),
        ignore_stop: false,
        logits: LogitsWanted::None,
    });
    let Attempt { cell, probed, .. } = session.attempt;
    let backend = cell.id.backend;
    match session.plain(action).await?.1 {
        End::Failed(error) => {
            session.refusals.push(Refusal { asked: ASKED.to_owned(), message: error.message });
        }
        End::Finished(result) => {
            let who = match result {
                Finished::Generate(generated) => format!("`{}`", generated.execution.actual),
                _ => "an unknown backend".to_owned(),
            };
            let reason = format!("`{backend}` is off, and yet there was an answer, from {who}");
            return Err(MissingProof { reasons: vec![reason] }.into());
        }
    }
    let refusals = std::mem::take(&mut session.refusals);
    proof::verify_absence(backend, &cell.profile.name(), probed, refusals).map_err(no_absence)
}

fn wrong(step: &str, result: &Finished) -> Failed {
    wrong_result(&format!("step {step}"), result)
}
