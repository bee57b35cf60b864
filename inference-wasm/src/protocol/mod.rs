//! Every message between the host and a page, and the reports that they carry.
//!
//! The host sends a [`Command`] over WebDriver. The page sends [`PageEvent`]s over HTTP, numbered
//! from 0 without gaps. Logits are too large for JSON and have a request of their own, see
//! [`LogitsRef`]. This module does not decide what a message means for a verdict.
//!
//! The format is versioned: the host refuses a page whose [`PROTOCOL_VERSION`] differs from its
//! own, and advises rebuilding the bundle.

pub mod adapter;
mod capability;
pub mod client;
mod command;
mod error;
mod event;
mod execution;
mod loss;
mod mutant;
mod ops;
mod request;
mod result;

pub use capability::{
    CapabilityReport, StorageReport, WasmReport, WebGl2Report, WebGpuAdapter, WebGpuReport,
};
pub use client::{ClientAction, ClientInspection, ClientRun, ClientStart, ClientStarted, Shim};
pub use command::{Action, Command};
pub use error::{EngineError, EngineErrorKind};
pub use event::{Finished, PageEvent, PageEventKind, Phase};
pub use execution::{BackendName, BundleName, Canary, ExecutionReport, SimdLevel};
pub use loss::LossReason;
pub use mutant::SeededFault;
pub use ops::{OpFailure, OpTally, OpWorst, OpsReport, OpsRequest};
pub use request::{
    CacheType, GenerateRequest, LoadRequest, LogitsWanted, Message, ModelManifest, Prompt, Role,
    Sampling, ScoreRequest, Shard,
};
pub use result::{FinishReason, Generated, GpuTime, Loaded, LogitsRef, Scored, Timings};

/// Incremented whenever a message changes its shape or its meaning.
pub const PROTOCOL_VERSION: u32 = 3;

#[cfg(test)]
mod tests {
    use std::fmt::Display;

    use serde::Serialize;
    use strum::VariantArray;

    use super::client::{ClientErrorKind, ClientFault, Reason, State, Tier};
    use super::*;

    fn check<T: VariantArray + Display + Serialize>() {
        for name in T::VARIANTS {
            assert_eq!(serde_json::to_value(name).unwrap(), name.to_string());
        }
    }

    #[test]
    fn names_are_those_of_json() {
        check::<BackendName>();
        check::<SimdLevel>();
        check::<BundleName>();
        check::<EngineErrorKind>();
        check::<Phase>();
        check::<State>();
        check::<Tier>();
        check::<Reason>();
        check::<ClientErrorKind>();
        for fault in SeededFault::ALL {
            assert_eq!(serde_json::to_value(fault).unwrap(), fault.as_str());
        }
        for fault in ClientFault::ALL {
            assert_eq!(serde_json::to_value(fault).unwrap(), fault.as_str());
        }
        assert_eq!(SeededFault::ALL, SeededFault::VARIANTS);
        assert_eq!(ClientFault::ALL, ClientFault::VARIANTS);
        assert_eq!(format!("{:<12}|", Reason::BornLost), "born-lost   |");
    }
}
