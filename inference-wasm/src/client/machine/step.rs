//! One step of the machine: expired deadlines, the input, and the work that follows from both.

use super::client::Client;
use crate::protocol::client::{
    Effect, Generation, Input, LocalEvent, Preference, Pressure, Reason, Start, State,
};

impl Client {
    /// Takes an input and returns the effects that follow.
    ///
    /// Expired deadlines take effect before the input. If the clock goes back, time stands still.
    pub fn step(&mut self, now_ms: u64, input: Input) -> Vec<Effect> {
        self.now_ms = self.now_ms.max(now_ms);
        self.expire();
        self.handle(input);
        self.settle();
        self.announce_deadline();
        std::mem::take(&mut self.effects)
    }

    fn handle(&mut self, input: Input) {
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
            Input::Preference { preference } => self.set_preference(preference),
            Input::Battery { battery } => self.battery = Some(battery),
            Input::Thermal { pressure } => self.set_pressure(pressure),
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
        self.has_device && self.device == generation || self.mutant.accepts_stale(event)
    }

    /// Handles an event of the device, depending on the state.
    fn local(&mut self, event: LocalEvent) {
        match (self.state, event) {
            (_, LocalEvent::DeviceLost { .. }) => self.lose(Reason::DeviceLost),
            (_, LocalEvent::Crashed) => self.fall_back(Reason::RuntimeCrash),
            (State::Device, LocalEvent::DeviceCreated) => self.device_created(),
            (State::Device, LocalEvent::DeviceFailed { failure }) => self.give_up(failure.into()),
            (State::Probe, LocalEvent::Probed { is_right: true }) => {
                self.inspect_storage(Reason::Probed);
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
            (State::Cache, LocalEvent::ShardStored { shard }) => self.shard_available(shard),
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
            // Late tokens of a run that is being stopped.
            (State::Stop, LocalEvent::Token { .. }) => {}
            (State::Stop, LocalEvent::Finished { .. } | LocalEvent::Failed { .. }) => {
                self.enter(State::Ready, Reason::Stopped);
            }
            (_, _) => self.stale(),
        }
    }

    /// Handles every expired deadline, the request's first.
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

    /// Retires an engine that is no longer wanted, and places a waiting request.
    fn settle(&mut self) {
        if self.state == State::Ready
            && let Some(reason) = self.veto()
        {
            self.retire(reason);
        }
        self.place();
    }

    fn set_preference(&mut self, preference: Preference) {
        self.preference = preference;
        let is_up = matches!(self.state, State::Ready | State::Running | State::Stop);
        if preference == Preference::Never {
            // A running answer is finished first; then `settle` retires the engine.
            if !is_up && !matches!(self.state, State::New | State::Server) {
                self.retire(Reason::UserPreference);
            }
        } else if self.state == State::Server
            && (self.retired == Some(Reason::UserPreference) || preference == Preference::Always)
        {
            self.restart(Reason::PreferenceChanged);
        }
    }

    fn set_pressure(&mut self, pressure: Pressure) {
        self.pressure = pressure;
        let is_engaged = !matches!(self.state, State::New | State::Server);
        if is_engaged && self.veto() == Some(Reason::Thermal) {
            self.retire(Reason::Thermal);
        } else if pressure <= Pressure::Fair && self.retired == Some(Reason::Thermal) {
            self.restart(Reason::CooledDown);
        }
    }
}
