//! The hybrid client as a state machine.
//!
//! [`Client::step`] takes what happened and when, and returns what is to be done. Two lives go on
//! side by side. The *engine* is brought up on the best tier that works, and brought up again
//! when its device is lost; if a tier does not do, the next one down the chain is tried, and the
//! server is the last. The *request*, one at a time, is placed where it can be answered best at
//! that moment, and moves on when that place fails.
//!
//! ```text
//! new ─► detect ─► classify ─► choose ─► device ─► probe ─► cache ─► load ─► ready ◄─► running
//!                                ▲ next tier │        │     ▲  ▼       │        │         │
//!                                └───────────┴────────┴─────consent────┤        │     stop│
//!                                                                      ▼        ▼         ▼
//!                 server ◄── no tier left, or a decision               recover ◄── device lost, hung
//! ```
//!
//! What holds, whatever comes:
//!
//! - Every request ends, with one answer or one typed error, by its deadline.
//! - A user sees each token once and in order. A replay is held against what was seen, and a
//!   difference is an error.
//! - Devices and attempts at the server have growing *generations*; what comes late from an old
//!   one is counted and ignored.
//! - Tiers are left downwards and one at a time, each step with its reason; by a decision at once
//!   for the server; upwards only for a reason that says so.
//! - A tier is trusted after its first dispatch, not before, and no weights are fetched for one
//!   that was not.
//!
//! The engine's part is in [`bring_up`], [`weights`] and [`recovery`], the request's in
//! [`placement`] and [`requests`]; this file has what they share: inputs, deadlines, transitions.

mod bring_up;
mod config;
mod effect;
mod fault;
mod flight;
mod input;
mod placement;
mod reason;
mod recovery;
mod requests;
mod trace;
mod weights;

use std::collections::BTreeSet;

pub use crate::protocol::LossReason;
pub use config::{Config, Deadlines, Enrolment, RecoveryLimits, Start};
pub use effect::{Begin, Effect};
pub use fault::ClientFault;
use fault::Faults;
use flight::Flight;
pub use input::{
    DeviceFailure, End, Generation, Input, LocalEvent, Pressure, Request, ServerEvent, Token,
};
pub use reason::Reason;
use recovery::Recovery;
pub use trace::{State, Trace, Transition};
use weights::Weights;

use super::breaker::Breakers;
use super::capability::{Battery, Capabilities};
use super::cohort::Arm;
use super::output::FallbackStep;
use super::registry::ModelVariant;
use super::router::Preference;
use super::tier::{Classification, Tier};

/// The hybrid client.
///
/// ```
/// use inference_wasm::client::machine::{Client, Config, Effect, Input, State};
///
/// let mut client = Client::new(Config::default());
/// let effects = client.step(0, Input::Start);
/// assert!(effects.contains(&Effect::Detect));
/// // The page never answers: the deadline passes, and nothing waits for ever.
/// client.step(5_000, Input::Tick);
/// assert_eq!(client.state(), State::Server);
/// assert_eq!(client.trace().to_string().lines().last(), Some("detect   -> server   server g0 detect-timeout"));
/// ```
#[derive(Debug, Clone)]
pub struct Client {
    config: Config,
    now_ms: u64,
    preference: Preference,
    pressure: Pressure,
    battery: Option<Battery>,
    arm: Option<Arm>,

    state: State,
    /// The state's own deadline.
    deadline_ms: Option<u64>,
    /// What the page was told last.
    announced_ms: Option<u64>,
    capabilities: Option<Box<Capabilities>>,
    classification: Option<Classification>,
    /// The tier that the engine is on, or tries.
    tier: Tier,
    /// The last one that was handed out, to a device or to an attempt at the server.
    generation: Generation,
    /// The last device's.
    device: Generation,
    /// That device has not been given up.
    has_device: bool,
    variant: Option<ModelVariant>,
    weights: Weights,
    /// Variants that have failed for good.
    excluded: BTreeSet<String>,
    /// Steps of the chain since the best tier was tried last.
    trail: Vec<FallbackStep>,
    /// Why there is no local engine, where that was decided.
    retired: Option<Reason>,
    recovery: Option<Recovery>,
    /// When devices of this tier were lost lately.
    losses_ms: Vec<u64>,
    breakers: Breakers,

    flight: Option<Flight>,
    /// Events of old generations, and others that nothing waited for, since the last record.
    stale_events: u32,
    trace: Trace,
    effects: Vec<Effect>,
    faults: Faults,
}

impl Client {
    /// A client that has not started. The arm of an experiment is drawn here, before anything is
    /// known or fetched.
    pub fn new(config: Config) -> Self {
        let arm = config
            .experiment
            .as_ref()
            .and_then(|enrolment| enrolment.experiment.assign(&enrolment.visitor))
            .cloned();
        Self {
            now_ms: 0,
            preference: config.preference,
            pressure: Pressure::default(),
            battery: None,
            arm,
            state: State::New,
            deadline_ms: None,
            announced_ms: None,
            capabilities: None,
            classification: None,
            tier: Tier::Webgpu,
            generation: 0,
            device: 0,
            has_device: false,
            variant: None,
            weights: Weights::default(),
            excluded: BTreeSet::new(),
            trail: Vec::new(),
            retired: None,
            recovery: None,
            losses_ms: Vec::new(),
            breakers: config.breakers.clone(),
            flight: None,
            stale_events: 0,
            trace: Trace::default(),
            effects: Vec::new(),
            faults: Faults::new(&config),
            config,
        }
    }

    /// Takes what happened, and says what is to be done.
    ///
    /// Deadlines that have passed count before the input does. A clock that goes back stands
    /// still.
    pub fn step(&mut self, now_ms: u64, input: Input) -> Vec<Effect> {
        self.now_ms = self.now_ms.max(now_ms);
        self.expire();
        self.take(input);
        self.settle();
        self.announce_deadline();
        std::mem::take(&mut self.effects)
    }

    /// What the engine is at.
    pub fn state(&self) -> State {
        self.state
    }

    /// The tier that the engine is on, or tries.
    pub fn tier(&self) -> Tier {
        self.tier
    }

    /// The variant that was chosen last.
    pub fn variant(&self) -> Option<&ModelVariant> {
        self.variant.as_ref()
    }

    /// The arm of the experiment that the visitor is in.
    pub fn arm(&self) -> Option<&Arm> {
        self.arm.as_ref()
    }

    /// The breakers, to be kept for the next visit.
    pub fn breakers(&self) -> &Breakers {
        &self.breakers
    }

    /// How it came here.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Start if self.state == State::New => {
                if self.config.start != Start::IdlePreload {
                    self.begin(Reason::Started);
                }
            }
            Input::Idle if self.state == State::New => self.begin(Reason::Idle),
            Input::Detected { capabilities } if self.state == State::Detect => {
                self.detected(capabilities);
            }
            Input::Consent { given } if self.state == State::Consent => self.consented(given),
            Input::Local { generation, event } if self.is_current(generation, &event) => {
                self.local(event);
            }
            Input::Server { generation, event }
                if self.flight.as_ref().is_some_and(|flight| flight.is_at_server(generation)) =>
            {
                self.server(event);
            }
            Input::Request { request } => self.request(request),
            Input::Cancel { request } => self.cancel(request),
            Input::Preference { preference } => self.prefer(preference),
            Input::Battery { battery } => self.battery = Some(battery),
            Input::Thermal { pressure } => self.heat(pressure),
            Input::Retry if self.state == State::Server => {
                self.excluded.clear();
                self.restart(Reason::Retried);
            }
            Input::Start | Input::Idle | Input::Retry | Input::Tick => {}
            Input::Detected { .. }
            | Input::Consent { .. }
            | Input::Local { .. }
            | Input::Server { .. } => {
                self.stale();
            }
        }
    }

    fn is_current(&self, generation: Generation, event: &LocalEvent) -> bool {
        self.has_device && self.device == generation || self.faults.accepts_stale(event)
    }

    /// What a device or the engine on it reports, given what is waited for.
    fn local(&mut self, event: LocalEvent) {
        match (self.state, event) {
            (_, LocalEvent::DeviceLost { .. }) => self.lose(Reason::DeviceLost),
            (_, LocalEvent::Crashed) => self.fall(Reason::RuntimeCrash),
            (State::Device, LocalEvent::DeviceCreated) => self.device_created(),
            (State::Device, LocalEvent::DeviceFailed { failure }) => self.give_up(failure.into()),
            (State::Probe, LocalEvent::Probed { is_right: true }) => {
                self.look_into_storage(Reason::Probed);
            }
            (State::Probe, LocalEvent::Probed { is_right: false }) => {
                self.give_up(Reason::ProbeFailed);
            }
            (State::Cache, LocalEvent::Inspected { stored }) => self.inspected(&stored),
            (State::Cache, LocalEvent::ShardVerified { shard, is_intact }) => {
                self.shard_verified(shard, is_intact);
            }
            (State::Cache, LocalEvent::ShardProgress { shard, bytes }) => {
                self.shard_progress(shard, bytes);
            }
            (State::Cache, LocalEvent::ShardStored { shard }) => self.shard_is_there(shard),
            (State::Cache, LocalEvent::ShardFailed { shard, kind, kept_bytes }) => {
                self.shard_failed(shard, kind, kept_bytes);
            }
            (State::Cache, LocalEvent::StoreFailed { shard, trouble }) => {
                self.store_failed(shard, &trouble);
            }
            (State::Load, LocalEvent::Loaded { versions }) => self.loaded(&versions),
            (State::Load, LocalEvent::LoadFailed { kind }) => self.load_failed(kind),
            (_, LocalEvent::Token { request, token }) if self.is_running(request) => {
                self.local_token(token);
            }
            (_, LocalEvent::Finished { request, end }) if self.is_running(request) => {
                self.local_finished(end);
            }
            (_, LocalEvent::Failed { request, kind }) if self.is_running(request) => {
                self.local_failed(kind);
            }
            // Nobody waits for its tokens any more, but for its end.
            (State::Stop, LocalEvent::Token { .. }) => {}
            (State::Stop, LocalEvent::Finished { .. } | LocalEvent::Failed { .. }) => {
                self.enter(State::Ready, Reason::Stopped);
            }
            (_, _) => self.stale(),
        }
    }

    /// Acts on every deadline that has passed, the request's first.
    fn expire(&mut self) {
        let now_ms = self.now_ms;
        let is_due = |at: Option<u64>| at.is_some_and(|at| at <= now_ms);
        let flight = self.flight.as_ref();
        if is_due(flight.map(|flight| flight.deadline_ms)) {
            self.request_expired();
        } else if is_due(flight.and_then(|flight| flight.server_deadline_ms)) {
            self.server_failed(Reason::ServerTimeout);
        }
        if is_due(self.deadline_ms) {
            self.state_expired();
        }
        if is_due(self.trial_ms()) {
            self.restart(Reason::BreakerHalfOpen);
        }
    }

    fn state_expired(&mut self) {
        match self.state {
            State::Detect => self.retire(Reason::DetectTimeout),
            State::Device | State::Probe => self.give_up(Reason::Hung),
            State::Cache => self.storage_expired(),
            State::Consent => self.retire(Reason::ConsentTimeout),
            State::Load => self.give_up(Reason::LoadTimeout),
            State::Running | State::Stop => self.lose(Reason::Hung),
            State::Recover => self.create_device(Reason::FreshDevice),
            State::New | State::Classify | State::Choose | State::Ready | State::Server => {
                self.deadline_ms = None;
            }
        }
    }

    /// When a tier whose breaker is open may be tried again; while there is an engine, never.
    fn trial_ms(&self) -> Option<u64> {
        if self.state != State::Server || self.retired.is_some() || self.veto().is_some() {
            return None;
        }
        self.breakers.next_trial_ms()
    }

    /// Acts on what a step has left open: an engine that is not wanted any more, and a request
    /// that has no place.
    fn settle(&mut self) {
        if self.state == State::Ready
            && let Some(reason) = self.veto()
        {
            self.retire(reason);
        }
        self.place();
    }

    /// Why there is to be no local engine at all.
    fn veto(&self) -> Option<Reason> {
        if !self.config.router.enable_browser_inference {
            Some(Reason::BrowserInferenceDisabled)
        } else if self.preference == Preference::Never {
            Some(Reason::UserPreference)
        } else if self.pressure == Pressure::Critical && self.config.start != Start::LocalOnly {
            Some(Reason::Thermal)
        } else {
            None
        }
    }

    fn prefer(&mut self, preference: Preference) {
        self.preference = preference;
        let is_up = matches!(self.state, State::Ready | State::Running | State::Stop);
        if preference == Preference::Never {
            // A running answer is finished first; `settle` sees to it then.
            if !is_up && !matches!(self.state, State::New | State::Server) {
                self.retire(Reason::UserPreference);
            }
        } else if self.state == State::Server
            && (self.retired == Some(Reason::UserPreference) || preference == Preference::Always)
        {
            self.restart(Reason::PreferenceChanged);
        }
    }

    fn heat(&mut self, pressure: Pressure) {
        self.pressure = pressure;
        let is_engaged = !matches!(self.state, State::New | State::Server);
        if is_engaged && self.veto() == Some(Reason::Thermal) {
            self.retire(Reason::Thermal);
        } else if pressure <= Pressure::Fair && self.retired == Some(Reason::Thermal) {
            self.restart(Reason::CooledDown);
        }
    }

    /// Changes the state, says so, and sets its deadline.
    fn enter(&mut self, to: State, reason: Reason) {
        let transition = Transition {
            at_ms: self.now_ms,
            from: self.state,
            to,
            tier: self.tier,
            generation: self.device,
            reason,
        };
        self.trace.push(transition);
        self.effects.push(Effect::Transition { transition });
        self.state = to;
        let limits = &self.config.deadlines;
        let limit = match to {
            State::Detect => Some(limits.detect_ms),
            State::Device => Some(limits.device_ms),
            State::Probe => Some(limits.probe_ms),
            State::Cache => Some(limits.inspect_ms),
            State::Consent => Some(limits.consent_ms),
            State::Load => Some(limits.load_ms),
            State::Running => Some(limits.first_token_ms),
            State::Stop => Some(limits.stop_ms),
            State::Recover => Some(self.pause_ms()),
            State::New | State::Classify | State::Choose | State::Ready | State::Server => None,
        };
        self.limit(limit);
    }

    /// The state ends that long from now at the latest.
    fn limit(&mut self, limit_ms: Option<u64>) {
        self.deadline_ms = limit_ms.map(|limit| self.now_ms.saturating_add(limit));
    }

    fn next_generation(&mut self) -> Generation {
        self.generation += 1;
        self.generation
    }

    fn stale(&mut self) {
        self.stale_events = self.stale_events.saturating_add(1);
    }

    fn announce_deadline(&mut self) {
        let flight = self.flight.as_ref();
        let next = [
            self.deadline_ms,
            flight.map(|flight| flight.deadline_ms),
            flight.and_then(|flight| flight.server_deadline_ms),
            self.trial_ms(),
        ];
        let next = next.into_iter().flatten().min();
        if next != self.announced_ms {
            self.announced_ms = next;
            self.effects.push(Effect::SetDeadline { at_ms: next });
        }
    }
}

#[cfg(test)]
mod tests;
