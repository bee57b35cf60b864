//! The messages of the hybrid client: its configuration, inputs, effects and results.
//!
//! These are data. [`client`](crate::client) decides what follows from them.

mod breaker;
mod config;
mod device;
mod effect;
mod experiment;
mod input;
mod model;
mod mutant;
pub mod output;
mod page;
mod reason;
mod routing;
mod state;
mod storage;
pub mod telemetry;
mod tier;

pub use breaker::{Breaker, BreakerLimits, Breakers};
pub use config::{Config, Deadlines, Enrolment, RecoveryLimits, Start};
pub use device::{Battery, Capabilities, Connection, Form, FormHints};
pub use effect::{Begin, Effect};
pub use experiment::{Arm, Experiment};
pub use input::{
    DeviceFailure, End, Generation, Input, LocalEvent, LossReason, Pressure, Request, ServerEvent,
    Token,
};
pub use model::{ModelVariant, Versions};
pub use mutant::ClientFault;
pub use output::{Answer, AnswerTimings, ClientError, ClientErrorKind, FallbackStep, Usage};
pub use page::{ClientAction, ClientInspection, ClientRun, ClientStart, ClientStarted, Shim};
pub use reason::Reason;
pub use routing::{Complexity, Preference, RouterConfig};
pub use state::{State, Transition};
pub use storage::{Place, StorageTrouble, Stored, StoredShard};
pub use telemetry::{TELEMETRY_VERSION, TelemetryRecord};
pub use tier::{DeviceTier, Tier};
