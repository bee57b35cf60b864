//! From a plan to verdicts: attempts, retries, deadlines, and the one stream of events.
//!
//! [`run`] carries a plan out: workers take groups of cells, the dispatcher turns their messages
//! into events, and an interrupt by the user ends them in order.

mod attempt;
mod client;
mod context;
mod conversation;
pub(crate) mod dispatcher;
mod engine;
pub mod event;
mod execute;
pub mod exit;
pub mod generate;
mod mutant;
pub mod ops;
mod probe;
mod schedule;
mod worker;

pub(crate) use conversation::Conversation;
pub use execute::{Run, run};
pub use mutant::Mutant;
pub(crate) use probe::probe;
