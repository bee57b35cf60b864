//! The weights of the chosen variant: the plan for them and its progress.

use std::collections::BTreeMap;

use crate::client::cache::CachePlan;

/// The weights of the chosen variant, on their way.
#[derive(Debug, Clone, Default)]
pub(super) struct Weights {
    /// What is done about them; `None` until storage has answered.
    pub(super) plan: Option<CachePlan>,
    /// Attempts at each shard that is not there yet.
    pub(super) pending: BTreeMap<u32, u32>,
    /// Storage has refused in this visit.
    pub(super) memory_only: bool,
    /// The user has agreed to a download in this visit.
    pub(super) has_consent: bool,
    /// Bytes that came over the network since the variant was chosen.
    pub(super) fetched_bytes: u64,
    /// They were gone when the engine wanted to load them.
    pub(super) reloads: u32,
}

impl Weights {
    /// Forgets a variant; what the browser and the user have said still holds.
    pub(super) fn restart(&mut self) {
        *self = Self {
            memory_only: self.memory_only,
            has_consent: self.has_consent,
            ..Self::default()
        };
    }
}
