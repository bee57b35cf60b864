//! Where a request runs: on the device, on the server, or nowhere yet.
//!
//! Whenever a request has no place, this module compares its needs with the state of the engine.
//! [`requests`](super::requests) handles what happens to it there.

use super::client::Client;
use super::flight::{Flight, Place};
use crate::client::router::{RoutingReason, RoutingRequest, route};
use crate::protocol::client::{
    ClientErrorKind, Effect, FallbackStep, Preference, Pressure, Reason, Request, Start, State,
    Tier,
};

/// The next place of a request.
enum Destination {
    Local,
    /// With the decision for it, if there was one.
    Server(Option<Reason>),
    Wait,
    Nowhere(Option<Reason>),
}

impl Client {
    /// Finds a place for a waiting request.
    pub(super) fn place(&mut self) {
        let Some(flight) = self.flight.as_ref().filter(|flight| flight.place == Place::Waiting)
        else {
            return;
        };
        match self.destination(flight) {
            Destination::Local => self.run(),
            Destination::Server(decision) => self.ask_server(decision),
            Destination::Wait => {
                // Otherwise the engine would not start before the page is idle.
                if self.state == State::New && self.config.start == Start::IdlePreload {
                    self.begin(Reason::Requested);
                    self.place();
                }
            }
            Destination::Nowhere(reason) => {
                let is_too_long = flight.refusal == Some(Reason::ContextOverflow);
                let kind = if is_too_long {
                    ClientErrorKind::ContextOverflow
                } else {
                    ClientErrorKind::NoTierLeft
                };
                self.fail(kind, reason);
            }
        }
    }

    fn destination(&self, flight: &Flight) -> Destination {
        // An interrupted local answer continues locally if possible.
        let continues_locally = flight.is_interrupted && flight.refusal.is_none();
        let policy =
            if continues_locally { None } else { flight.refusal.or_else(|| self.policy(flight)) };
        let is_allowed = self.config.start != Start::LocalOnly;
        let is_open = !self.breakers.clone().of(Tier::Server).try_begin(self.now_ms);
        let may_ask =
            is_allowed && flight.server_attempts < self.config.server_attempts && !is_open;
        let server_reason =
            flight.server_reason.or((is_allowed && is_open).then_some(Reason::BreakerOpen));
        let may_run = policy.is_none_or(|reason| {
            matches!(reason, Reason::RequestTooComplex | Reason::LowBattery | Reason::Thermal)
        });
        let last = self.trail.last().map(|step| step.reason);
        match policy {
            Some(reason) if may_ask => return Destination::Server(Some(reason)),
            Some(reason) if !may_run => {
                return Destination::Nowhere(server_reason.or(Some(reason)));
            }
            Some(_) | None => {}
        }
        if self.state == State::Ready {
            Destination::Local
        } else if self.is_starting() && (continues_locally || self.waits_for_engine() || !may_ask) {
            Destination::Wait
        } else if may_ask {
            // Without an engine, the trail has the reason already.
            Destination::Server(self.is_starting().then_some(Reason::NotReady))
        } else {
            Destination::Nowhere(server_reason.or(last))
        }
    }

    /// The rule that sends a request to the server, whatever the state of the engine.
    fn policy(&self, flight: &Flight) -> Option<Reason> {
        if self.preference == Preference::Never {
            return Some(Reason::UserPreference);
        }
        if self.preference == Preference::Auto && self.pressure >= Pressure::Serious {
            return Some(Reason::Thermal);
        }
        let mut capabilities = (**self.capabilities.as_ref()?).clone();
        capabilities.battery = self.battery;
        let Request { generate, prompt_length, complexity, capability, feature, .. } =
            &*flight.request;
        let request = RoutingRequest {
            capabilities,
            prompt_length: *prompt_length,
            max_tokens: generate.max_tokens,
            complexity: *complexity,
            capability: capability.clone(),
            feature: feature.clone(),
            preference: self.preference,
        };
        // Only the loaded model can answer.
        let is_up = matches!(self.state, State::Ready | State::Running | State::Stop);
        let registry = match &self.variant {
            Some(variant) if is_up => std::slice::from_ref(variant),
            _ => self.config.registry.as_slice(),
        };
        match route(&request, &self.config.router, registry).reason {
            RoutingReason::OptimalForBrowser => None,
            RoutingReason::BrowserInferenceDisabled => Some(Reason::BrowserInferenceDisabled),
            RoutingReason::UserPreference => Some(Reason::UserPreference),
            RoutingReason::InsufficientDeviceCapabilities => {
                Some(Reason::InsufficientDeviceCapabilities)
            }
            RoutingReason::RequestTooComplex => Some(Reason::RequestTooComplex),
            RoutingReason::NoCompatibleBrowserModel => Some(Reason::NoCompatibleBrowserModel),
            RoutingReason::LowBattery => Some(Reason::LowBattery),
        }
    }

    /// Runs the request on the device.
    fn run(&mut self) {
        let generation = self.device;
        let Some(flight) = &mut self.flight else { return };
        let begin =
            flight.begin(&(self.tier, self.variant.as_ref().map(|variant| variant.id.clone())));
        let reason = if flight.is_interrupted { Reason::Replayed } else { Reason::Requested };
        let was_at_server = flight.trail.last().is_some_and(|step| step.to == Tier::Server);
        if let Some(reason) = flight.server_reason.filter(|_| was_at_server) {
            flight.trail.push(FallbackStep { from: Tier::Server, to: self.tier, reason });
        }
        flight.place = Place::Local(generation);
        let (request, generate) = (flight.request.id, flight.request.generate.clone());
        self.enter(State::Running, reason);
        self.effects.push(Effect::Run { generation, request, generate, begin });
    }

    fn ask_server(&mut self, decision: Option<Reason>) {
        let generation = self.next_generation();
        // Makes an open breaker half-open, because this is its trial.
        self.breakers.of(Tier::Server).try_begin(self.now_ms);
        let Some(flight) = &mut self.flight else { return };
        if let Some(reason) = decision
            && flight.server_attempts == 0
            && self.tier != Tier::Server
        {
            flight.trail.push(FallbackStep { from: self.tier, to: Tier::Server, reason });
        }
        flight.place = Place::Server(generation);
        flight.server_attempts += 1;
        flight.server_deadline_ms =
            Some(self.now_ms.saturating_add(self.config.deadlines.server_ms));
        let (request, generate) = (flight.request.id, flight.request.generate.clone());
        let begin = flight.begin(&(Tier::Server, None));
        self.effects.push(Effect::AskServer { generation, request, generate, begin });
    }
}
