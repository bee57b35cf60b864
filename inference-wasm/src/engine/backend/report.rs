//! What a backend reports: the work it has done, its adapter, the loss of its device, candidates.

use std::cmp::Ordering;

use crate::protocol::{EngineError, EngineErrorKind, LossReason};

/// What a backend has done since it was made, and what it holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Matrix kernels called on the CPU.
    pub kernel_calls: u64,
    /// Dispatches or draws on the GPU.
    pub gpu_dispatches: u64,
    /// Bytes of weights.
    pub weight_bytes: u64,
    /// Bytes of key-value caches.
    pub cache_bytes: u64,
}

/// What a GPU backend computes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adapter {
    /// What the browser or the driver calls it; empty where it keeps that to itself.
    pub name: String,
    /// It says that it computes on the CPU (SwiftShader, llvmpipe, lavapipe), or the browser says
    /// so. `false` also where neither tells.
    pub is_software: bool,
    /// SHA-256, in hex, of its features and limits, as `name=value` lines in order.
    pub limits_sha256: String,
}

/// A device that is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// As the browser tells it.
    pub reason: LossReason,
    /// For people.
    pub message: String,
}

impl Loss {
    /// What a command fails with that needs the device.
    pub fn error(&self) -> EngineError {
        EngineError {
            kind: EngineErrorKind::DeviceLost,
            message: self.message.clone(),
            hint: Some("load the model again".into()),
        }
    }
}

/// A token that may come next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Its id.
    pub id: u32,
    /// Its logit.
    pub logit: f32,
}

impl Candidate {
    /// The order of candidates: what is no number first, so that nobody misses it, then the
    /// greatest logit, and the lowest id among equals.
    pub fn order(&self, other: &Self) -> Ordering {
        let by_logit = match (self.logit.is_nan(), other.logit.is_nan()) {
            (false, false) => other.logit.partial_cmp(&self.logit).unwrap_or(Ordering::Equal),
            (a, b) => b.cmp(&a),
        };
        by_logit.then(self.id.cmp(&other.id))
    }
}
