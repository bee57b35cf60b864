//! The start of the engine: from a tier of the chain to a model that can run on it.
//!
//! A first visit, a fallback and a recovery take the same path. So a replacement device is verified
//! like the first, and shards evicted in the meantime are fetched again.
//! [`recovery`](super::recovery) decides what happens when a step fails.

use super::client::Client;
use crate::client::registry::{Need, choose};
use crate::client::router::{Absence, absence};
use crate::client::tier::classify;
use crate::protocol::EngineErrorKind;
use crate::protocol::client::{
    Capabilities, Effect, ModelVariant, Preference, Reason, Start, State, Tier, Versions,
};

impl Client {
    /// Starts the engine, unless something forbids it.
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

    /// Starts again with the best tier.
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

    /// Chooses a variant for the tier; falls back if none fits.
    pub(super) fn choose_variant(&mut self) {
        let now_ms = self.now_ms;
        // First, so that a breaker after its cooldown is half-open whatever happens next.
        if !self.breakers.of(self.tier).try_begin(now_ms) {
            return self.fall_back(Reason::BreakerOpen);
        }
        let Some(device) = self.capabilities.as_deref() else {
            return self.retire(Reason::DetectTimeout);
        };
        // The operator's offer is checked before the device: it is the same everywhere.
        let backend = self.tier.backend();
        let offers = |variant: &ModelVariant| {
            backend.is_some_and(|backend| variant.backends.contains(&backend))
        };
        if !self.config.registry.iter().any(offers) {
            return self.fall_back(Reason::NoCompatibleVariant);
        }
        match absence(self.tier, device) {
            Some(Absence::Absent) => return self.fall_back(Reason::Absent),
            Some(Absence::AdapterNull) => return self.fall_back(Reason::AdapterNull),
            Some(Absence::SoftwareAdapter) => return self.fall_back(Reason::SoftwareAdapter),
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
            None => self.fall_back(Reason::NoCompatibleVariant),
            chosen => {
                self.variant = chosen;
                self.weights.restart();
                self.create_device(Reason::Chosen);
            }
        }
    }

    /// Requests a fresh device.
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

    pub(super) fn loaded(&mut self, versions: &Versions) {
        if self.variant.as_ref().is_some_and(|variant| variant.versions == *versions) {
            self.recovered();
            self.enter(State::Ready, Reason::Loaded);
        } else {
            self.effects.push(Effect::Discard { variant: self.variant_id() });
            self.exclude_variant();
            self.fall_back(Reason::VersionSkew);
        }
    }

    pub(super) fn load_failed(&mut self, kind: EngineErrorKind) {
        match kind {
            EngineErrorKind::DeviceLost => self.lose(Reason::DeviceLost),
            EngineErrorKind::OutOfMemory => self.fall_back(Reason::OutOfMemory),
            EngineErrorKind::BackendUnavailable => self.give_up(Reason::DeviceRejected),
            EngineErrorKind::GpuError => self.fall_back(Reason::GpuError),
            EngineErrorKind::ShardUnavailable
            | EngineErrorKind::ShardTruncated
            | EngineErrorKind::ShardCorrupt
                if self.weights.reloads == 0 =>
            {
                self.weights.reloads += 1;
                self.inspect_storage(Reason::Evicted);
            }
            EngineErrorKind::ShardUnavailable
            | EngineErrorKind::ShardTruncated
            | EngineErrorKind::ShardCorrupt => {
                self.exclude_variant();
                self.fall_back(Reason::WeightsUnavailable);
            }
            EngineErrorKind::InvalidModel
            | EngineErrorKind::UnsupportedModel
            | EngineErrorKind::ChatTemplate
            | EngineErrorKind::ContextOverflow
            | EngineErrorKind::InvalidRequest => {
                self.exclude_variant();
                self.fall_back(Reason::LoadFailed);
            }
        }
    }

    /// Whether the engine may become ready by itself.
    pub(super) fn is_starting(&self) -> bool {
        !matches!(self.state, State::Ready | State::Running | State::Server)
    }

    /// Whether requests wait for the engine and not for the server.
    pub(super) fn waits_for_engine(&self) -> bool {
        self.preference == Preference::Always || self.config.start == Start::LocalOnly
    }

    pub(super) fn variant_id(&self) -> String {
        self.variant.as_ref().map(|variant| variant.id.clone()).unwrap_or_default()
    }

    pub(super) fn exclude_variant(&mut self) {
        self.excluded.insert(self.variant_id());
    }
}
