//! The steps of a client's scenario, one after the other.

use std::time::Duration;

use inference_wasm::client::capability::Battery;
use inference_wasm::client::machine::{Input, Request as ClientRequest};
use inference_wasm::protocol::{
    ClientAction, ClientStart, Finished, GenerateRequest, LogitsWanted, Prompt, Sampling,
};
use serde_json::json;
use tokio::time::Instant;

use super::faults::Planned;
use super::judge::{self, Bits, Expected, Memory};
use super::visit::{Asked, Ended};
use super::{Drive, FROZEN, Run, did_not_strike, faults, offer, text};
use crate::cell::CellId;
use crate::compare::{Comparison, ToleranceClass};
use crate::fault::{Fault, FaultPhase, Means};
use crate::golden::GoldenCase;
use crate::outcome::Outcome;
use crate::proof::{Demand, RequestProof};
use crate::run::conversation::outcome_of;
use crate::run::event::{ClientEvidence, StepEvidence};
use crate::run::executor::Attempt;
use crate::run::seeded::Seeded;
use crate::scenario::{
    Cases, ClientStep, Inject, InputName, InputStep, Inspect, Meanwhile, MeanwhileEvent, Request,
    RequestExpectation, Visit, Wait,
};

/// How long a shim may take to say that it has struck.
const STRIKES_WITHIN: Duration = Duration::from_secs(10);

/// What a request may take beyond its own deadline.
const GRACE: Duration = Duration::from_secs(30);

impl<'a> Run<'a> {
    pub(super) async fn one_step(
        &mut self,
        name: &str,
        step: &ClientStep,
    ) -> Result<(), Box<Outcome>> {
        match step {
            ClientStep::Visit(step) => self.visit(name, step).await,
            ClientStep::Request(step) => self.request(name, step).await,
            ClientStep::Inject(step) => self.inject(name, step).await,
            ClientStep::Input(step) => self.input(name, *step).await,
            ClientStep::Wait(step) => self.wait(name, *step).await,
            ClientStep::Inspect(step) => self.inspect(name, step).await,
            ClientStep::Leave => self.leave(name).await,
            // The course has gone it already.
            ClientStep::Repeat(_) => Ok(()),
        }
    }

    async fn visit(&mut self, name: &str, step: &Visit) -> Result<(), Box<Outcome>> {
        self.end_visit();
        self.visits += 1;
        self.mark = 0;
        self.memory = None;
        self.planned.iter_mut().for_each(Planned::begin_visit);
        self.site.network().begin_visit();
        self.arm_network(&[0, self.step]);
        let handle = self.stage.server.open_client(self.site.clone());
        let handle = handle.map_err(|error| {
            let (phase, message) = ("open page".to_owned(), error.to_string());
            Box::new(Outcome::Infrastructure { phase, message })
        })?;
        let timeouts = self.attempt.matrix.timeouts;
        self.drive = Some(Drive::open(self.stage.browser, handle, timeouts, self.ends).await?);
        let at_start = |one: &Planned, at| {
            matches!(one.plan.fault.means(), Means::Driver(_))
                && one.plan.at == FaultPhase::Start
                && (one.step == 0 || one.step == at)
        };
        for index in 0..self.planned.len() {
            if self.planned.get(index).is_some_and(|one| at_start(one, self.step)) {
                self.strike_by_driver(index).await?;
            }
        }
        let start = self.client_start(step);
        let began = Instant::now();
        if let Some(drive) = &mut self.drive {
            drive.command(ClientAction::Start(Box::new(start))).await?;
        }
        // Its faults are looked for when it ends: some come with the first request.
        self.follow_to(step.until, 0).await?;
        let ms = began.elapsed().as_millis();
        let notes = vec![format!("`{}` after {ms} ms", step.until)];
        self.file(name, notes, Vec::new());
        Ok(())
    }

    fn client_start(&self, step: &Visit) -> ClientStart {
        let Attempt { cell, matrix, .. } = self.attempt;
        let variant = offer::offer(self.variant.clone(), cell.backend, step.versions);
        ClientStart {
            config: offer::config(self.scenario, variant),
            server: self.scenario.settings.has_server.then(|| "tier".to_owned()),
            server_model: Some(cell.model.clone()),
            store: self.store.clone(),
            bundle: matrix.bundle.bundle,
            threads: Some(matrix.bundle.threads),
            context_tokens: None,
            accepts_software: true,
            shims: faults::shims(&self.planned, self.scenario, self.step, &self.store),
            fault: self.attempt.fault.and_then(Seeded::client),
        }
    }

    async fn request(&mut self, name: &str, step: &Request) -> Result<(), Box<Outcome>> {
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
                    let missing = crate::proof::MissingProof { reasons: vec![reason] };
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

    async fn inject(&mut self, name: &str, step: &Inject) -> Result<(), Box<Outcome>> {
        self.disarm_network();
        self.arm_network(&[self.step]);
        for index in 0..self.planned.len() {
            let Some(one) = self.planned.get(index).filter(|one| one.step == self.step) else {
                continue;
            };
            match one.plan.fault.means() {
                Means::Shim(_) => {
                    let id = one.id.clone();
                    if let Some(drive) = &mut self.drive {
                        drive.trigger(&id, json!({ "arm": true, "strike": true })).await?;
                    }
                }
                Means::Driver(_) => self.strike_by_driver(index).await?,
                Means::Network | Means::Launch(_) => {}
            }
        }
        if let Some(state) = step.until {
            self.follow_to(state, self.mark).await?;
        }
        let is_held = |run: &Self| run.held.iter().any(|held| held.until.is_some());
        if self.drive.is_some() {
            self.follow("fault", FROZEN + STRIKES_WITHIN, |run| !is_held(run)).await?;
            self.strikes_are_there(&[self.step]).await?;
        }
        let heading = format!("step {} inject", self.step);
        let struck = self.struck();
        self.step_texts.push(text::step(&heading, &struck, None));
        self.file(name, Vec::new(), Vec::new());
        Ok(())
    }

    async fn input(&mut self, name: &str, step: InputStep) -> Result<(), Box<Outcome>> {
        if let Some(drive) = &mut self.drive {
            drive.input(named(step.input)).await?;
        }
        if let Some(state) = step.until {
            self.follow_to(state, self.mark).await?;
        }
        let heading = format!("step {} input {}\n", self.step, step.input.as_str());
        self.step_texts.push(heading);
        self.file(name, Vec::new(), Vec::new());
        Ok(())
    }

    async fn wait(&mut self, name: &str, step: Wait) -> Result<(), Box<Outcome>> {
        match step {
            Wait::Until(state) => {
                self.drain().await?;
                let is_in = self.drive.as_ref().is_some_and(|one| one.visit.state() == state);
                if !is_in {
                    self.follow_to(state, self.mark).await?;
                }
            }
            Wait::Ms(ms) => {
                let until = Instant::now() + Duration::from_millis(ms.into());
                if self.drive.is_none() {
                    tokio::time::sleep_until(until).await;
                }
                while self.drive.is_some() && Instant::now() < until {
                    let piece = until.min(Instant::now() + Duration::from_millis(100));
                    self.follow("wait", Duration::from_millis(ms.into()) + GRACE, |_| {
                        Instant::now() >= piece
                    })
                    .await?;
                    if let Some(drive) = &mut self.drive {
                        drive.next("wait", piece).await?;
                    }
                }
            }
        }
        self.file(name, Vec::new(), Vec::new());
        Ok(())
    }

    async fn inspect(&mut self, name: &str, step: &Inspect) -> Result<(), Box<Outcome>> {
        let Some(drive) = &mut self.drive else { return Ok(()) };
        let collected = self.stage.browser.collect_garbage().await;
        collected.map_err(|trouble| outcome_of(&trouble))?;
        let found = match drive.command(ClientAction::Inspect).await? {
            Finished::ClientInspected(found) => found,
            other => {
                let message = format!("an inspection was answered with {other:?}");
                return Err(Box::new(Outcome::PageError { message }));
            }
        };
        let memory =
            Memory { js_heap: found.js_heap_bytes, processes: self.stage.browser.memory_bytes() };
        let place = format!("step {name}");
        let first = *self.memory.get_or_insert(memory);
        let judged = judge::inspection(&place, step, &found, memory.since(first));
        let comparisons = match &judged {
            Ok(comparisons) => comparisons.clone(),
            Err(mismatch) => vec![mismatch.comparison.clone()],
        };
        self.file(name, vec![format!("{found:?}"), format!("{memory:?}")], comparisons);
        judged.map(drop).map_err(|mismatch| Box::new(Outcome::Mismatch(mismatch)))
    }

    async fn leave(&mut self, name: &str) -> Result<(), Box<Outcome>> {
        self.drain().await?;
        if let Some(drive) = self.drive.take() {
            let visit = drive.leave().await?;
            self.file_visit(&visit);
        }
        self.file(name, Vec::new(), Vec::new());
        Ok(())
    }

    /// Has network faults of these steps strike from now on.
    fn arm_network(&self, steps: &[usize]) {
        let mut network = self.site.network();
        let here = self.planned.iter().filter(|one| steps.contains(&one.step));
        for one in here.filter(|one| one.plan.fault.means() == Means::Network) {
            network.arm(&one.id, one.plan);
        }
    }

    fn disarm_network(&self) {
        let mut network = self.site.network();
        for one in self.planned.iter().filter(|one| one.step == self.step) {
            network.disarm(&one.id);
        }
    }

    /// Has the shims of the step strike where they are, or no longer.
    async fn arm_shims(&mut self, arm: bool) -> Result<(), Box<Outcome>> {
        let here = self.planned.iter().filter(|one| one.step == self.step);
        let shims = here.filter(|one| matches!(one.plan.fault.means(), Means::Shim(_)));
        let ids: Vec<String> = shims.map(|one| one.id.clone()).collect();
        for id in ids {
            if let Some(drive) = &mut self.drive {
                drive.trigger(&id, json!({ "arm": arm })).await?;
            }
        }
        Ok(())
    }

    /// Waits for the evidence of these steps' faults.
    async fn strikes_are_there(&mut self, steps: &[usize]) -> Result<(), Box<Outcome>> {
        let is_missing = |run: &mut Self| {
            run.look_here();
            run.planned.iter().any(|one| {
                // What the network does to an idle page comes when it next asks for something.
                let is_later =
                    one.plan.at == FaultPhase::Idle && one.plan.fault.means() == Means::Network;
                steps.contains(&one.step) && !one.has_struck() && !is_later
            })
        };
        let until = Instant::now() + STRIKES_WITHIN;
        while is_missing(self) {
            let Some(drive) = &mut self.drive else { break };
            if Instant::now() >= until {
                break;
            }
            let piece = until.min(Instant::now() + Duration::from_millis(200));
            drive.next("inject fault", piece).await?;
        }
        if is_missing(self) {
            let missing =
                self.planned.iter().find(|one| steps.contains(&one.step) && !one.has_struck());
            if let Some(one) = missing {
                return Err(did_not_strike(one));
            }
        }
        Ok(())
    }

    /// Files what pages and our server have told of faults.
    pub(super) fn look_for_strikes(&mut self, visit: &super::visit::Visit) {
        let network = self.site.network();
        for one in &mut self.planned {
            match one.plan.fault.means() {
                Means::Shim(_) => one.look(visit),
                Means::Network => one.strikes = network.strikes(&one.id).to_vec(),
                Means::Driver(_) | Means::Launch(_) => {}
            }
        }
    }

    /// The same, in the visit at hand.
    fn look_here(&mut self) {
        if let Some(drive) = self.drive.take() {
            self.look_for_strikes(&drive.visit);
            self.drive = Some(drive);
        }
    }

    /// Names of the step's faults that have struck.
    fn struck(&mut self) -> Vec<&'static str> {
        self.look_here();
        let here = self.planned.iter().filter(|one| one.step == self.step);
        here.filter(|one| one.has_struck()).map(|one| one.plan.fault.as_str()).collect()
    }

    async fn drain(&mut self) -> Result<(), Box<Outcome>> {
        if let Some(drive) = &mut self.drive {
            drive.drain("step").await?;
            if !drive.visit.breaches.is_empty() {
                return Err(self.breach());
            }
        }
        Ok(())
    }

    fn file(&mut self, name: &str, mut notes: Vec<String>, comparisons: Vec<Comparison>) {
        for one in self.planned.iter().filter(|one| one.step == self.step) {
            notes.extend(one.strikes.iter().map(|strike| format!("{}: {strike}", one.id)));
        }
        let step = name.to_owned();
        self.evidence.steps.push(StepEvidence {
            step,
            notes,
            comparisons,
            ..StepEvidence::default()
        });
    }
}

/// An input, as the client takes it.
fn named(input: InputName) -> Input {
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
                trail: answer.trail.iter().map(text::fallback).collect(),
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
                trail: error.trail.iter().map(text::fallback).collect(),
            });
        }
        None => {}
    }
    step
}
