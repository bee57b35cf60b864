//! The messages of the hybrid client: its configuration, inputs, effects and results.
//!
//! These are data. [`client`](crate::client) decides what follows from them.

mod config;
mod device;
mod effect;
mod input;
mod model;
mod mutant;
pub mod output;
mod page;
mod reason;
mod state;
pub mod telemetry;
mod tier;

pub use super::loss::LossReason;
pub use config::{
    Arm, Breaker, BreakerLimits, Breakers, Complexity, Config, Deadlines, Enrolment, Experiment,
    Preference, RecoveryLimits, RouterConfig, Start,
};
pub use device::{Battery, Capabilities, Connection, Form, FormHints};
pub use effect::{Begin, Effect};
pub use input::{
    DeviceFailure, End, Generation, Input, LocalEvent, Pressure, Request, ServerEvent, Token,
};
pub use model::{ModelVariant, Place, StorageTrouble, Stored, StoredShard, Versions};
pub use mutant::ClientFault;
pub use output::{Answer, AnswerTimings, ClientError, ClientErrorKind, FallbackStep, Usage};
pub use page::{ClientAction, ClientInspection, ClientRun, ClientStart, ClientStarted, Shim};
pub use reason::Reason;
pub use state::{State, Transition};
pub use telemetry::{TELEMETRY_VERSION, TelemetryRecord};
pub use tier::{DeviceTier, Tier};
