//! Bringing the engine up: from a tier of the chain to a model that can run on it.
//!
//! A first visit, the next tier after a failure and a recovery all go the same way, so a fresh
//! device is trusted no sooner than a first one, and shards that were evicted in the meantime are
//! noticed and fetched. What happens when a step fails is decided in [`recovery`](super::recovery).

use std::collections::BTreeMap;

use super::{Client, Effect, Reason, Start, State};
use crate::client::cache::{
    CachePlan, Place, ShardPlan, StorageReason, StorageTrouble, Stored, plan,
};
use crate::client::capability::Capabilities;
use crate::client::registry::{Need, Versions, choose};
use crate::client::router::{Absence, Preference, absence};
use crate::client::tier::{Tier, classify};
use crate::protocol::EngineErrorKind;

/// The weights of the chosen variant, on their way.
#[derive(Debug, Clone, Default)]
pub(super) struct Weights {
    /// What is done about them; `None` until storage has answered.
    pub(super) plan: Option<CachePlan>,
    /// Attempts at each shard that is not there yet.
    pending: BTreeMap<u32, u32>,
    /// Storage has refused in this visit.
    memory_only: bool,
    /// The user has agreed to a download in this visit.
    has_consent: bool,
    /// Bytes that came over the network since the variant was chosen.
    pub(super) fetched_bytes: u64,
    /// They were gone when the engine wanted to load them.
    reloads: u32,
}

impl Weights {
    /// Forgets a variant; what the browser and the user have said still holds.
    fn restart(&mut self) {
        *self = Self {
            memory_only: self.memory_only,
            has_consent: self.has_consent,
            ..Self::default()
        };
    }
}

impl Client {
    /// Begins with the device, unless there is to be no engine.
    pub(super) fn begin(&mut self, reason: Reason) {
        if let Some(veto) = self.veto() {
            self.retire(veto);
        } else {
            self.enter(State::Detect, reason);
            self.effects.push(Effect::Detect);
        }
    }

    pub(super) fn detected(&mut self, capabilities: Box<Capabilities>) {
        self.enter(State::Classify, Reason::Detected);
        self.battery = self.battery.or(capabilities.battery);
        self.classification = Some(classify(&capabilities));
        self.capabilities = Some(capabilities);
        self.tier = Tier::Webgpu;
        self.enter(State::Choose, Reason::Classified);
        self.choose_variant();
    }

    /// Tries the best tier again.
    pub(super) fn restart(&mut self, reason: Reason) {
        if self.veto().is_some() {
            return;
        }
        self.retired = None;
        self.trail.clear();
        self.tier = Tier::Webgpu;
        if self.capabilities.is_some() {
            self.enter(State::Choose, reason);
            self.choose_variant();
        } else {
            self.enter(State::Detect, reason);
            self.effects.push(Effect::Detect);
        }
    }

    /// Chooses for the tier that is tried; falls to the next one if there is nothing.
    pub(super) fn choose_variant(&mut self) {
        let now_ms = self.now_ms;
        // First, so that a breaker whose time is over is half-open whatever comes of it.
        if !self.breakers.of(self.tier).try_begin(now_ms) {
            return self.fall(Reason::BreakerOpen);
        }
        let Some(device) = self.capabilities.as_deref() else {
            return self.retire(Reason::DetectTimeout);
        };
        match absence(self.tier, device) {
            Some(Absence::Absent) => return self.fall(Reason::Absent),
            Some(Absence::AdapterNull) => return self.fall(Reason::AdapterNull),
            Some(Absence::SoftwareAdapter) => return self.fall(Reason::SoftwareAdapter),
            None => {}
        }
        let need = Need {
            tier: self.tier,
            device,
            capability: None,
            context_tokens: 1,
            max_bytes: self.config.router.max_browser_model_size_bytes,
            excluded: &self.excluded,
            preferred: self.arm.as_ref().and_then(|arm| arm.variant.as_deref()),
        };
        let chosen = choose(&self.config.registry, &need).variant.cloned();
        match chosen {
            None => self.fall(Reason::NoCompatibleVariant),
            chosen => {
                self.variant = chosen;
                self.weights.restart();
                self.create_device(Reason::Chosen);
            }
        }
    }

    /// Asks for a fresh device.
    pub(super) fn create_device(&mut self, reason: Reason) {
        let (tier, generation) = (self.tier, self.next_generation());
        self.device = generation;
        self.has_device = true;
        self.enter(State::Device, reason);
        self.effects.push(Effect::CreateDevice { tier, generation });
    }

    pub(super) fn device_created(&mut self) {
        self.enter(State::Probe, Reason::DeviceReady);
        self.effects.push(Effect::Probe { tier: self.tier, generation: self.device });
    }

    pub(super) fn look_into_storage(&mut self, reason: Reason) {
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
        self.faults.on_stored(&mut stored, variant);
        let storage = &capabilities.report.storage;
        let mut plan = plan(variant, &stored, storage, self.weights.memory_only);
        self.faults.on_plan(&mut plan);
        let (bytes, is_costly) = (plan.fetch_bytes, capabilities.connection.wants_consent());
        self.weights.plan = Some(plan);
        if is_costly && !self.weights.has_consent && bytes > self.config.consent_above_bytes {
            self.enter(State::Consent, Reason::Metered);
            self.effects.push(Effect::AskConsent { bytes });
        } else {
            self.carry_out();
        }
    }

    pub(super) fn consented(&mut self, given: bool) {
        if given {
            self.weights.has_consent = true;
            self.enter(State::Cache, Reason::ConsentGiven);
            self.carry_out();
        } else {
            self.retire(Reason::ConsentDeclined);
        }
    }

    /// Has shards hashed and fetched as the plan says.
    fn carry_out(&mut self) {
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
            return self.shard_is_there(shard);
        }
        if self.weights.pending.contains_key(&shard) {
            self.remark(Reason::ShardCorrupt);
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

    pub(super) fn shard_is_there(&mut self, shard: u32) {
        if self.weights.pending.remove(&shard).is_none() {
            return self.stale();
        }
        self.show_progress(0);
        self.finish_fetching();
    }

    /// Shards that are there, and bytes of one that is not yet.
    fn show_progress(&mut self, partial_bytes: u64) {
        let missing: u64 = self.weights.pending.keys().map(|shard| self.shard_bytes(*shard)).sum();
        let total_bytes = self.weights.plan.as_ref().map_or(0, |plan| plan.total_bytes);
        let bytes = total_bytes.saturating_sub(missing) + partial_bytes;
        self.effects.push(Effect::Progress { bytes, total_bytes });
        self.limit(Some(self.config.deadlines.shard_ms));
    }

    /// A download that broke off goes on where it was; what is wrong begins anew.
    pub(super) fn shard_failed(&mut self, shard: u32, kind: EngineErrorKind, kept_bytes: u64) {
        if !self.may_try_again(shard) {
            return;
        }
        let is_wrong =
            kind == EngineErrorKind::ShardCorrupt || kept_bytes >= self.shard_bytes(shard);
        self.fetch(shard, if is_wrong { 0 } else { kept_bytes });
    }

    /// What can't be stored is kept in memory, as is everything that comes after it.
    pub(super) fn store_failed(&mut self, shard: u32, trouble: &StorageTrouble) {
        if !self.may_try_again(shard) {
            return;
        }
        self.weights.memory_only = true;
        self.remark(match trouble.reason() {
            StorageReason::QuotaExceeded => Reason::QuotaExceeded,
            StorageReason::Denied
            | StorageReason::Unavailable
            | StorageReason::Evicted
            | StorageReason::Other => Reason::StorageRefused,
        });
        self.fetch(shard, 0);
    }

    /// Counts a failure of a shard; gives the variant up when there have been too many.
    fn may_try_again(&mut self, shard: u32) -> bool {
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
        self.fall(Reason::WeightsUnavailable);
        false
    }

    /// Storage that never answers is as good as none; a download that stands still is over.
    pub(super) fn storage_expired(&mut self) {
        if self.weights.plan.is_none() {
            self.weights.memory_only = true;
            self.remark(Reason::StorageTimeout);
            self.inspected(&Stored::default());
        } else {
            self.exclude_variant();
            self.fall(Reason::WeightsUnavailable);
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

    pub(super) fn loaded(&mut self, versions: &Versions) {
        if self.variant.as_ref().is_some_and(|variant| variant.versions == *versions) {
            self.recovered();
            self.enter(State::Ready, Reason::Loaded);
        } else {
            self.effects.push(Effect::Discard { variant: self.variant_id() });
            self.exclude_variant();
            self.fall(Reason::VersionSkew);
        }
    }

    pub(super) fn load_failed(&mut self, kind: EngineErrorKind) {
        match kind {
            EngineErrorKind::DeviceLost => self.lose(Reason::DeviceLost),
            EngineErrorKind::OutOfMemory => self.fall(Reason::OutOfMemory),
            EngineErrorKind::BackendUnavailable => self.give_up(Reason::DeviceRejected),
            EngineErrorKind::GpuError => self.fall(Reason::GpuError),
            EngineErrorKind::ShardUnavailable
            | EngineErrorKind::ShardTruncated
            | EngineErrorKind::ShardCorrupt
                if self.weights.reloads == 0 =>
            {
                self.weights.reloads += 1;
                self.look_into_storage(Reason::Evicted);
            }
            EngineErrorKind::ShardUnavailable
            | EngineErrorKind::ShardTruncated
            | EngineErrorKind::ShardCorrupt => {
                self.exclude_variant();
                self.fall(Reason::WeightsUnavailable);
            }
            EngineErrorKind::InvalidModel
            | EngineErrorKind::UnsupportedModel
            | EngineErrorKind::ChatTemplate
            | EngineErrorKind::ContextOverflow
            | EngineErrorKind::InvalidRequest => {
                self.exclude_variant();
                self.fall(Reason::LoadFailed);
            }
        }
    }

    /// The engine may still come without anybody doing anything, or is on its way.
    pub(super) fn is_coming(&self) -> bool {
        match self.state {
            State::Detect
            | State::Classify
            | State::Choose
            | State::Device
            | State::Probe
            | State::Cache
            | State::Consent
            | State::Load
            | State::Recover
            | State::Stop
            | State::New => true,
            State::Ready | State::Running | State::Server => false,
        }
    }

    /// The user waits for the engine rather than for the server.
    pub(super) fn is_patient(&self) -> bool {
        self.preference == Preference::Always || self.config.start == Start::LocalOnly
    }

    pub(super) fn variant_id(&self) -> String {
        self.variant.as_ref().map(|variant| variant.id.clone()).unwrap_or_default()
    }

    fn exclude_variant(&mut self) {
        self.excluded.insert(self.variant_id());
    }

    fn shard_bytes(&self, shard: u32) -> u64 {
        let shards = self.variant.as_ref().map(|variant| &variant.file.shards);
        shards.and_then(|shards| shards.get(shard as usize)).map_or(0, |shard| shard.bytes)
    }

    /// A transition that stays where it is, for the record; the deadline begins anew.
    fn remark(&mut self, reason: Reason) {
        self.enter(State::Cache, reason);
        self.limit(Some(self.config.deadlines.shard_ms));
    }
}
