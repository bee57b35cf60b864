//! The loss of a device, a tier or the whole local engine.
//!
//! In rising order: [`Client::lose`] replaces a device, [`Client::fall_back`] goes to the next
//! tier, [`Client::retire`] leaves everything to the server. The request in flight keeps the tokens
//! that the user has seen and waits for its next place.

use super::client::{Client, Recovery};
use crate::protocol::FinishReason;
use crate::protocol::client::{Effect, End, FallbackStep, Reason, State, Tier, Token};

impl Client {
    /// Handles a failed step of the start. During a recovery it counts as another loss: a GPU
    /// process that has just died may offer no adapter for a moment.
    pub(super) fn give_up(&mut self, reason: Reason) {
        if self.recovery.is_some() {
            self.lose(reason);
        } else {
            self.fall_back(reason);
        }
    }

    /// Replaces a device that is lost or hung, up to the limit within the window.
    pub(super) fn lose(&mut self, reason: Reason) {
        self.answer_with_zeros();
        let limits = self.config.recovery;
        let now_ms = self.now_ms;
        self.losses_ms.retain(|at| now_ms.saturating_sub(*at) < limits.window_ms);
        if self.losses_ms.len() as u64 >= u64::from(limits.losses) {
            let is_loss = reason == Reason::DeviceLost;
            return self.fall_back(if is_loss { Reason::DeviceLostAgain } else { reason });
        }
        self.losses_ms.push(now_ms);
        self.abandon();
        let since_ms = self.recovery.map_or(now_ms, |recovery| recovery.since_ms);
        self.recovery = Some(Recovery { since_ms, reason });
        if let Some(flight) = &mut self.flight {
            flight.interrupt_local();
            flight.recoveries += u32::from(flight.is_interrupted);
        }
        self.enter(State::Recover, reason);
        if self.pause_ms() == 0 {
            self.create_device(Reason::FreshDevice);
        }
    }

    /// Ends a recovery: the model can run again.
    pub(super) fn recovered(&mut self) {
        let Some(recovery) = self.recovery.take() else { return };
        if let Some(flight) = &mut self.flight
            && flight.is_interrupted
        {
            flight.recovery =
                Some((recovery.reason, self.now_ms.saturating_sub(recovery.since_ms)));
        }
    }

    /// Falls back to the next tier.
    pub(super) fn fall_back(&mut self, reason: Reason) {
        let reason = self.mutant.on_reason(reason);
        let from = self.tier;
        if reason.is_fault() && self.has_device && self.mutant.breakers_count() {
            self.breakers.of(from).fail(self.now_ms, &self.config.breaker);
        }
        self.leave();
        let to = self.mutant.on_next(from.next()).unwrap_or(Tier::Server);
        self.tier = to;
        let next = if to == Tier::Server { State::Server } else { State::Choose };
        if self.mutant.is_silent() {
            self.state = next;
            self.limit(None);
        } else {
            self.record(FallbackStep { from, to, reason });
            self.enter(next, reason);
        }
        if to != Tier::Server {
            self.choose_variant();
        }
    }

    /// Leaves everything to the server, by a decision that is not about the tier.
    pub(super) fn retire(&mut self, reason: Reason) {
        self.leave();
        self.retired = Some(reason);
        let step = FallbackStep { from: self.tier, to: Tier::Server, reason };
        self.tier = Tier::Server;
        self.record(step);
        self.enter(State::Server, reason);
    }

    fn leave(&mut self) {
        self.abandon();
        self.recovery = None;
        self.losses_ms.clear();
        if let Some(flight) = &mut self.flight {
            flight.interrupt_local();
        }
    }

    fn abandon(&mut self) {
        if std::mem::take(&mut self.has_device) {
            self.effects.push(Effect::Abandon { generation: self.device });
        }
    }

    fn record(&mut self, step: FallbackStep) {
        self.trail.push(step);
        if let Some(flight) = &mut self.flight {
            flight.trail.push(step);
        }
    }

    /// The mutant that takes a failed readback for logits: its answer ends with a token of zeros.
    fn answer_with_zeros(&mut self) {
        if self.state == State::Running
            && self.mutant.answers_with_zeros()
            && let Some(flight) = &mut self.flight
        {
            let index = flight.seen.len() as u32;
            let zeros = Token { index, id: 0, text: String::new() };
            let request = flight.request.id;
            flight.record_token(zeros.clone(), (self.tier, None), self.now_ms);
            self.effects.push(Effect::EmitToken { request, token: zeros });
            let finish_reason = FinishReason::Length;
            let end = End { finish_reason, prompt_tokens: 0, tokens: index + 1 };
            self.finish(end, self.tier, None);
        }
    }
}
