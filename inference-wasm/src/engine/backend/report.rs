//! What a backend reports: its work, its adapter, a lost device, candidates.

use std::cmp::Ordering;

use crate::protocol::{EngineError, LossReason};

/// The work of a backend since it was made, and what it holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Calls of matrix kernels on the CPU.
    pub kernel_calls: u64,
    /// Dispatches or draws on the GPU.
    pub gpu_dispatches: u64,
    /// Bytes of weights.
    pub weight_bytes: u64,
    /// Bytes of key-value caches.
    pub cache_bytes: u64,
}

/// The adapter of a GPU backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adapter {
    /// Its name according to the browser or the driver; empty if that is withheld.
    pub name: String,
    /// Whether it computes on the CPU (SwiftShader, llvmpipe, lavapipe), according to its name or
    /// the browser. `false` if neither says.
    pub is_software: bool,
    /// SHA-256, in hex, of its features and limits, as sorted `name=value` lines.
    pub limits_sha256: String,
}

/// A lost device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// The browser's reason.
    pub reason: LossReason,
    /// The browser's message, for people.
    pub message: String,
}

impl Loss {
    /// The error of a command that needs the device.
    pub fn error(&self) -> EngineError {
        EngineError::device_lost(self.message.clone()).with_hint("load the model again")
    }
}

/// A candidate for the next token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Its id.
    pub id: u32,
    /// Its logit.
    pub logit: f32,
}

impl Candidate {
    /// The order of candidates: NaN first, so that it is not missed, then by falling logit, and by
    /// rising id among equals.
    pub fn order(&self, other: &Self) -> Ordering {
        let by_logit = match (self.logit.is_nan(), other.logit.is_nan()) {
            (false, false) => other.logit.partial_cmp(&self.logit).unwrap_or(Ordering::Equal),
            (a, b) => b.cmp(&a),
        };
        by_logit.then(self.id.cmp(&other.id))
    }
}
