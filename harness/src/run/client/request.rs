//! The step that makes a request: sends it, follows it to its end, and judges the answer.

use std::time::Duration;

use inference_wasm::client::capability::Battery;
use inference_wasm::client::machine::{Input, Request as ClientRequest};
use inference_wasm::protocol::{GenerateRequest, LogitsWanted, Prompt, Sampling};

use super::judge::{self, Bits, Expected};
use super::page::ClientPage;
use super::state::ClientRun;
use super::trace;
use super::visit::{Asked, Ended};
use crate::judge::compare::{Comparison, Mismatch};
use crate::judge::golden::GoldenCase;
use crate::judge::outcome::Failed;
use crate::judge::proof::{Demand, MissingProof, RequestProof};
use crate::run::event::{ClientEvidence, StepEvidence};
use crate::spec::fault::Fault;
use crate::spec::scenario::{
    Cases, InputName, Meanwhile, MeanwhileEvent, Request, RequestExpectation,
};
use crate::spec::tolerance::ToleranceClass;

/// How much longer than its own deadline a request may take.
pub(super) const GRACE: Duration = Duration::from_secs(30);

/// Carries out the step.
pub(super) async fn carry_out(
    run: &mut ClientRun<'_>,
    name: &str,
    step: &Request,
) -> Result<(), Failed> {
    let case = golden_case(run, &step.case)?;
    let mut request = RequestStep { run, name, step, case };
    request.carry_out().await
}

/// The golden's case that a request takes.
fn golden_case<'a>(run: &ClientRun<'a>, case: &Cases) -> Result<&'a GoldenCase, Failed> {
    let found = run.attempt.golden().and_then(|golden| match case {
        Cases::Id(id) => golden.case(id),
        Cases::All | Cases::First => golden.cases.first(),
    });
    found.ok_or_else(|| {
        Failed::trouble("read golden", format!("the golden has no case for {case:?}"))
    })
}

struct RequestStep<'r, 'a> {
    run: &'r mut ClientRun<'a>,
    name: &'r str,
    step: &'r Request,
    case: &'r GoldenCase,
}

impl RequestStep<'_, '_> {
    async fn carry_out(&mut self) -> Result<(), Failed> {
        let number = self.run.current.step;
        self.run.injections.arm_network(&[number]);
        self.run.arm_shims(true).await?;
        let answers = self.run.site.network().traffic().server_answers;
        let id = self.ask().await?;
        self.run.current.request = Some(id);
        let deadlines = &self.run.scenario.settings.deadlines;
        let limit = Duration::from_millis(deadlines.request_ms) + GRACE;
        if let Some(Meanwhile { after_tokens, event }) = self.step.meanwhile {
            let has_tokens = |run: &ClientRun<'_>| {
                let asked = run.page.as_ref().and_then(|page| page.visit.asked(id));
                asked.is_some_and(|asked| {
                    asked.tokens.len() >= after_tokens as usize || asked.end.is_some()
                })
            };
            self.run.follow("request", limit, has_tokens).await?;
            self.meanwhile(id, event).await?;
        }
        let is_over =
            |run: &ClientRun<'_>| run.page.as_ref().is_none_or(|page| page.visit.is_over(id));
        self.run.follow("request", limit, is_over).await?;
        self.run.drain().await?;
        self.run.prove_injections().await?;
        self.run.injections.disarm_network(number);
        self.run.arm_shims(false).await?;
        self.conclude(id, answers)
    }

    /// Sends the request and returns its id.
    async fn ask(&mut self) -> Result<u64, Failed> {
        let Self { run, step, case, .. } = self;
        let id = run.next_request;
        run.next_request += 1;
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
        if let Some(page) = &mut run.page {
            page.visit.ask(id, secrets);
            page.input(Input::Request { request: Box::new(request) }).await?;
        }
        Ok(id)
    }

    async fn meanwhile(&mut self, id: u64, event: MeanwhileEvent) -> Result<(), Failed> {
        let input = match event {
            MeanwhileEvent::Cancel => Input::Cancel { request: id },
            MeanwhileEvent::Input(input) => named(input),
            MeanwhileEvent::Request => {
                let other = self.ask().await?;
                return self.is_busy(other).await;
            }
        };
        match &mut self.run.page {
            Some(page) => page.input(input).await,
            None => Ok(()),
        }
    }

    /// A request that comes while another one is answered is refused.
    async fn is_busy(&mut self, id: u64) -> Result<(), Failed> {
        let has_ended = |run: &ClientRun<'_>| {
            let asked = run.page.as_ref().and_then(|page| page.visit.asked(id));
            asked.is_some_and(|asked| asked.end.is_some() && asked.record.is_some())
        };
        self.run.follow("second request", GRACE, has_ended).await?;
        let asked = self.run.page.as_ref().and_then(|page| page.visit.asked(id));
        let found = match asked.and_then(|asked| asked.end.as_ref()) {
            Some(Ended::Failed(error)) => error.kind.as_str(),
            Some(Ended::Answer(_)) | None => "an answer",
        };
        if found == "busy" {
            return Ok(());
        }
        Err(self.run.mismatch("end of a second request", "busy", found, String::new()))
    }

    /// Judges a request that is over, and files its evidence. `answers` is the number of answers
    /// of the server before it.
    fn conclude(&mut self, id: u64, answers: u32) -> Result<(), Failed> {
        let Self { run, step, .. } = self;
        let number = run.current.step;
        let injected = run.injected();
        let Some(page) = &mut run.page else {
            // The tab has crashed, so the user got nothing.
            let heading = format!("step {number} request");
            run.trace.add_step(trace::step(&heading, &injected, None));
            return Ok(());
        };
        let requests = &mut page.visit.requests;
        let Some(index) = requests.iter().position(|asked| asked.id == id) else {
            return Ok(());
        };
        let asked = requests.swap_remove(index);
        let shown = match &step.case {
            Cases::Id(id) => id.as_str(),
            Cases::All | Cases::First => "first",
        };
        let heading = format!("step {number} request {shown}");
        run.trace.add_step(trace::step(&heading, &injected, Some(&asked)));
        if let Some(bits) = bits(page, &asked) {
            run.bits.insert(number, bits);
        }
        let judged = self.judge(&asked);
        let comparisons = match &judged {
            Ok(comparisons) => comparisons.clone(),
            Err(mismatch) => vec![mismatch.comparison.clone()],
        };
        // The evidence of repeats would be too much to read; a failure is always kept.
        if self.run.current.round == 1 || judged.is_err() {
            self.run.record(evidence(self.name, self.case, &asked, comparisons));
        }
        judged?;
        self.prove(&asked, answers)
    }

    fn judge(&self, asked: &Asked) -> Result<Vec<Comparison>, Box<Mismatch>> {
        let Self { run, name, step, case } = self;
        let (class, tier) = (self.class(asked), step.tier.of(run.attempt.cell.id.backend));
        let place = format!("step {name}, case `{}`", case.id);
        let mut comparisons = judge::request(&place, Expected { step, case, tier, class }, asked)?;
        if let Some(other) = step.same_bits_as {
            let none = Bits::default();
            let of = |step: usize| run.bits.get(&step).unwrap_or(&none);
            let (reference, measured) = (of(other as usize), of(run.current.step));
            comparisons.push(judge::same_bits(&place, reference, measured)?);
        }
        Ok(comparisons)
    }

    /// How far tokens may be off on the tier that generated them.
    fn class(&self, asked: &Asked) -> &ToleranceClass {
        let cell = self.run.attempt.cell;
        let backend = match &asked.end {
            Some(Ended::Answer(answer)) => answer.tier.backend(),
            Some(Ended::Failed(_)) | None => None,
        };
        let Some(backend) = backend else {
            return cell.tolerances.of_answer(cell.id.backend, None);
        };
        let adapter = asked.runs.last().and_then(|run| run.generated.execution.adapter.as_deref());
        cell.tolerances.of_answer(backend, adapter)
    }

    /// Proves that an answer came from its tier.
    fn prove(&mut self, asked: &Asked, answers: u32) -> Result<(), Failed> {
        let Self { run, name, step, .. } = self;
        let Some(Ended::Answer(answer)) = &asked.end else { return Ok(()) };
        let is_cancelled = step.expect == RequestExpectation::Cancelled;
        let proof = match answer.tier.backend() {
            None if is_cancelled => return Ok(()),
            None => {
                let now = run.site.network().traffic().server_answers;
                RequestProof::server(name, now.saturating_sub(answers))
            }
            Some(backend) => {
                let last = asked.runs.last().filter(|run| run.generation == answer.generation);
                let Some(last) = last else {
                    let reason =
                        format!("no engine reports that it ran generation {}", answer.generation);
                    return Err(MissingProof { reasons: vec![reason] }.into());
                };
                // A capability that is masked in this page was not masked in the probe.
                let mut planned = run.injections.planned().iter();
                let is_masked = planned.any(|one| one.plan.fault == Fault::Masked);
                let demand = run.attempt.demand();
                let probed = demand.probed.filter(|_| !is_masked);
                let demand = Demand { backend, probed, ..demand };
                RequestProof::local(name, answer.tier, demand, &last.generated.execution)
            }
        };
        let proof = proof?;
        if run.current.round == 1 {
            run.requests.push(proof);
        }
        Ok(())
    }
}

/// The logits of a request, if its engine delivered them.
fn bits(page: &mut ClientPage<'_>, asked: &Asked) -> Option<Bits> {
    let run = asked.runs.last()?;
    let logits = run.generated.logits?;
    let values = page.take_logits(run.logits_command)?;
    let tokens = asked.tokens.iter().map(|token| token.id).collect();
    let (columns, reused) = (logits.columns as usize, run.generated.reused_tokens);
    Some(Bits { values, columns, tokens, reused })
}

/// The input of the client that a scenario names.
pub(super) fn named(input: InputName) -> Input {
    match input {
        InputName::Idle => Input::Idle,
        InputName::Consent(given) => Input::Consent { given },
        InputName::Prefer(preference) => Input::Preference { preference },
        InputName::Battery { is_low } => {
            let level = if is_low { 0.05 } else { 1.0 };
            Input::Battery { battery: Battery { level, charging: !is_low } }
        }
        InputName::Thermal(pressure) => Input::Thermal { pressure },
        InputName::Retry => Input::Retry,
    }
}

/// The evidence of a request.
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
                trail: answer.trail.iter().copied().map(trace::fallback).collect(),
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
                trail: error.trail.iter().copied().map(trace::fallback).collect(),
            });
        }
        None => {}
    }
    step
}
