//! The state of the hybrid client, and the operations that every part of the machine uses.

use std::collections::BTreeSet;

use super::flight::Flight;
use super::mutant::Mutant;
use super::trace::Trace;
use super::weights::Weights;
use crate::client::tier::Classification;
use crate::protocol::client::{
    Arm, Battery, Breakers, Capabilities, Config, Effect, FallbackStep, Generation, ModelVariant,
    Preference, Pressure, Reason, Start, State, Tier, Transition,
};

/// The hybrid client.
///
/// ```
/// use inference_wasm::client::machine::{Client, Config, Effect, Input, State};
///
/// let mut client = Client::new(Config::default());
/// let effects = client.step(0, Input::Start);
/// assert!(effects.contains(&Effect::Detect));
/// // The page never answers: the deadline passes, and the client goes on without it.
/// client.step(5_000, Input::Tick);
/// assert_eq!(client.state(), State::Server);
/// assert_eq!(client.trace().to_string().lines().last(), Some("detect   -> server   server g0 detect-timeout"));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Client {
    pub(super) config: Config,
    pub(super) now_ms: u64,
    pub(super) preference: Preference,
    pub(super) pressure: Pressure,
    pub(super) battery: Option<Battery>,
    pub(super) arm: Option<Arm>,

    pub(super) state: State,
    /// The deadline of the state.
    pub(super) deadline_ms: Option<u64>,
    /// The deadline that the page knows.
    pub(super) announced_ms: Option<u64>,
    pub(super) capabilities: Option<Box<Capabilities>>,
    pub(super) classification: Option<Classification>,
    /// The tier that the engine runs on or tries.
    pub(super) tier: Tier,
    /// The latest generation, of a device or an attempt at the server.
    pub(super) generation: Generation,
    /// The latest device's generation.
    pub(super) device: Generation,
    /// That device was not abandoned.
    pub(super) has_device: bool,
    pub(super) variant: Option<ModelVariant>,
    pub(super) weights: Weights,
    /// Variants that have failed on this device.
    pub(super) excluded: BTreeSet<String>,
    /// Fallbacks since the best tier was last tried.
    pub(super) trail: Vec<FallbackStep>,
    /// The decision against a local engine, if there was one.
    pub(super) retired: Option<Reason>,
    pub(super) recovery: Option<Recovery>,
    /// Times of recent losses of devices of this tier.
    pub(super) losses_ms: Vec<u64>,
    pub(super) breakers: Breakers,

    pub(super) flight: Option<Flight>,
    /// Ignored events since the last record: of old generations, or unexpected in the state.
    pub(super) stale_events: u32,
    pub(super) trace: Trace,
    pub(super) effects: Vec<Effect>,
    pub(super) mutant: Mutant,
}

/// A device that is being replaced.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recovery {
    /// The time of the first loss in a row.
    pub(super) since_ms: u64,
    /// The reason of the latest loss.
    pub(super) reason: Reason,
}

impl Client {
    /// A client that has not started. The arm of an experiment is assigned here, before anything is
    /// detected or fetched.
    pub fn new(config: Config) -> Self {
        let arm = config
            .experiment
            .as_ref()
            .and_then(|enrolment| enrolment.experiment.assign(&enrolment.visitor))
            .cloned();
        Self {
            preference: config.preference,
            arm,
            breakers: config.breakers.clone(),
            mutant: Mutant::new(&config),
            config,
            ..Self::default()
        }
    }

    /// The state of the engine.
    pub fn state(&self) -> State {
        self.state
    }

    /// The tier that the engine runs on or tries.
    pub fn tier(&self) -> Tier {
        self.tier
    }

    /// The variant that was last chosen.
    pub fn variant(&self) -> Option<&ModelVariant> {
        self.variant.as_ref()
    }

    /// The visitor's arm of the experiment.
    pub fn arm(&self) -> Option<&Arm> {
        self.arm.as_ref()
    }

    /// The breakers, to keep for the next visit.
    pub fn breakers(&self) -> &Breakers {
        &self.breakers
    }

    /// The transitions so far.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// When an open breaker allows a trial; `None` while there is an engine.
    pub(super) fn trial_ms(&self) -> Option<u64> {
        if self.state != State::Server || self.retired.is_some() || self.veto().is_some() {
            return None;
        }
        self.breakers.next_trial_ms()
    }

    /// The reason against a local engine, if there is one.
    pub(super) fn veto(&self) -> Option<Reason> {
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

    /// Changes the state, records the transition and sets the deadline of the new state.
    pub(super) fn enter(&mut self, to: State, reason: Reason) {
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

    /// The pause before the next replacement: none before the first, then doubling.
    pub(super) fn pause_ms(&self) -> u64 {
        match self.losses_ms.len() {
            0 | 1 => 0,
            losses => self.config.recovery.pause_ms.saturating_mul(1 << (losses - 2).min(16)),
        }
    }

    /// Sets the deadline of the state, relative to now.
    pub(super) fn limit(&mut self, limit_ms: Option<u64>) {
        self.deadline_ms = limit_ms.map(|limit| self.now_ms.saturating_add(limit));
    }

    pub(super) fn next_generation(&mut self) -> Generation {
        self.generation += 1;
        self.generation
    }

    pub(super) fn stale(&mut self) {
        self.stale_events = self.stale_events.saturating_add(1);
    }

    pub(super) fn announce_deadline(&mut self) {
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
