//! The weights of the chosen variant: the plan for them and its progress.

use std::collections::BTreeMap;

use crate::client::cache::CachePlan;

/// The progress of the weights of the chosen variant.
#[derive(Debug, Clone, Default)]
pub(super) struct Weights {
    /// The plan; `None` until storage was inspected.
    pub(super) plan: Option<CachePlan>,
    /// Failed attempts at each shard that is not available yet.
    pub(super) pending: BTreeMap<u32, u32>,
    /// Storage has failed during this visit.
    pub(super) memory_only: bool,
    /// The user has agreed to a download during this visit.
    pub(super) has_consent: bool,
    /// Bytes requested over the network since the variant was chosen.
    pub(super) fetched_bytes: u64,
    /// How often shards were missing when the engine loaded them.
    pub(super) reloads: u32,
}

impl Weights {
    /// Starts over with a new variant, and keeps what holds for the visit.
    pub(super) fn restart(&mut self) {
        *self = Self {
            memory_only: self.memory_only,
            has_consent: self.has_consent,
            ..Self::default()
        };
    }
}
