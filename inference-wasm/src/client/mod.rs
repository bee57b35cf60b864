//! The hybrid client: which tier answers, what happens when it fails, and what is told about it.
//!
//! All of it is pure. Time is an argument, everything that happens outside is an [`Input`], and
//! everything that is to be done there is an [`Effect`]; nothing here knows a browser, a clock or
//! a network. So every sequence of faults can be played natively, in microseconds.
//!
//! Start with [`machine::Client`]; each other module is one subject that it decides by.
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
