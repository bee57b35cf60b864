//! Every message between the host and a page, and the reports that travel in them.
//!
//! Control goes down as a [`Command`] over WebDriver; everything comes back up as
//! [`PageEvent`]s over HTTP, numbered without gaps from 0. Logits are too large for JSON and come
//! as their own request, see [`LogitsRef`]. What a message means for a verdict is not decided
//! here.
//!
//! The format is versioned: a page whose [`PROTOCOL_VERSION`] is not the host's is refused, with
//! the advice to rebuild the bundle.

mod capability;
mod client;
mod command;
mod event;
mod execution;
mod loss;
mod ops;

pub use capability::{
    CapabilityReport, StorageReport, WasmReport, WebGl2Report, WebGpuAdapter, WebGpuReport,
};
pub use client::{ClientAction, ClientInspection, ClientRun, ClientStart, ClientStarted, Shim};
pub use command::{
    Action, CacheType, Command, GenerateRequest, LoadRequest, LogitsWanted, Message, ModelManifest,
    Prompt, Role, Sampling, ScoreRequest, SeededFault, Shard,
};
pub use event::{
    EngineError, EngineErrorKind, FinishReason, Finished, Generated, GpuTime, Loaded, LogitsRef,
    PageEvent, PageEventKind, Phase, Scored, Timings,
};
pub use execution::{BackendName, BundleName, Canary, ExecutionReport, SimdLevel};
pub use loss::LossReason;
pub use ops::{OpFailure, OpTally, OpWorst, OpsReport, OpsRequest};

/// Raised whenever a message changes its shape or its meaning.
pub const PROTOCOL_VERSION: u32 = 3;
