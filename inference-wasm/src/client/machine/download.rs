//! Gets the weights of the chosen variant: inspects storage, verifies, fetches and stores shards.
//! [`cache`](crate::client::cache) makes the decisions.

use super::client::Client;
use crate::client::cache::{ShardPlan, StorageReason, plan};
use crate::protocol::EngineErrorKind;
use crate::protocol::client::{Effect, Place, Reason, State, StorageTrouble, Stored};

impl Client {
    pub(super) fn inspect_storage(&mut self, reason: Reason) {
        self.weights.plan = None;
        self.weights.pending.clear();
        self.enter(State::Cache, reason);
        let variant = self.variant_id();
        self.effects.push(Effect::InspectStorage { generation: self.device, variant });
    }

    pub(super) fn inspected(&mut self, stored: &Stored) {
        let (Some(variant), Some(capabilities)) = (&self.variant, &self.capabilities) else {
            return;
        };
        if self.weights.plan.is_some() {
            return self.stale();
        }
        let mut stored = stored.clone();
        self.mutant.on_stored(&mut stored, variant);
        let storage = &capabilities.report.storage;
        let mut plan = plan(variant, &stored, storage, self.weights.memory_only);
        self.mutant.on_plan(&mut plan);
        let (bytes, is_costly) = (plan.fetch_bytes, capabilities.connection.wants_consent());
        self.weights.plan = Some(plan);
        if is_costly && !self.weights.has_consent && bytes > self.config.consent_above_bytes {
            self.enter(State::Consent, Reason::Metered);
            self.effects.push(Effect::AskConsent { bytes });
        } else {
            self.execute_plan();
        }
    }

    pub(super) fn consented(&mut self, given: bool) {
        if given {
            self.weights.has_consent = true;
            self.enter(State::Cache, Reason::ConsentGiven);
            self.execute_plan();
        } else {
            self.retire(Reason::ConsentDeclined);
        }
    }

    /// Verifies and fetches shards by the plan.
    fn execute_plan(&mut self) {
        let Some(plan) = self.weights.plan.clone() else { return };
        self.limit(Some(self.config.deadlines.shard_ms));
        let (generation, variant) = (self.device, self.variant_id());
        if plan.discard {
            self.effects.push(Effect::Discard { variant: variant.clone() });
        }
        if plan.fetch_bytes > 0 && plan.place != Place::Memory {
            self.effects.push(Effect::PersistStorage);
        }
        for (step, shard) in plan.shards.iter().zip(0..) {
            match *step {
                ShardPlan::Reuse => continue,
                ShardPlan::Verify => {
                    let variant = variant.clone();
                    self.effects.push(Effect::VerifyShard { generation, variant, shard });
                }
                ShardPlan::Resume { from } => self.fetch(shard, from),
                ShardPlan::Fetch { .. } => self.fetch(shard, 0),
            }
            self.weights.pending.insert(shard, 0);
        }
        self.finish_fetching();
    }

    fn fetch(&mut self, shard: u32, from: u64) {
        let bytes = self.shard_bytes(shard);
        self.weights.fetched_bytes += bytes.saturating_sub(from);
        let place = match &self.weights.plan {
            Some(plan) if !self.weights.memory_only => plan.place,
            _ => Place::Memory,
        };
        let (generation, variant) = (self.device, self.variant_id());
        self.effects.push(Effect::FetchShard { generation, variant, shard, from, place });
    }

    pub(super) fn shard_verified(&mut self, shard: u32, is_intact: bool) {
        if is_intact {
            return self.shard_available(shard);
        }
        if self.weights.pending.contains_key(&shard) {
            self.record_reason(Reason::ShardCorrupt);
            self.fetch(shard, 0);
        } else {
            self.stale();
        }
    }

    pub(super) fn shard_progress(&mut self, shard: u32, bytes: u64) {
        if self.weights.pending.contains_key(&shard) {
            self.show_progress(bytes.min(self.shard_bytes(shard)));
        } else {
            self.stale();
        }
    }

    pub(super) fn shard_available(&mut self, shard: u32) {
        if self.weights.pending.remove(&shard).is_none() {
            return self.stale();
        }
        self.show_progress(0);
        self.finish_fetching();
    }

    /// Reports the bytes of available shards, plus `partial_bytes` of another.
    fn show_progress(&mut self, partial_bytes: u64) {
        let missing: u64 = self.weights.pending.keys().map(|shard| self.shard_bytes(*shard)).sum();
        let total_bytes = self.weights.plan.as_ref().map_or(0, |plan| plan.total_bytes);
        let bytes = total_bytes.saturating_sub(missing) + partial_bytes;
        self.effects.push(Effect::Progress { bytes, total_bytes });
        self.limit(Some(self.config.deadlines.shard_ms));
    }

    /// Resumes a broken download; starts a corrupt one again.
    pub(super) fn shard_failed(&mut self, shard: u32, kind: EngineErrorKind, kept_bytes: u64) {
        if !self.may_retry(shard) {
            return;
        }
        let is_wrong =
            kind == EngineErrorKind::ShardCorrupt || kept_bytes >= self.shard_bytes(shard);
        self.fetch(shard, if is_wrong { 0 } else { kept_bytes });
    }

    /// Keeps a shard that cannot be stored in memory, and all later ones.
    pub(super) fn store_failed(&mut self, shard: u32, trouble: &StorageTrouble) {
        if !self.may_retry(shard) {
            return;
        }
        self.weights.memory_only = true;
        self.record_reason(match trouble.reason() {
            StorageReason::QuotaExceeded => Reason::QuotaExceeded,
            StorageReason::Denied
            | StorageReason::Unavailable
            | StorageReason::Evicted
            | StorageReason::Other => Reason::StorageRefused,
        });
        self.fetch(shard, 0);
    }

    /// Counts a failure of a shard; after too many it excludes the variant.
    fn may_retry(&mut self, shard: u32) -> bool {
        let Some(attempts) = self.weights.pending.get_mut(&shard) else {
            self.stale();
            return false;
        };
        *attempts += 1;
        if *attempts < self.config.shard_attempts {
            self.limit(Some(self.config.deadlines.shard_ms));
            return true;
        }
        self.exclude_variant();
        self.fall_back(Reason::WeightsUnavailable);
        false
    }

    /// Storage that does not respond is not used; a stalled download fails.
    pub(super) fn storage_expired(&mut self) {
        if self.weights.plan.is_none() {
            self.weights.memory_only = true;
            self.record_reason(Reason::StorageTimeout);
            self.inspected(&Stored::default());
        } else {
            self.exclude_variant();
            self.fall_back(Reason::WeightsUnavailable);
        }
    }

    fn finish_fetching(&mut self) {
        let Some(variant) = self.variant.clone() else { return };
        if !self.weights.pending.is_empty() {
            return;
        }
        self.enter(State::Load, Reason::Cached);
        let (tier, generation) = (self.tier, self.device);
        self.effects.push(Effect::Load { tier, generation, variant: Box::new(variant) });
    }

    fn shard_bytes(&self, shard: u32) -> u64 {
        let shards = self.variant.as_ref().map(|variant| &variant.file.shards);
        shards.and_then(|shards| shards.get(shard as usize)).map_or(0, |shard| shard.bytes)
    }

    /// Records a reason as a transition from `Cache` to `Cache`, and restarts the deadline.
    fn record_reason(&mut self, reason: Reason) {
        self.enter(State::Cache, reason);
        self.limit(Some(self.config.deadlines.shard_ms));
    }
}
