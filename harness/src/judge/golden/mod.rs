//! Goldens: the answers of the independent reference, by model and scenario.
//!
//! Owns the format, its checks, and the lookup in `golden/`. Only [`generate`] writes a golden,
//! from `fixtures/reference/`: never an engine under test, and never a run. Comparing an answer
//! with a golden is left to [`crate::judge::compare`].

pub mod check;
mod error;
pub(crate) mod format;
pub mod generate;
mod logits;
pub(crate) mod python;
mod store;
mod traces;

pub use crate::spec::reference::ReferenceKind;
pub use error::GoldenError;
pub use format::{
    CaseRequest, GOLDEN_FORMAT, Golden, GoldenCase, LogitsFile, Reference, Step, TopToken,
};
pub use logits::{LogitsGolden, Rows};
pub use store::Goldens;
pub(crate) use traces::Compared;
pub use traces::Traces;
