//! The request: its events where it runs, and its end.

use super::client::Client;
use super::flight::{Flight, Origin, Place};
use crate::client::cache::CachePlan;
use crate::protocol::client::{
    Answer, AnswerTimings, ClientError, ClientErrorKind, Effect, End, Reason, Request, ServerEvent,
    State, TELEMETRY_VERSION, TelemetryRecord, Tier, Token, Usage,
};
use crate::protocol::{EngineErrorKind, FinishReason};

impl Client {
    /// Accepts a request. While another is in flight, it is refused and changes nothing.
    pub(super) fn request(&mut self, request: Box<Request>) {
        let limit_ms = self.config.deadlines.request_ms;
        let flight = Flight::new(request, self.now_ms, limit_ms, self.trail.clone());
        match &self.flight {
            None => self.flight = Some(flight),
            Some(current) if current.request.id == flight.request.id => self.stale(),
            Some(_) => self.report_failure(&flight, ClientErrorKind::Busy, None),
        }
    }

    /// Whether the device runs this request.
    pub(super) fn is_running(&self, request: u64) -> bool {
        self.flight.as_ref().is_some_and(|flight| {
            flight.request.id == request
                && (self.state == State::Running || self.mutant.accepts_any_state())
        })
    }

    pub(super) fn local_token(&mut self, token: Token) {
        let origin = (self.tier, self.variant.as_ref().map(|variant| variant.id.clone()));
        if self.state == State::Running {
            self.limit(Some(self.config.deadlines.token_ms));
        }
        if let Err(kind) = self.accept(token, origin) {
            self.fail(kind, None);
        }
    }

    /// Shows a new token to the user.
    fn accept(&mut self, token: Token, origin: Origin) -> Result<(), ClientErrorKind> {
        let now_ms = self.now_ms;
        let Some(flight) = &mut self.flight else { return Ok(()) };
        let is_new = flight.check(&token)?;
        let request = flight.request.id;
        let is_shown = self.mutant.on_token(is_new, flight.is_interrupted, &token);
        if is_new {
            flight.record_token(token.clone(), origin, now_ms);
        }
        if is_shown {
            self.effects.push(Effect::EmitToken { request, token });
        }
        Ok(())
    }

    pub(super) fn local_finished(&mut self, end: End) {
        let Some(flight) = &self.flight else { return };
        if let Err(kind) = flight.check_end(end.tokens) {
            self.fail_idle(kind, None);
            self.enter(State::Ready, Reason::RequestFailed);
        } else {
            self.breakers.of(self.tier).succeed();
            self.finish(end, self.tier, None);
            self.enter(State::Ready, Reason::Answered);
        }
    }

    pub(super) fn local_failed(&mut self, kind: EngineErrorKind) {
        match kind {
            EngineErrorKind::DeviceLost => self.lose(Reason::DeviceLost),
            EngineErrorKind::OutOfMemory => self.fall_back(Reason::OutOfMemory),
            EngineErrorKind::GpuError => self.fall_back(Reason::GpuError),
            EngineErrorKind::ContextOverflow => {
                if let Some(flight) = &mut self.flight {
                    flight.refusal = Some(Reason::ContextOverflow);
                    flight.place = Place::Waiting;
                }
                self.enter(State::Ready, Reason::RequestFailed);
            }
            EngineErrorKind::InvalidRequest | EngineErrorKind::ChatTemplate => {
                self.fail_idle(ClientErrorKind::InvalidRequest, None);
                self.enter(State::Ready, Reason::RequestFailed);
            }
            EngineErrorKind::ShardUnavailable
            | EngineErrorKind::ShardTruncated
            | EngineErrorKind::ShardCorrupt
            | EngineErrorKind::InvalidModel
            | EngineErrorKind::UnsupportedModel
            | EngineErrorKind::BackendUnavailable => self.fall_back(Reason::RuntimeCrash),
        }
    }

    pub(super) fn server(&mut self, event: ServerEvent) {
        match event {
            ServerEvent::Token { token } => {
                let limit_ms = self.config.deadlines.server_ms;
                if let Some(flight) = &mut self.flight {
                    flight.server_deadline_ms = Some(self.now_ms.saturating_add(limit_ms));
                }
                if let Err(kind) = self.accept(token, (Tier::Server, None)) {
                    self.fail(kind, None);
                }
            }
            ServerEvent::Answered { tokens, end, variant } => {
                let accepted = tokens
                    .into_iter()
                    .try_for_each(|token| self.accept(token, (Tier::Server, None)));
                let checked = accepted.and_then(|()| {
                    self.flight.as_ref().map_or(Ok(()), |flight| flight.check_end(end.tokens))
                });
                if let Err(kind) = checked {
                    self.fail(kind, None);
                } else {
                    self.breakers.of(Tier::Server).succeed();
                    self.finish(end, Tier::Server, variant);
                }
            }
            ServerEvent::Failed { is_request: true } => {
                self.fail(ClientErrorKind::InvalidRequest, Some(Reason::ServerFailed));
            }
            ServerEvent::Failed { is_request: false } => self.server_failed(Reason::ServerFailed),
        }
    }

    /// Ends the attempt; the request waits for its next place.
    pub(super) fn server_failed(&mut self, reason: Reason) {
        if self.mutant.breakers_count() {
            self.breakers.of(Tier::Server).fail(self.now_ms, &self.config.breaker);
        }
        let Some(flight) = &mut self.flight else { return };
        if let Place::Server(generation) = flight.place {
            self.effects.push(Effect::StopServer { generation });
        }
        flight.place = Place::Waiting;
        flight.server_deadline_ms = None;
        flight.server_reason = Some(reason);
    }

    /// Cancels the request. The answer has the tokens so far; a recovery of the engine continues.
    pub(super) fn cancel(&mut self, request: u64) {
        let Some(flight) = self.flight.as_ref().filter(|flight| flight.request.id == request)
        else {
            return self.stale();
        };
        let tokens = flight.seen.len() as u32;
        let tier = match flight.place {
            Place::Server(_) => Tier::Server,
            Place::Local(_) | Place::Waiting => self.tier,
        };
        self.stop(Reason::Cancelled);
        let end = End { finish_reason: FinishReason::Cancelled, prompt_tokens: 0, tokens };
        self.finish(end, tier, None);
    }

    pub(super) fn request_expired(&mut self) {
        self.fail(ClientErrorKind::DeadlineExceeded, None);
    }

    /// Stops the request where it runs.
    fn stop(&mut self, reason: Reason) {
        let Some(flight) = &self.flight else { return };
        let request = flight.request.id;
        match flight.place {
            Place::Waiting => {}
            Place::Local(generation) => {
                self.effects.push(Effect::StopRun { generation, request });
                self.enter(State::Stop, reason);
            }
            Place::Server(generation) => self.effects.push(Effect::StopServer { generation }),
        }
    }

    /// Stops the request and ends it with an error.
    pub(super) fn fail(&mut self, kind: ClientErrorKind, reason: Option<Reason>) {
        self.stop(Reason::RequestFailed);
        self.fail_idle(kind, reason);
    }

    /// Ends a request that runs nowhere with an error.
    fn fail_idle(&mut self, kind: ClientErrorKind, reason: Option<Reason>) {
        if let Some(flight) = self.flight.take() {
            self.report_failure(&flight, kind, reason);
        }
    }

    fn report_failure(&mut self, flight: &Flight, kind: ClientErrorKind, reason: Option<Reason>) {
        if self.mutant.swallows_errors() {
            return;
        }
        let error = ClientError {
            request: flight.request.id,
            kind,
            reason,
            tier: self.tier_of(flight),
            tokens_emitted: flight.seen.len() as u32,
            trail: flight.trail.clone(),
        };
        self.effects.push(Effect::Fail { error: Box::new(error) });
        let record = self.record_of(flight);
        let record = TelemetryRecord { error: Some(kind), tier: self.tier_of(flight), ..record };
        self.send(record, flight);
    }

    pub(super) fn finish(&mut self, end: End, tier: Tier, server_variant: Option<String>) {
        let Some(flight) = self.flight.take() else { return };
        let is_local = tier != Tier::Server;
        let local = self.variant.as_ref().filter(|_| is_local);
        let variant = local.map(|variant| variant.id.clone()).or(server_variant);
        let answer = Answer {
            request: flight.request.id,
            text: flight.text(),
            tokens: flight.seen.iter().map(|token| token.id).collect(),
            finish_reason: end.finish_reason,
            usage: Usage::new(end.prompt_tokens, end.tokens),
            timings: AnswerTimings {
                first_token_ms: flight.first_token_ms,
                total_ms: self.now_ms.saturating_sub(flight.since_ms),
            },
            tier,
            versions: local.map(|variant| variant.versions.clone()),
            generation: match flight.place {
                Place::Local(generation) | Place::Server(generation) => generation,
                Place::Waiting => self.device,
            },
            recoveries: flight.recoveries,
            trail: flight.trail.clone(),
            variant,
        };
        let record = TelemetryRecord {
            // The server's name for its model is not from our registry.
            model_id: local.map(|variant| variant.id.clone()),
            prompt_tokens: end.prompt_tokens,
            completion_tokens: end.tokens,
            success: true,
            finish_reason: Some(end.finish_reason),
            tier: Some(tier),
            ..self.record_of(&flight)
        };
        self.effects.push(Effect::Answer { answer: Box::new(answer) });
        self.send(record, &flight);
    }

    fn tier_of(&self, flight: &Flight) -> Option<Tier> {
        match flight.place {
            Place::Local(_) => Some(self.tier),
            Place::Server(_) => Some(Tier::Server),
            Place::Waiting => flight.trail.last().map(|step| step.to),
        }
    }

    /// The record of a failed request, and the common part of every record.
    fn record_of(&self, flight: &Flight) -> TelemetryRecord {
        TelemetryRecord {
            version: TELEMETRY_VERSION,
            completion_tokens: flight.seen.len() as u32,
            latency_ms: self.now_ms.saturating_sub(flight.since_ms),
            first_token_ms: flight.first_token_ms,
            trail: flight.trail.clone(),
            recoveries: flight.recoveries,
            recovery_reason: flight.recovery.map(|(reason, _)| reason),
            recovery_ms: flight.recovery.map(|(_, ms)| ms),
            stale_events: self.stale_events,
            cache_hit_rate: self.weights.plan.as_ref().map(CachePlan::hit_rate),
            fetched_bytes: self.weights.fetched_bytes,
            device_tier: self.classification.as_ref().map(|classification| classification.tier),
            form: self.capabilities.as_ref().map(|capabilities| capabilities.form()),
            cohort: self.arm.as_ref().map(|arm| arm.name.clone()),
            ..TelemetryRecord::default()
        }
    }

    fn send(&mut self, mut record: TelemetryRecord, flight: &Flight) {
        self.mutant.on_record(&mut record, &flight.request);
        self.stale_events = 0;
        self.effects.push(Effect::Telemetry { record: Box::new(record) });
    }
}
