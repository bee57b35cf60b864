//! A fault with the moment of its injection.

use strum::{EnumString, IntoStaticStr, VariantNames};

use super::catalogue::Fault;
use crate::spec::document::Named;

/// A fault, and when it is injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultPlan {
    /// The fault.
    pub fault: Fault,
    /// The phase in which it is injected.
    pub at: FaultPhase,
    /// With [`FaultPhase::Decode`] and [`FaultPhase::Readback`]: after this many tokens.
    pub token: u32,
    /// Number of injections, 1 by default. A permanent fault has the largest number.
    pub times: u32,
    /// For faults with a measure: bytes, milliseconds or tokens; [`Fault`] says which.
    pub value: Option<u64>,
}

/// The phase in which a fault is injected.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    EnumString,
    IntoStaticStr,
    VariantNames,
)]
#[strum(serialize_all = "kebab-case")]
pub enum FaultPhase {
    /// From the start of the page.
    Start,
    /// At the first dispatch.
    Probe,
    /// While weights are fetched.
    Fetch,
    /// While the engine loads the model.
    Load,
    /// While the engine works through a prompt.
    Prefill,
    /// While it generates.
    Decode,
    /// While an answer is read back from the device.
    Readback,
    /// While the client is idle.
    Idle,
}

impl FaultPhase {
    /// The name in scenarios.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl Named for FaultPhase {
    const EXPECTED: &'static str = "the phase in which a fault is injected";
}
