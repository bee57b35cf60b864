//! One attempt at one cell: carries out the scenario's steps in a page and judges each answer.
//!
//! It ends with the first thing that is wrong. It knows no browser and no file; launching,
//! retrying and reporting are its caller's.

use std::path::Path;

use inference_wasm::protocol::{
    Action, CacheType, CapabilityReport, EngineErrorKind, ExecutionReport, Finished,
    GenerateRequest, LoadRequest, LogitsWanted, OpsRequest, Prompt, Sampling, ScoreRequest,
};

use super::conversation::{Conversation, End, TokenSeen, Watch, unexpected_error};
use super::event::{Evidence, StepEvidence};
use super::judge::{self, Answer};
use super::seeded::Seeded;
use crate::drive::page::Page;
use crate::drive::server::{DEFAULT_SHARD_BYTES, ModelShelf, PageSetup};
use crate::judge::compare::{Comparison, Mismatch, compare_logits};
use crate::judge::golden::{Golden, GoldenCase, LogitsGolden, Rows};
use crate::judge::outcome::Outcome;
use crate::judge::proof::{
    self, AbsenceProof, Demand, MissingProof, NoAbsence, Proof, Refusal, TierProof,
};
use crate::spec::cell::CellId;
use crate::spec::matrix::Matrix;
use crate::spec::scenario::{
    Cases, GenerateExpectation, GenerateStep, Launch, LoadExpectation, LoadStep, OpsStep, Scenario,
    ScoreStep, Step,
};
use crate::spec::tolerance::ToleranceClass;

/// Everything that an attempt needs besides a page.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt<'a> {
    /// The cell.
    pub(crate) cell: &'a CellId,
    /// What to do.
    pub(crate) scenario: &'a Scenario,
    /// The file of the cell's model.
    pub(crate) model: &'a Path,
    /// Models in shards.
    pub(crate) shelf: &'a ModelShelf,
    /// What the answers are held against; `None` for a scenario without cases.
    pub(crate) golden: Option<&'a Golden>,
    /// Whole rows of the golden's logits.
    pub(crate) logits: Option<&'a LogitsGolden>,
    /// How far an answer may be off, on any adapter.
    pub(crate) class: &'a ToleranceClass,
    /// What else limits it and judges it: deadlines, the bundle, relaxations by adapter.
    pub(crate) matrix: &'a Matrix,
    /// A defect to build in.
    pub(crate) fault: Option<Seeded>,
    /// What the browser was launched with, and what the page's probe found then.
    pub(crate) launch: &'a str,
    pub(crate) probed: Option<&'a CapabilityReport>,
}

/// Carries out the scenario. What was seen is there whatever the outcome.
pub(crate) async fn execute<P: Page>(
    attempt: Attempt<'_>,
    page: &mut P,
    progress: &mut dyn FnMut(String),
) -> (Outcome, Evidence) {
    let mut evidence = Evidence::default();
    let outcome = match steps(attempt, page, progress, &mut evidence).await {
        Ok(proof) => Outcome::Pass { proof: Box::new(proof) },
        Err(outcome) => *outcome,
    };
    (outcome, evidence)
}

async fn steps<P: Page>(
    attempt: Attempt<'_>,
    page: &mut P,
    progress: &mut dyn FnMut(String),
    evidence: &mut Evidence,
) -> Result<Proof, Box<Outcome>> {
    progress("ready".to_owned());
    let is_without_backend = attempt.scenario.launch == Launch::WithoutBackend;
    if is_without_backend {
        // What an engine says of a backend that is there after all would be no news.
        let Attempt { cell, launch, probed, .. } = attempt;
        proof::is_gone(cell.backend, launch, probed).map_err(no_absence)?;
    }
    let conversation = Conversation::open(page, attempt.matrix.timeouts).await?;
    let mut run =
        Run { attempt, conversation, progress, evidence, proof: None, refusals: Vec::new() };
    for (index, step) in attempt.scenario.steps.iter().enumerate() {
        let name = format!("{} {}", index + 1, step.name());
        let done = match step {
            Step::Load(step) => run.load(name.clone(), step).await,
            Step::Generate(step) => run.generate(name.clone(), step).await,
            Step::Score(step) => run.score(name.clone(), step).await,
            Step::Ops(step) => run.ops(name.clone(), step).await,
            Step::Release => run.release(name.clone()).await,
        };
        done.map_err(|outcome| Box::new(outcome.in_step(&name)))?;
    }
    if is_without_backend {
        return run.absence().await.map(Proof::Absence);
    }
    run.proof.map(Proof::Tier).ok_or_else(|| {
        let reasons = vec!["no step of the scenario made the backend compute".to_owned()];
        Box::new(Outcome::BackendMismatch(MissingProof { reasons }))
    })
}

struct Run<'a, P> {
    attempt: Attempt<'a>,
    conversation: Conversation<'a, P>,
    progress: &'a mut dyn FnMut(String),
    evidence: &'a mut Evidence,
    proof: Option<TierProof>,
    /// What the engine said where it was to say that the backend is not there.
    refusals: Vec<Refusal>,
}

impl<'a, P: Page> Run<'a, P> {
    async fn load(&mut self, step: String, load: &LoadStep) -> Result<(), Box<Outcome>> {
        let Attempt { model, shelf, cell, fault, matrix, .. } = self.attempt;
        let shard_bytes = load.shard_bytes.map_or(DEFAULT_SHARD_BYTES, u64::from);
        let model = tokio::task::block_in_place(|| shelf.model(model, &cell.model, shard_bytes))
            .map_err(|error| {
                let (phase, message) = ("read model".to_owned(), error.to_string());
                Box::new(Outcome::Infrastructure { phase, message })
            })?;
        let manifest = model.manifest.clone();
        let bytes = manifest.bytes;
        let setup = PageSetup { model: Some(model), fault: load.server_fault };
        self.conversation.serve(setup);
        let action = Action::Load(LoadRequest {
            backend: cell.backend,
            model: manifest,
            context_tokens: load.context_tokens,
            cache_type: CacheType::default(),
            threads: matrix.bundle.threads_of_load(cell.backend),
            fault: fault.and_then(Seeded::engine),
        });
        let (_, end) = self.command(action, &mut |_| {}, None).await?;
        let mut record = StepEvidence { step: step.clone(), ..StepEvidence::default() };
        match (end, load.expect) {
            (End::Finished(Finished::Load(loaded)), LoadExpectation::Loaded) => {
                record.notes.push(format!(
                    "loaded {:.1} MB: fetched in {:.0} ms, prepared in {:.0} ms",
                    bytes as f64 / 1e6,
                    loaded.fetch_ms,
                    loaded.prepare_ms
                ));
                self.evidence.steps.push(record);
                Ok(())
            }
            (End::Failed(error), LoadExpectation::Loaded) => Err(Box::new(unexpected_error(error))),
            (end, LoadExpectation::Error(kind)) => self.expected_error(record, &end, kind.as_str()),
            (End::Finished(other), LoadExpectation::Loaded) => Err(confused(&step, &other)),
        }
    }

    async fn generate(
        &mut self,
        step: String,
        generate: &GenerateStep,
    ) -> Result<(), Box<Outcome>> {
        if let Some(tokens) = generate.prompt_tokens {
            let ids = self.synthetic_prompt(tokens)?;
            return self.generate_one(&step, generate, None, Prompt::Ids(ids)).await;
        }
        for case in self.cases(&generate.cases)? {
            let prompt = Prompt::Messages(case.messages.clone());
            self.generate_one(&step, generate, Some(case), prompt).await?;
        }
        Ok(())
    }

    async fn generate_one(
        &mut self,
        step: &str,
        generate: &GenerateStep,
        case: Option<&'a GoldenCase>,
        prompt: Prompt,
    ) -> Result<(), Box<Outcome>> {
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
            self.command(action, &mut |token| tokens.push(token), cancel_after).await?;
        let rows = self.conversation.take_logits(command);
        let mut record = StepEvidence {
            step: step.to_owned(),
            case: case.map(|case| case.id.clone()),
            ..StepEvidence::default()
        };
        if let GenerateExpectation::Error(kind) = generate.expect {
            return self.expected_error(record, &end, kind.as_str());
        }
        let generated = match end {
            End::Finished(Finished::Generate(generated)) => generated,
            End::Finished(other) => return Err(confused(step, &other)),
            End::Failed(error) => return Err(Box::new(unexpected_error(error))),
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
        let class = self.class(&generated.execution);
        let judged = judge::generation(&judge::place(step, case), generate, case, answer, class);
        self.conclude(record, judged, &generated.execution)
    }

    async fn score(&mut self, step: String, score: &ScoreStep) -> Result<(), Box<Outcome>> {
        for case in self.cases(&score.cases)? {
            let (ids, from) = case.scored_sequence();
            let action = Action::Score(ScoreRequest { ids: ids.clone(), from });
            let (command, end) = self.command(action, &mut |_| {}, None).await?;
            let scored = match end {
                End::Finished(Finished::Score(scored)) => scored,
                End::Finished(other) => return Err(confused(&step, &other)),
                End::Failed(error) => return Err(Box::new(unexpected_error(error))),
            };
            let measured = self.conversation.take_logits(command).ok_or_else(|| {
                let message = format!("the logits of command {command} never arrived");
                Box::new(Outcome::PageError { message })
            })?;
            let record = StepEvidence {
                step: step.clone(),
                case: Some(case.id.clone()),
                prompt_ids: ids,
                timings: Some(scored.timings),
                execution: Some(scored.execution.clone()),
                ..StepEvidence::default()
            };
            let place = judge::place(&step, Some(case));
            let columns = scored.logits.columns;
            let class = self.class(&scored.execution);
            let judged = self.compare_rows((&place, case), &measured, columns, class)?;
            self.conclude(record, judged.map(|comparison| vec![comparison]), &scored.execution)?;
        }
        Ok(())
    }

    /// `Err` outside: no golden to compare with. `Err` inside: a wrong answer.
    fn compare_rows(
        &self,
        (place, case): (&str, &GoldenCase),
        measured: &[f32],
        columns: u32,
        class: &ToleranceClass,
    ) -> Result<Result<Comparison, Box<Mismatch>>, Box<Outcome>> {
        let broken = |message: String| {
            Box::new(Outcome::Infrastructure { phase: "read golden".to_owned(), message })
        };
        let logits = self.attempt.logits.ok_or_else(|| {
            broken("the golden of this scenario has no rows of logits".to_owned())
        })?;
        let (values, width) = logits
            .case(&case.id, case.generated_ids.len())
            .map_err(|error| broken(error.to_string()))?;
        let reference = Rows::new(&values, width)
            .ok_or_else(|| broken("the golden's logits do not make rows".to_owned()))?;
        let measured = Rows::new(measured, columns as usize).ok_or_else(|| {
            let message = format!("{} logits do not make rows of {columns}", measured.len());
            Box::new(Outcome::PageError { message })
        })?;
        Ok(compare_logits(case, reference, measured, class, place).map(Comparison::Logits))
    }

    /// How far an answer may be off on the adapter that it comes from.
    fn class(&self, execution: &ExecutionReport) -> &'a ToleranceClass {
        let Attempt { cell, class, matrix, .. } = self.attempt;
        let adapter = execution.adapter.as_deref();
        adapter.and_then(|adapter| matrix.relaxation(cell, adapter)).unwrap_or(class)
    }

    async fn ops(&mut self, step: String, ops: &OpsStep) -> Result<(), Box<Outcome>> {
        let Attempt { cell, fault, .. } = self.attempt;
        let filter = ops.filter.clone();
        let action = Action::Ops(OpsRequest {
            backend: cell.backend,
            filter,
            fault: fault.and_then(Seeded::engine),
        });
        let report = match self.command(action, &mut |_| {}, None).await?.1 {
            End::Finished(Finished::Ops(report)) => report,
            End::Finished(other) => return Err(confused(&step, &other)),
            End::Failed(error) => return Err(Box::new(unexpected_error(error))),
        };
        let judged = judge::ops(&judge::place(&step, None), &report);
        let record = StepEvidence {
            step,
            execution: Some(report.execution.clone()),
            notes: judge::ops_notes(&report),
            ..StepEvidence::default()
        };
        self.conclude(record, judged, &report.execution)
    }

    async fn release(&mut self, step: String) -> Result<(), Box<Outcome>> {
        match self.command(Action::Release, &mut |_| {}, None).await?.1 {
            End::Finished(Finished::Release) => {
                self.evidence.steps.push(StepEvidence { step, ..StepEvidence::default() });
                Ok(())
            }
            End::Finished(other) => Err(confused(&step, &other)),
            End::Failed(error) => Err(Box::new(unexpected_error(error))),
        }
    }

    async fn command(
        &mut self,
        action: Action,
        on_token: &mut dyn FnMut(TokenSeen),
        cancel_after: Option<u32>,
    ) -> Result<(u32, End), Box<Outcome>> {
        let watch = Watch { progress: &mut *self.progress, on_token, cancel_after };
        self.conversation.command(action, watch).await
    }

    /// Asks for an answer that nothing can give, and takes what the engine said all along for a
    /// proof that nothing was there.
    async fn absence(&mut self) -> Result<AbsenceProof, Box<Outcome>> {
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
        match self.command(action, &mut |_| {}, None).await?.1 {
            End::Failed(error) => {
                self.refusals.push(Refusal { asked: ASKED.to_owned(), message: error.message });
            }
            End::Finished(result) => {
                let who = match result {
                    Finished::Generate(generated) => format!("`{}`", generated.execution.actual),
                    Finished::Probe(_)
                    | Finished::Load(_)
                    | Finished::Score(_)
                    | Finished::Ops(_)
                    | Finished::Release
                    | Finished::ClientStarted(_)
                    | Finished::ClientInspected(_)
                    | Finished::ClientTold => "nobody knows what".to_owned(),
                };
                let backend = self.attempt.cell.backend;
                let reason = format!("`{backend}` is off, and yet there was an answer, from {who}");
                let missing = MissingProof { reasons: vec![reason] };
                return Err(Box::new(Outcome::BackendMismatch(missing)));
            }
        }
        let Attempt { cell, launch, probed, .. } = self.attempt;
        let refusals = std::mem::take(&mut self.refusals);
        proof::verify_absence(cell.backend, launch, probed, refusals).map_err(no_absence)
    }

    /// A command that has to end with an error of this kind.
    fn expected_error(
        &mut self,
        mut record: StepEvidence,
        end: &End,
        expected: &str,
    ) -> Result<(), Box<Outcome>> {
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
        self.evidence.steps.push(record);
        judged.map(drop).map_err(|mismatch| Box::new(Outcome::Mismatch(mismatch)))
    }

    /// Files what was seen in a step that made the model compute, and judges it.
    fn conclude(
        &mut self,
        mut record: StepEvidence,
        judged: Result<Vec<Comparison>, Box<Mismatch>>,
        execution: &ExecutionReport,
    ) -> Result<(), Box<Outcome>> {
        // An answer from another tier is no news about this one's.
        let proven = self.prove(execution);
        record.comparisons = match &judged {
            Ok(comparisons) => comparisons.clone(),
            Err(mismatch) => vec![mismatch.comparison.clone()],
        };
        self.evidence.steps.push(record);
        proven?;
        judged.map(drop).map_err(|mismatch| Box::new(Outcome::Mismatch(mismatch)))
    }

    fn prove(&mut self, report: &ExecutionReport) -> Result<(), Box<Outcome>> {
        let Attempt { cell, matrix, probed, .. } = self.attempt;
        let Matrix { bundle, adapter, .. } = *matrix;
        let demand = Demand { backend: cell.backend, bundle, adapter, probed };
        match proof::verify(demand, report) {
            Ok(proof) => {
                self.proof = Some(proof);
                Ok(())
            }
            Err(missing) => Err(Box::new(Outcome::BackendMismatch(missing))),
        }
    }

    /// The golden's cases that a step runs.
    fn cases(&self, cases: &Cases) -> Result<Vec<&'a GoldenCase>, Box<Outcome>> {
        let all = self.attempt.golden.map_or(&[][..], |golden| &golden.cases);
        let chosen: Vec<_> = match cases {
            Cases::All => all.iter().collect(),
            Cases::First => all.iter().take(1).collect(),
            Cases::Id(id) => all.iter().filter(|case| case.id == *id).collect(),
        };
        if chosen.is_empty() {
            let message = format!("the golden has no case for {cases:?}");
            return Err(Box::new(Outcome::Infrastructure {
                phase: "read golden".to_owned(),
                message,
            }));
        }
        Ok(chosen)
    }

    /// Ids that are all in the vocabulary, as many as asked for: the first case's, over and over.
    fn synthetic_prompt(&self, tokens: u32) -> Result<Vec<u32>, Box<Outcome>> {
        let first = self.cases(&Cases::First)?;
        let ids = first.iter().flat_map(|case| &case.prompt_ids).copied();
        let ids: Vec<u32> = ids.collect();
        Ok(ids.iter().cycle().take(tokens as usize).copied().collect())
    }
}

/// The switch is ours, and so is the trouble.
#[expect(
    clippy::unnecessary_box_returns,
    clippy::needless_pass_by_value,
    reason = "the error of a `Result`, where an outcome is boxed"
)]
fn no_absence(reason: NoAbsence) -> Box<Outcome> {
    let (phase, message) = ("switch backend off".to_owned(), reason.to_string());
    Box::new(Outcome::Infrastructure { phase, message })
}

#[expect(
    clippy::unnecessary_box_returns,
    reason = "the error of a `Result`, where an outcome is boxed"
)]
fn confused(step: &str, result: &Finished) -> Box<Outcome> {
    let of = match result {
        Finished::Probe(_) => "probe",
        Finished::Load(_) => "load",
        Finished::Generate(_) => "generate",
        Finished::Score(_) => "score",
        Finished::Ops(_) => "ops",
        Finished::Release => "release",
        Finished::ClientStarted(_) | Finished::ClientInspected(_) | Finished::ClientTold => {
            "client"
        }
    };
    let message = format!("step {step} was answered with the result of a `{of}` command");
    Box::new(Outcome::PageError { message })
}
