//! One attempt at a cell of the hybrid client: opens its page, does what the scenario says, and
//! judges what the user got.
//!
//! It ends with the first thing that is wrong. A fault that was planned and did not strike is
//! trouble of our own, whatever the client did. Launching, retrying and reporting are its
//! caller's.

#![expect(
    clippy::unnecessary_box_returns,
    reason = "the errors of `Result`s, where an outcome is boxed"
)]

mod drive;
mod faults;
mod fold;
mod judge;
mod offer;
mod request;
mod steps;
mod strikes;
mod text;
mod visit;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use inference_wasm::client::machine::State;
use inference_wasm::client::registry::ModelVariant;
use tokio::time::Instant;

use super::conversation::outcome_of;
use super::event::Evidence;
use super::executor::Attempt;
use crate::drive::browser::Browser;
use crate::drive::server::{ClientSite, Server};
use crate::judge::compare::{Comparison, Mismatch};
use crate::judge::golden::{Compared, Traces};
use crate::judge::outcome::Outcome;
use crate::judge::proof::{ClientProof, Proof, RequestProof};
use crate::serve::variant_of;
use crate::spec::fault::DriverFault;
use crate::spec::scenario::{ClientScenario, ClientStep, course};
use drive::Drive;
use faults::Planned;
use judge::{Bits, Memory};

/// What an attempt at the client needs besides what every attempt does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientStage<'a> {
    /// Where its page is opened.
    pub(crate) browser: &'a Browser,
    /// What serves it.
    pub(crate) server: &'a Server,
    /// The server tier.
    pub(crate) tier: Option<&'a Router>,
    /// What its trace is held against.
    pub(crate) traces: &'a Traces,
}

/// How long a client may stand still in a state that it is not to end in.
const STILL: Duration = Duration::from_secs(20);

/// How long the client may take to do the next thing, where the matrix gives it longer than that
/// in no state of its own.
const LONGEST_STEP: Duration = Duration::from_mins(2);

/// How long a tab is frozen, where the plan does not say.
const FROZEN: Duration = Duration::from_secs(2);

/// Carries out the scenario. What was seen is there whatever the outcome.
pub(crate) async fn execute(
    attempt: Attempt<'_>,
    stage: ClientStage<'_>,
    progress: &mut dyn FnMut(String),
) -> (Outcome, Evidence) {
    let mut evidence = Evidence::default();
    let outcome = match Run::new(attempt, stage, progress, &mut evidence) {
        Ok(mut run) => {
            let done = run.carry_out().await;
            run.undo_all().await;
            match done {
                Ok(proof) => match run.close().await {
                    Ok(()) => Outcome::Pass { proof: Box::new(Proof::Client(proof)) },
                    Err(outcome) => *outcome,
                },
                Err(outcome) => *outcome,
            }
        }
        Err(outcome) => *outcome,
    };
    (outcome, evidence)
}

/// A fault of the driver's that has to be ended.
#[derive(Debug, Clone, Copy)]
struct Held {
    fault: DriverFault,
    /// `None`: at the end of the attempt.
    until: Option<Instant>,
}

struct Run<'a> {
    attempt: Attempt<'a>,
    stage: ClientStage<'a>,
    scenario: &'a ClientScenario,
    progress: &'a mut dyn FnMut(String),
    evidence: &'a mut Evidence,
    site: Arc<ClientSite>,
    variant: ModelVariant,
    /// The name that the client stores under: an attempt finds nothing of another.
    store: String,
    drive: Option<Drive<'a>>,
    /// Visits so far.
    visits: usize,
    planned: Vec<Planned>,
    held: Vec<Held>,
    /// Transitions of the visit before the step at hand.
    mark: usize,
    /// Where the steps of the visit at hand began in its transitions.
    marks: Vec<usize>,
    /// The step at hand, from 1.
    step: usize,
    /// How often it was its turn.
    round: u32,
    /// The request of the step at hand.
    request: Option<u64>,
    next_request: u64,
    bits: BTreeMap<usize, Bits>,
    /// As the first inspection of the visit at hand found it.
    memory: Option<Memory>,
    requests: Vec<RequestProof>,
    /// The trace: of the visit at hand what each step came to, and everything before.
    step_texts: Vec<String>,
    text: String,
    ends: Instant,
}

impl<'a> Run<'a> {
    fn new(
        attempt: Attempt<'a>,
        stage: ClientStage<'a>,
        progress: &'a mut dyn FnMut(String),
        evidence: &'a mut Evidence,
    ) -> Result<Self, Box<Outcome>> {
        let trouble = |message: String| {
            Box::new(Outcome::Infrastructure { phase: "read model".to_owned(), message })
        };
        let scenario = attempt.scenario.client.as_deref();
        let scenario =
            scenario.ok_or_else(|| trouble("the scenario is not one of the client".to_owned()))?;
        let shard_bytes = u64::from(scenario.settings.shard_bytes);
        let (model, variant) = tokio::task::block_in_place(|| {
            let model = attempt.shelf.model(attempt.model, &attempt.cell.model, shard_bytes);
            let model = model.map_err(|error| error.to_string())?;
            let variant = variant_of(&model).map_err(|error| error.to_string())?;
            Ok((model, variant))
        })
        .map_err(trouble)?;
        let tier = stage.tier.filter(|_| scenario.settings.has_server).cloned();
        let mut name = [0; 8];
        getrandom::fill(&mut name).map_err(|error| trouble(error.to_string()))?;
        Ok(Self {
            attempt,
            stage,
            scenario,
            progress,
            evidence,
            site: Arc::new(ClientSite::new(model, tier)),
            variant,
            store: format!("tierproof-{}", hex::encode(name)),
            drive: None,
            visits: 0,
            planned: faults::planned(scenario),
            held: Vec::new(),
            mark: 0,
            marks: Vec::new(),
            step: 0,
            round: 0,
            request: None,
            next_request: 1,
            bits: BTreeMap::new(),
            memory: None,
            requests: Vec::new(),
            step_texts: Vec::new(),
            text: String::new(),
            ends: Instant::now() + attempt.matrix.timeouts.attempt,
        })
    }

    async fn carry_out(&mut self) -> Result<ClientProof, Box<Outcome>> {
        self.prove_launch()?;
        for turn in course(&self.scenario.steps) {
            (self.step, self.round) = (turn.number, turn.round);
            let again = if turn.round > 1 { format!(" #{}", turn.round) } else { String::new() };
            let name = format!("{} {}{again}", turn.number, turn.step.name());
            (self.progress)(name.clone());
            self.mark = self.drive.as_ref().map_or(0, |drive| drive.visit.transitions.len());
            self.marks.push(self.mark);
            self.request = None;
            let is_visit = matches!(turn.step, ClientStep::Visit(_));
            let here = self.planned.iter_mut().filter(|one| one.step > 0 || is_visit);
            here.for_each(Planned::begin_step);
            let done = self.one_step(&name, turn.step).await;
            done.map_err(|outcome| Box::new(outcome.in_step(&name)))?;
        }
        self.end_visit();
        if let Some(one) = self.planned.iter().find(|one| one.strikes.is_empty()) {
            return Err(did_not_strike(one));
        }
        self.hold_against_golden()?;
        let faults = self.planned.iter().filter_map(faults::proof).collect();
        let requests = std::mem::take(&mut self.requests);
        ClientProof::new(requests, faults)
            .map_err(|missing| Box::new(Outcome::BackendMismatch(missing)))
    }

    /// Follows the page until `is_done`, ending what is due on the way. `what` names the wait.
    async fn follow(
        &mut self,
        what: &str,
        limit: Duration,
        mut is_done: impl FnMut(&Self) -> bool,
    ) -> Result<(), Box<Outcome>> {
        let began = Instant::now();
        loop {
            self.strike_due().await?;
            self.release_due().await?;
            if let Some(drive) = &self.drive
                && !drive.visit.breaches.is_empty()
            {
                return Err(self.breach());
            }
            if is_done(self) {
                return Ok(());
            }
            let Some(drive) = &mut self.drive else {
                let message = "no page is open".to_owned();
                return Err(Box::new(Outcome::Infrastructure { phase: what.to_owned(), message }));
            };
            let state = drive.visit.state();
            let ends = began.max(drive.stirred) + limit;
            if Instant::now() >= ends {
                let phase = format!("{what}, in state `{state}`");
                return Err(Box::new(Outcome::TimedOut { phase, limit }));
            }
            let held = self.held.iter().filter_map(|held| held.until).min();
            let until = held.map_or(ends, |held| held.min(ends));
            let phase = format!("{what}, in state `{state}`");
            drive.next(&phase, until).await?;
        }
    }

    /// Follows until a state is entered, or the client stands still in one that is final.
    async fn follow_to(&mut self, state: State, behind: usize) -> Result<(), Box<Outcome>> {
        let entered = |run: &Self| {
            let visit = run.drive.as_ref().map(|drive| &drive.visit);
            visit.is_some_and(|visit| {
                visit.entered(state, behind) > 0 || state == State::New && visit.state() == state
            })
        };
        let is_stuck = |run: &Self| {
            run.drive.as_ref().is_some_and(|drive| {
                matches!(drive.visit.state(), State::Server | State::Ready | State::Consent)
                    && drive.stirred.elapsed() >= STILL
            })
        };
        // A heartbeat comes every second, so that standing still is noticed.
        let what = format!("wait for `{state}`");
        self.follow(&what, LONGEST_STEP, |run| entered(run) || is_stuck(run)).await?;
        if entered(self) {
            return Ok(());
        }
        let visit = self.drive.as_ref().map(|drive| &drive.visit);
        let last = visit.and_then(|visit| visit.transitions.last());
        let found =
            last.map_or("nothing".to_owned(), |last| format!("{} ({})", last.to, last.reason));
        Err(self.mismatch("state of the client", state.as_str(), &found, String::new()))
    }

    async fn close(&mut self) -> Result<(), Box<Outcome>> {
        self.drive = None;
        let left = self.stage.browser.session().about_blank().await;
        left.map_err(|trouble| outcome_of(&trouble))
    }

    /// Files the visit at hand, if there is one.
    fn end_visit(&mut self) {
        if let Some(drive) = self.drive.take() {
            self.file_visit(&drive.abandon());
        }
    }

    fn file_visit(&mut self, visit: &visit::Visit) {
        let shards = self.site.model().manifest.shards.len();
        let traffic = self.site.network().traffic().clone();
        self.look_for_strikes(visit);
        let marks = std::mem::take(&mut self.marks);
        self.text.push_str(&text::visit(self.visits, visit, &marks, &traffic, shards));
        self.text.push_str(&fold::fold(&std::mem::take(&mut self.step_texts)));
    }

    fn hold_against_golden(&mut self) -> Result<(), Box<Outcome>> {
        let cell = self.attempt.cell;
        let place = (cell.browser, cell.backend);
        let compared = self.stage.traces.compare(&cell.scenario, place, &self.text);
        match compared.map_err(|error| infrastructure(error.to_string()))? {
            Compared::Same => Ok(()),
            Compared::Different { what, detail } => {
                Err(self.mismatch("trace", "the golden trace", &what, detail))
            }
        }
    }

    fn breach(&self) -> Box<Outcome> {
        let breaches = self.drive.as_ref().map(|drive| drive.visit.breaches.join("\n"));
        let breaches = breaches.unwrap_or_default();
        let first = breaches.lines().next().unwrap_or_default().to_owned();
        self.mismatch("what must never happen", "nothing of it", &first, breaches)
    }

    fn mismatch(&self, what: &str, expected: &str, measured: &str, detail: String) -> Box<Outcome> {
        let comparison = Comparison::Expectation {
            what: what.to_owned(),
            expected: expected.to_owned(),
            measured: measured.to_owned(),
        };
        Box::new(Outcome::Mismatch(Box::new(Mismatch {
            place: format!("step {}", self.step),
            metric: what.to_owned(),
            measured: format!("`{measured}`"),
            allowed: format!("`{expected}`"),
            detail,
            comparison,
        })))
    }
}

fn infrastructure(message: String) -> Box<Outcome> {
    Box::new(Outcome::Infrastructure { phase: "inject fault".to_owned(), message })
}

fn did_not_strike(one: &Planned) -> Box<Outcome> {
    let name = one.plan.fault.as_str();
    infrastructure(format!("nothing shows that `{name}` struck at `{}`", one.plan.at.as_str()))
}
