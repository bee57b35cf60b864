//! The step in which something is asked: putting it in, following it to its end, judging that.

use std::time::Duration;

use inference_wasm::client::machine::{Input, Request as ClientRequest};
use inference_wasm::protocol::{GenerateRequest, LogitsWanted, Prompt, Sampling};

use super::judge::{self, Bits, Expected};
use super::steps::named;
use super::visit::{Asked, Ended};
use super::{Run, text};
use crate::judge::compare::Comparison;
use crate::judge::golden::GoldenCase;
use crate::judge::outcome::Outcome;
use crate::judge::proof::{Demand, RequestProof};
use crate::run::event::{ClientEvidence, StepEvidence};
use crate::run::executor::Attempt;
use crate::spec::cell::CellId;
use crate::spec::fault::Fault;
use crate::spec::scenario::{Cases, Meanwhile, MeanwhileEvent, Request, RequestExpectation};
use crate::spec::tolerance::ToleranceClass;

/// What a request may take beyond its own deadline.
pub(super) const GRACE: Duration = Duration::from_secs(30);

impl<'a> Run<'a> {
    pub(super) async fn request(&mut self, name: &str, step: &Request) -> Result<(), Box<Outcome>> {
        let case = self.case(&step.case)?;
        self.arm_network(&[self.step]);
        self.arm_shims(true).await?;
        let answers = self.site.network().traffic().server_answers;
        let id = self.ask(step, case).await?;
        self.request = Some(id);
        let limit = Duration::from_millis(self.scenario.settings.deadlines.request_ms) + GRACE;
        if let Some(Meanwhile { after_tokens, event }) = step.meanwhile {
            let is_there = |run: &Self| {
                let asked = run.drive.as_ref().and_then(|drive| drive.visit.asked(id));
                asked.is_some_and(|asked| {
                    asked.tokens.len() >= after_tokens as usize || asked.end.is_some()
                })
            };
            self.follow("request", limit, is_there).await?;
            self.meanwhile(id, event, step, case).await?;
        }
        let is_over = |run: &Self| run.drive.as_ref().is_none_or(|drive| drive.visit.is_over(id));
        self.follow("request", limit, is_over).await?;
        self.drain().await?;
        self.strikes_are_there(&[self.step]).await?;
        self.disarm_network();
        self.arm_shims(false).await?;
        self.conclude(name, step, case, (id, answers))
    }

    /// Puts a request in.
    async fn ask(&mut self, step: &Request, case: &GoldenCase) -> Result<u64, Box<Outcome>> {
        let id = self.next_request;
        self.next_request += 1;
        let secrets: Vec<String> = case.messages.iter().map(|one| one.content.clone()).collect();
        let prompt_length = secrets.iter().map(|text| text.chars().count() as u32).sum();
        let request = ClientRequest {
            id,
            generate: GenerateRequest {
                prompt: Prompt::Messages(case.messages.clone()),
                max_tokens: step.max_tokens.unwrap_or(case.max_tokens),
                sampling: Sampling::Greedy,
                stop: Vec::new(),
                ignore_stop: false,
                logits: LogitsWanted::All,
            },
            prompt_length,
            complexity: step.complexity,
            capability: step.capability.clone(),
            feature: step.feature.clone(),
        };
        if let Some(drive) = &mut self.drive {
            drive.visit.ask(id, secrets);
            drive.input(Input::Request { request: Box::new(request) }).await?;
        }
        Ok(id)
    }

    async fn meanwhile(
        &mut self,
        id: u64,
        event: MeanwhileEvent,
        step: &Request,
        case: &GoldenCase,
    ) -> Result<(), Box<Outcome>> {
        let input = match event {
            MeanwhileEvent::Cancel => Input::Cancel { request: id },
            MeanwhileEvent::Input(input) => named(input),
            MeanwhileEvent::Request => {
                let other = self.ask(step, case).await?;
                return self.is_busy(other).await;
            }
        };
        match &mut self.drive {
            Some(drive) => drive.input(input).await,
            None => Ok(()),
        }
    }

    /// A request that comes while another one is answered is refused.
    async fn is_busy(&mut self, id: u64) -> Result<(), Box<Outcome>> {
        let has_ended = |run: &Self| {
            let asked = run.drive.as_ref().and_then(|drive| drive.visit.asked(id));
            asked.is_some_and(|asked| asked.end.is_some() && asked.record.is_some())
        };
        self.follow("second request", GRACE, has_ended).await?;
        let asked = self.drive.as_ref().and_then(|drive| drive.visit.asked(id));
        let found = match asked.and_then(|asked| asked.end.as_ref()) {
            Some(Ended::Failed(error)) => error.kind.as_str(),
            Some(Ended::Answer(_)) | None => "an answer",
        };
        if found == "busy" {
            return Ok(());
        }
        let what = "end of a second request";
        Err(self.mismatch(what, "busy", found, String::new()))
    }

    /// Judges a request that is over, and files what was seen.
    fn conclude(
        &mut self,
        name: &str,
        step: &Request,
        case: &GoldenCase,
        (id, answers): (u64, u32),
    ) -> Result<(), Box<Outcome>> {
        let number = self.step;
        let struck = self.struck();
        let Some(drive) = &mut self.drive else {
            // The tab has crashed, and the user has got nothing.
            self.step_texts.push(text::step(&format!("step {number} request"), &struck, None));
            return Ok(());
        };
        let visit = &mut drive.visit;
        let Some(index) = visit.requests.iter().position(|asked| asked.id == id) else {
            return Ok(());
        };
        let asked = visit.requests.swap_remove(index);
        let shown = match &step.case {
            Cases::Id(id) => id.as_str(),
            Cases::All | Cases::First => "first",
        };
        let heading = format!("step {number} request {shown}");
        self.step_texts.push(text::step(&heading, &struck, Some(&asked)));
        if let Some(run) = asked.runs.last()
            && let Some(logits) = run.generated.logits
            && let Some(values) = drive.take_logits(run.logits_command)
        {
            let tokens = asked.tokens.iter().map(|token| token.id).collect();
            let columns = logits.columns as usize;
            let reused = run.generated.reused_tokens;
            self.bits.insert(number, Bits { values, columns, tokens, reused });
        }
        let (class, tier) = (self.class(&asked), step.tier.of(self.attempt.cell.backend));
        let place = format!("step {name}, case `{}`", case.id);
        let mut judged = judge::request(&place, Expected { step, case, tier, class }, &asked);
        if let (Ok(comparisons), Some(other)) = (&mut judged, step.same_bits_as) {
            let none = Bits::default();
            let of = |step: usize| self.bits.get(&step).unwrap_or(&none);
            match judge::same_bits(&place, of(other as usize), of(number)) {
                Ok(comparison) => comparisons.push(comparison),
                Err(mismatch) => judged = Err(mismatch),
            }
        }
        let comparisons = match &judged {
            Ok(comparisons) => comparisons.clone(),
            Err(mismatch) => vec![mismatch.comparison.clone()],
        };
        // Of a request that is repeated, the first one and one that fails are enough to read.
        if self.round == 1 || judged.is_err() {
            self.evidence.steps.push(evidence(name, case, &asked, comparisons));
        }
        judged.map_err(|mismatch| Box::new(Outcome::Mismatch(mismatch)))?;
        self.prove(name, step, &asked, answers)
    }

    /// How far tokens may be off on the tier that gave them.
    fn class(&self, asked: &Asked) -> &'a ToleranceClass {
        let Attempt { cell, class, matrix, .. } = self.attempt;
        let Some(Ended::Answer(answer)) = &asked.end else { return class };
        let Some(backend) = answer.tier.backend() else { return class };
        let there = CellId { backend, ..cell.clone() };
        let adapter = asked.runs.last().and_then(|run| run.generated.execution.adapter.as_deref());
        let relaxed = adapter.and_then(|adapter| matrix.relaxation(&there, adapter));
        relaxed.or_else(|| matrix.tolerance(&there)).unwrap_or(class)
    }

    /// The golden's case that a request takes.
    fn case(&self, case: &Cases) -> Result<&'a GoldenCase, Box<Outcome>> {
        let golden = self.attempt.golden;
        let found = golden.and_then(|golden| match case {
            Cases::Id(id) => golden.case(id),
            Cases::All | Cases::First => golden.cases.first(),
        });
        found.ok_or_else(|| {
            let message = format!("the golden has no case for {case:?}");
            Box::new(Outcome::Infrastructure { phase: "read golden".to_owned(), message })
        })
    }

    /// An answer has to show that it came from its tier.
    fn prove(
        &mut self,
        name: &str,
        step: &Request,
        asked: &Asked,
        answers: u32,
    ) -> Result<(), Box<Outcome>> {
        let Some(Ended::Answer(answer)) = &asked.end else { return Ok(()) };
        let Attempt { matrix, probed, .. } = self.attempt;
        // What is masked in this page was not when the browser was probed.
        let is_masked = self.planned.iter().any(|one| one.plan.fault == Fault::Masked);
        let probed = probed.filter(|_| !is_masked);
        let is_cancelled = step.expect == RequestExpectation::Cancelled;
        let proof = match answer.tier.backend() {
            None if is_cancelled => return Ok(()),
            None => {
                let now = self.site.network().traffic().server_answers;
                RequestProof::server(name, now.saturating_sub(answers))
            }
            Some(backend) => {
                let run = asked.runs.last().filter(|run| run.generation == answer.generation);
                let Some(run) = run else {
                    let reason =
                        format!("no engine says that it ran generation {}", answer.generation);
                    let missing = crate::judge::proof::MissingProof { reasons: vec![reason] };
                    return Err(Box::new(Outcome::BackendMismatch(missing)));
                };
                let (bundle, adapter) = (matrix.bundle, matrix.adapter);
                let demand = Demand { backend, bundle, adapter, probed };
                RequestProof::local(name, answer.tier, demand, &run.generated.execution)
            }
        };
        let proof = proof.map_err(|missing| Box::new(Outcome::BackendMismatch(missing)))?;
        if self.round == 1 {
            self.requests.push(proof);
        }
        Ok(())
    }
}

/// What was seen of a request.
fn evidence(
    name: &str,
    case: &GoldenCase,
    asked: &Asked,
    comparisons: Vec<Comparison>,
) -> StepEvidence {
    let mut step = StepEvidence {
        step: name.to_owned(),
        case: Some(case.id.clone()),
        comparisons,
        generated_ids: asked.tokens.iter().map(|token| token.id).collect(),
        text: Some(asked.tokens.iter().map(|token| token.text.as_str()).collect()),
        ..StepEvidence::default()
    };
    if let Some(run) = asked.runs.last() {
        step.prompt_ids.clone_from(&run.generated.prompt_ids);
        step.timings = Some(run.generated.timings);
        step.execution = Some(run.generated.execution.clone());
    }
    match &asked.end {
        Some(Ended::Answer(answer)) => {
            step.finish_reason = Some(answer.finish_reason);
            step.client = Some(ClientEvidence {
                tier: Some(answer.tier),
                is_answered: true,
                latency_ms: answer.timings.total_ms,
                first_token_ms: answer.timings.first_token_ms,
                tokens: answer.usage.completion_tokens,
                recoveries: answer.recoveries,
                trail: answer.trail.iter().copied().map(text::fallback).collect(),
            });
        }
        Some(Ended::Failed(error)) => {
            let latency_ms = asked.record.as_ref().map_or(0, |record| record.latency_ms);
            step.client = Some(ClientEvidence {
                tier: error.tier,
                is_answered: false,
                latency_ms,
                first_token_ms: None,
                tokens: error.tokens_emitted,
                recoveries: asked.record.as_ref().map_or(0, |record| record.recoveries),
                trail: error.trail.iter().copied().map(text::fallback).collect(),
            });
        }
        None => {}
    }
    step
}
