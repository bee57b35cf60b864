//! The state of an attempt between its steps, and waiting for the client with faults injected on
//! the way.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use inference_wasm::client::machine::State;
use inference_wasm::client::registry::ModelVariant;
use tokio::time::Instant;

use super::injections::Injections;
use super::judge::{Bits, Memory};
use super::page::ClientPage;
use super::planned::INJECT;
use super::trace::TraceText;
use super::visit::Visit;
use crate::drive::browser::Browser;
use crate::drive::server::{ClientSite, Server};
use crate::judge::compare::{Comparison, Mismatch};
use crate::judge::golden::Traces;
use crate::judge::outcome::{Failed, Outcome};
use crate::judge::proof::RequestProof;
use crate::run::attempt::Attempt;
use crate::run::event::{Evidence, StepEvidence};
use crate::serve::variant_of;
use crate::spec::scenario::ClientScenario;

/// What an attempt at the client needs besides what every attempt needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientStage<'a> {
    /// The browser in which its page is opened.
    pub(crate) browser: &'a Browser,
    /// Serves the page.
    pub(crate) server: &'a Server,
    /// The server tier.
    pub(crate) tier: Option<&'a Router>,
    /// The golden traces.
    pub(crate) traces: &'a Traces,
}

/// How long the client may stand still in a state in which the step may not end.
const STILL: Duration = Duration::from_secs(20);

/// How long the client may take for its next action, except where its own deadlines allow more.
const LONGEST_STEP: Duration = Duration::from_mins(2);

/// How long a shim may take to report its injection.
pub(super) const PROVEN_WITHIN: Duration = Duration::from_secs(10);

/// The current step.
#[derive(Debug, Default)]
pub(super) struct Current {
    /// Its number, from 1.
    pub(super) step: usize,
    /// How often it has begun.
    pub(super) round: u32,
    /// Transitions of the visit before it.
    pub(super) mark: usize,
    /// Its request.
    pub(super) request: Option<u64>,
}

/// An attempt at the client.
pub(super) struct ClientRun<'a> {
    pub(super) attempt: Attempt<'a>,
    pub(super) stage: ClientStage<'a>,
    pub(super) scenario: &'a ClientScenario,
    pub(super) site: Arc<ClientSite>,
    pub(super) variant: ModelVariant,
    /// The name that the client stores under, new for each attempt, so that none finds what
    /// another one stored.
    pub(super) store: String,
    pub(super) page: Option<ClientPage<'a>>,
    pub(super) injections: Injections<'a>,
    pub(super) current: Current,
    pub(super) next_request: u64,
    /// The logits of each step's request.
    pub(super) bits: BTreeMap<usize, Bits>,
    /// What the first inspection of the current visit found.
    pub(super) memory: Option<Memory>,
    pub(super) requests: Vec<RequestProof>,
    pub(super) trace: TraceText,
    evidence: &'a mut Evidence,
    /// The end of the whole attempt.
    pub(super) ends: Instant,
}

impl<'a> ClientRun<'a> {
    pub(super) fn new(
        attempt: Attempt<'a>,
        stage: ClientStage<'a>,
        evidence: &'a mut Evidence,
    ) -> Result<Self, Failed> {
        const PHASE: &str = "read model";
        let cell = attempt.cell;
        let scenario = cell.client();
        let scenario = scenario
            .ok_or_else(|| Failed::trouble(PHASE, "the scenario is not one of the client"))?;
        let shard_bytes = u64::from(scenario.settings.shard_bytes);
        let (model, variant) = tokio::task::block_in_place(|| {
            let model = attempt.shelf.model(&cell.model.path, &cell.id.model, shard_bytes);
            let model = model.map_err(|error| Failed::trouble(PHASE, error))?;
            let variant = variant_of(&model).map_err(|error| Failed::trouble(PHASE, error))?;
            Ok::<_, Failed>((model, variant))
        })?;
        let tier = stage.tier.filter(|_| scenario.settings.has_server).cloned();
        let mut name = [0; 8];
        getrandom::fill(&mut name).map_err(|error| Failed::trouble(PHASE, error))?;
        let site = Arc::new(ClientSite::new(model, tier));
        Ok(Self {
            attempt,
            stage,
            scenario,
            site: site.clone(),
            variant,
            store: format!("tierproof-{}", hex::encode(name)),
            page: None,
            injections: Injections::new(scenario, stage.browser, site),
            current: Current::default(),
            next_request: 1,
            bits: BTreeMap::new(),
            memory: None,
            requests: Vec::new(),
            trace: TraceText::default(),
            evidence,
            ends: Instant::now() + cell.timeouts.attempt,
        })
    }

    /// A step begins, in its round from 1.
    pub(super) fn begin_step(&mut self, step: usize, round: u32, is_visit: bool) {
        let mark = self.page.as_ref().map_or(0, |page| page.visit.transitions.len());
        self.current = Current { step, round, mark, request: None };
        self.trace.begin_step(mark);
        self.injections.begin_step(is_visit);
    }

    /// Follows the page until `is_done`, injecting and ending the faults that are due on the way.
    /// `what` names the wait.
    pub(super) async fn follow(
        &mut self,
        what: &str,
        limit: Duration,
        mut is_done: impl FnMut(&Self) -> bool,
    ) -> Result<(), Failed> {
        let began = Instant::now();
        loop {
            while let Some(index) = self.due() {
                self.inject_by_driver(index).await?;
            }
            self.injections.release_due().await?;
            self.check_breaches()?;
            if is_done(self) {
                return Ok(());
            }
            let release = self.injections.next_release();
            let Some(page) = &mut self.page else {
                return Err(Failed::trouble(what, "no page is open"));
            };
            let phase = format!("{what}, in state `{}`", page.visit.state());
            let ends = began.max(page.active) + limit;
            if Instant::now() >= ends {
                return Err(Outcome::TimedOut { phase, limit }.into());
            }
            let until = release.map_or(ends, |release| release.min(ends));
            page.next(&phase, until).await?;
        }
    }

    /// The fault that the driver has to inject now.
    fn due(&self) -> Option<usize> {
        let visit = &self.page.as_ref()?.visit;
        let Current { step, mark, request, .. } = self.current;
        let asked = request.and_then(|id| visit.asked(id));
        let tokens = asked.map(|asked| asked.tokens.len());
        self.injections.due(step, visit, mark, tokens)
    }

    /// Has the driver inject a fault. After a crash of the tab, its visit is over.
    pub(super) async fn inject_by_driver(&mut self, index: usize) -> Result<(), Failed> {
        if self.injections.inject_by_driver(index).await? {
            self.end_visit();
        }
        Ok(())
    }

    /// Follows until the client enters a state, ignoring the first `after` transitions, or rests in
    /// a state that it does not leave by itself.
    pub(super) async fn follow_to(&mut self, state: State, after: usize) -> Result<(), Failed> {
        let entered = |run: &Self| {
            let visit = run.page.as_ref().map(|page| &page.visit);
            visit.is_some_and(|visit| {
                visit.entered(state, after) > 0 || state == State::New && visit.state() == state
            })
        };
        let is_stuck = |run: &Self| {
            run.page.as_ref().is_some_and(|page| {
                matches!(page.visit.state(), State::Server | State::Ready | State::Consent)
                    && page.active.elapsed() >= STILL
            })
        };
        // A heartbeat comes every second, so that standing still is noticed.
        let what = format!("wait for `{state}`");
        self.follow(&what, LONGEST_STEP, |run| entered(run) || is_stuck(run)).await?;
        if entered(self) {
            return Ok(());
        }
        let visit = self.page.as_ref().map(|page| &page.visit);
        let last = visit.and_then(|visit| visit.transitions.last());
        let found =
            last.map_or("nothing".to_owned(), |last| format!("{} ({})", last.to, last.reason));
        Err(self.mismatch("state of the client", state.as_str(), &found, String::new()))
    }

    /// Takes the events that have come already.
    pub(super) async fn drain(&mut self) -> Result<(), Failed> {
        if let Some(page) = &mut self.page {
            page.drain("step").await?;
        }
        self.check_breaches()
    }

    /// Arms the shims of the current step, or disarms them.
    pub(super) async fn arm_shims(&mut self, arm: bool) -> Result<(), Failed> {
        for index in self.injections.of_step(self.current.step) {
            if let Some(shim) = self.injections.shim(index)
                && let Some(page) = &mut self.page
            {
                page.trigger(&shim, serde_json::json!({ "arm": arm })).await?;
            }
        }
        Ok(())
    }

    /// Waits for the proofs of the current step's faults.
    pub(super) async fn prove_injections(&mut self) -> Result<(), Failed> {
        let step = self.current.step;
        let until = Instant::now() + PROVEN_WITHIN;
        self.collect_proofs();
        while self.injections.awaits_proof(step)
            && let Some(page) = &mut self.page
            && Instant::now() < until
        {
            let soon = until.min(Instant::now() + Duration::from_millis(200));
            page.next(INJECT, soon).await?;
            self.collect_proofs();
        }
        if self.injections.awaits_proof(step)
            && let Some(missing) = self.injections.missing(step)
        {
            return Err(missing.not_injected());
        }
        Ok(())
    }

    /// Names of the step's faults that were injected so far.
    pub(super) fn injected(&mut self) -> Vec<&'static str> {
        self.collect_proofs();
        self.injections.injected(self.current.step)
    }

    fn collect_proofs(&mut self) {
        if let Some(page) = &self.page {
            self.injections.collect(&page.visit);
        }
    }

    /// Puts the current visit into the trace, if there is one.
    pub(super) fn end_visit(&mut self) {
        if let Some(page) = self.page.take() {
            self.file_visit(&page.visit);
        }
    }

    /// Puts a visit that is over into the trace.
    pub(super) fn file_visit(&mut self, visit: &Visit) {
        let shards = self.site.model().manifest.shards.len();
        let traffic = self.site.network().traffic().clone();
        self.injections.collect(visit);
        self.trace.end_visit(visit, &traffic, shards);
    }

    /// Files the evidence of a step that asked for nothing, with the proofs of its faults.
    pub(super) fn file(
        &mut self,
        name: &str,
        mut notes: Vec<String>,
        comparisons: Vec<Comparison>,
    ) {
        notes.extend(self.injections.notes(self.current.step));
        let step = name.to_owned();
        self.record(StepEvidence { step, comparisons, notes, ..StepEvidence::default() });
    }

    /// Files the evidence of a step.
    pub(super) fn record(&mut self, evidence: StepEvidence) {
        self.evidence.steps.push(evidence);
    }

    fn check_breaches(&self) -> Result<(), Failed> {
        let breaches = self.page.as_ref().map_or(&[][..], |page| &page.visit.breaches);
        let Some(first) = breaches.first() else { return Ok(()) };
        let first = first.lines().next().unwrap_or_default();
        Err(self.mismatch("what must never happen", "nothing of it", first, breaches.join("\n")))
    }

    /// A failure of the current step.
    pub(super) fn mismatch(
        &self,
        what: &str,
        expected: &str,
        measured: &str,
        detail: String,
    ) -> Failed {
        let comparison = Comparison::Expectation {
            what: what.to_owned(),
            expected: expected.to_owned(),
            measured: measured.to_owned(),
        };
        let mismatch = Mismatch {
            place: format!("step {}", self.current.step),
            metric: what.to_owned(),
            measured: format!("`{measured}`"),
            allowed: format!("`{expected}`"),
            detail,
            comparison,
        };
        Box::new(mismatch).into()
    }
}
