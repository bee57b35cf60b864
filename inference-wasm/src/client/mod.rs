//! The hybrid client: which tier answers a request, what happens when a tier fails, and what is
//! reported about it.
//!
//! The client is pure. Time is an argument, every external event is an [`Input`], and every
//! external action is an [`Effect`]; it uses no browser, clock or network. So tests can run any
//! sequence of faults natively, in microseconds.
//!
//! Start with [`machine::Client`]; each other module covers one subject of its decisions. The data
//! types are defined in [`protocol::client`](crate::protocol::client).
//!
//! [`Input`]: machine::Input
//! [`Effect`]: machine::Effect

pub mod breaker;
pub mod cache;
pub mod capability;
pub mod cohort;
pub mod machine;
pub mod registry;
pub mod router;
pub mod tier;

pub use crate::protocol::client::{output, telemetry};

#[cfg(test)]
pub(crate) mod fixtures;
