//! The steps of a client's scenario, one after the other.

use std::time::Duration;

use inference_wasm::client::capability::Battery;
use inference_wasm::client::machine::Input;
use inference_wasm::protocol::{ClientAction, ClientStart, Finished};
use serde_json::json;
use tokio::time::Instant;

use super::faults::Planned;
use super::judge::{self, Memory};
use super::request::GRACE;
use super::strikes::STRIKES_WITHIN;
use super::{Drive, FROZEN, Run, faults, offer, text};
use crate::judge::compare::Comparison;
use crate::judge::outcome::Outcome;
use crate::run::conversation::outcome_of;
use crate::run::event::StepEvidence;
use crate::run::executor::Attempt;
use crate::run::seeded::Seeded;
use crate::spec::fault::{FaultPhase, Means};
use crate::spec::scenario::{ClientStep, Inject, InputName, InputStep, Inspect, Visit, Wait};

impl Run<'_> {
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

    pub(super) async fn drain(&mut self) -> Result<(), Box<Outcome>> {
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
            comparisons,
            notes,
            ..StepEvidence::default()
        });
    }
}

/// An input, as the client takes it.
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
