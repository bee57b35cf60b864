//! The hooks of the client's mutants: the machine calls one where a mutant differs.
//!
//! Without the feature `seeded-faults` no client is a mutant, and the hooks do nothing.

use crate::client::cache::{CachePlan, ShardPlan};
use crate::protocol::client::{
    ClientFault, Config, LocalEvent, ModelVariant, Reason, Request, Stored, TelemetryRecord, Tier,
    Token,
};

/// The mutant that this client is, if any.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mutant {
    #[cfg(feature = "seeded-faults")]
    fault: Option<ClientFault>,
}

impl Mutant {
    #[cfg(feature = "seeded-faults")]
    pub(super) fn new(config: &Config) -> Self {
        Self { fault: config.fault }
    }

    #[cfg(not(feature = "seeded-faults"))]
    pub(super) fn new(_config: &Config) -> Self {
        Self {}
    }

    #[cfg(feature = "seeded-faults")]
    fn is(self, fault: ClientFault) -> bool {
        self.fault == Some(fault)
    }

    #[cfg(not(feature = "seeded-faults"))]
    #[expect(clippy::unused_self, reason = "a build with mutants uses it")]
    fn is(self, _fault: ClientFault) -> bool {
        false
    }

    pub(super) fn answers_with_zeros(self) -> bool {
        self.is(ClientFault::ZerosOnLoss)
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
