//! Seeded faults: known defects that a test build carries, to show that tests notice them.
//!
//! Everything about them is here; the machine has one line at each hook. A build without the
//! feature `seeded-faults` has nothing in the hooks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Client, Config, LocalEvent, Reason, Request, Token};
use crate::client::cache::{CachePlan, Stored};
use crate::client::registry::ModelVariant;
use crate::client::telemetry::TelemetryRecord;
use crate::client::tier::Tier;

/// A known defect of the client, which only a build with the feature `seeded-faults` carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ClientFault {
    /// A device that is lost in mid-answer ends it with a token of zeros.
    ZerosOnLoss,
    /// A request that can't be answered ends without a word.
    SwallowedError,
    /// Tokens of a replay are shown again.
    DuplicateToken,
    /// New tokens after a replay are taken for old ones.
    LostToken,
    /// Tokens of a device that is gone are shown.
    StaleGenerationAccepted,
    /// Stored shards are used without being hashed.
    CacheNotVerified,
    /// Every tier is said to be left for the same reason.
    WrongReason,
    /// A tier is left and nobody is told.
    SilentTierChange,
    /// The record of a request has its prompt.
    PromptInTelemetry,
    /// Failures are not counted.
    BreakerNeverOpens,
    /// Stored weights of another template's version are used.
    TemplateSkewIgnored,
    /// A step down the chain goes past a tier.
    FallbackSkipsTier,
}

impl ClientFault {
    /// Every fault.
    pub const ALL: [Self; 12] = [
        Self::ZerosOnLoss,
        Self::SwallowedError,
        Self::DuplicateToken,
        Self::LostToken,
        Self::StaleGenerationAccepted,
        Self::CacheNotVerified,
        Self::WrongReason,
        Self::SilentTierChange,
        Self::PromptInTelemetry,
        Self::BreakerNeverOpens,
        Self::TemplateSkewIgnored,
        Self::FallbackSkipsTier,
    ];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ZerosOnLoss => "zeros-on-loss",
            Self::SwallowedError => "swallowed-error",
            Self::DuplicateToken => "duplicate-token",
            Self::LostToken => "lost-token",
            Self::StaleGenerationAccepted => "stale-generation-accepted",
            Self::CacheNotVerified => "cache-not-verified",
            Self::WrongReason => "wrong-reason",
            Self::SilentTierChange => "silent-tier-change",
            Self::PromptInTelemetry => "prompt-in-telemetry",
            Self::BreakerNeverOpens => "breaker-never-opens",
            Self::TemplateSkewIgnored => "template-skew-ignored",
            Self::FallbackSkipsTier => "fallback-skips-tier",
        }
    }
}

/// The fault of a client, if it has one.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Faults {
    #[cfg(feature = "seeded-faults")]
    fault: Option<ClientFault>,
}

#[cfg(not(feature = "seeded-faults"))]
#[expect(clippy::unused_self, reason = "a hook of the build that has it")]
impl Client {
    pub(super) fn on_loss(&self) {}
}

#[cfg(feature = "seeded-faults")]
impl Client {
    /// What a client does whose engine takes a failed readback for logits.
    pub(super) fn on_loss(&mut self) {
        if self.state == super::State::Running
            && self.faults.is(ClientFault::ZerosOnLoss)
            && let Some(flight) = &mut self.flight
        {
            let index = flight.seen.len() as u32;
            let zeros = Token { index, id: 0, text: String::new() };
            let request = flight.request.id;
            flight.see(zeros.clone(), (self.tier, None), self.now_ms);
            self.effects.push(super::Effect::EmitToken { request, token: zeros });
            let finish_reason = crate::protocol::FinishReason::Length;
            let end = super::End { finish_reason, prompt_tokens: 0, tokens: index + 1 };
            self.finish(end, self.tier, None);
        }
    }
}

#[cfg(not(feature = "seeded-faults"))]
#[expect(clippy::unused_self, reason = "hooks of the build that has them")]
impl Faults {
    pub(super) fn new(_config: &Config) -> Self {
        Self::default()
    }

    pub(super) fn swallows_errors(self) -> bool {
        false
    }

    pub(super) fn on_token(self, is_new: bool, _is_interrupted: bool, _token: &Token) -> bool {
        is_new
    }

    pub(super) fn accepts_stale(self, _event: &LocalEvent) -> bool {
        false
    }

    pub(super) fn accepts_any_state(self) -> bool {
        false
    }

    pub(super) fn on_stored(self, _stored: &mut Stored, _variant: &ModelVariant) {}

    pub(super) fn on_plan(self, _plan: &mut CachePlan) {}

    pub(super) fn on_reason(self, reason: Reason) -> Reason {
        reason
    }

    pub(super) fn is_silent(self) -> bool {
        false
    }

    pub(super) fn on_record(self, _record: &mut TelemetryRecord, _request: &Request) {}

    pub(super) fn breakers_count(self) -> bool {
        true
    }

    pub(super) fn on_next(self, next: Option<Tier>) -> Option<Tier> {
        next
    }
}

#[cfg(feature = "seeded-faults")]
impl Faults {
    pub(super) fn new(config: &Config) -> Self {
        Self { fault: config.fault }
    }

    fn is(self, fault: ClientFault) -> bool {
        self.fault == Some(fault)
    }

    pub(super) fn swallows_errors(self) -> bool {
        self.is(ClientFault::SwallowedError)
    }

    pub(super) fn on_token(self, is_new: bool, is_interrupted: bool, token: &Token) -> bool {
        let is_lost = self.is(ClientFault::LostToken) && is_interrupted && token.index > 0;
        is_new && !is_lost || self.is(ClientFault::DuplicateToken)
    }

    pub(super) fn accepts_stale(self, event: &LocalEvent) -> bool {
        self.is(ClientFault::StaleGenerationAccepted) && matches!(event, LocalEvent::Token { .. })
    }

    pub(super) fn accepts_any_state(self) -> bool {
        self.is(ClientFault::StaleGenerationAccepted)
    }

    pub(super) fn on_stored(self, stored: &mut Stored, variant: &ModelVariant) {
        if self.is(ClientFault::TemplateSkewIgnored)
            && let Some(versions) = &mut stored.versions
        {
            versions.prompt_template.clone_from(&variant.versions.prompt_template);
        }
    }

    pub(super) fn on_plan(self, plan: &mut CachePlan) {
        use crate::client::cache::ShardPlan;
        if self.is(ClientFault::CacheNotVerified) {
            for shard in plan.shards.iter_mut().filter(|shard| **shard == ShardPlan::Verify) {
                *shard = ShardPlan::Reuse;
            }
        }
    }

    pub(super) fn on_reason(self, reason: Reason) -> Reason {
        if self.is(ClientFault::WrongReason) { Reason::GpuError } else { reason }
    }

    pub(super) fn is_silent(self) -> bool {
        self.is(ClientFault::SilentTierChange)
    }

    pub(super) fn on_record(self, record: &mut TelemetryRecord, request: &Request) {
        if self.is(ClientFault::PromptInTelemetry) {
            record.model_id = serde_json::to_string(&request.generate.prompt).ok();
        }
    }

    pub(super) fn breakers_count(self) -> bool {
        !self.is(ClientFault::BreakerNeverOpens)
    }

    pub(super) fn on_next(self, next: Option<Tier>) -> Option<Tier> {
        if self.is(ClientFault::FallbackSkipsTier) { next.and_then(Tier::next) } else { next }
    }
}
