//! Faults that users meet, injected on purpose, each with a proof that it took effect.
//!
//! A scenario names a [`Fault`] and the moment of its injection: a [`FaultPlan`]. The means differ
//! ([`Means`]): a shim between the page and the browser, our own server, the driver, or the flags
//! of the launch. In every case a run asks for a proof afterwards. A fault that did not happen shows
//! nothing about the product; it is trouble of the harness.
//!
//! The scenario decides which reaction to a fault is right.

mod catalogue;
mod means;
mod plan;
mod shard;

pub use catalogue::Fault;
pub use means::Nature;
pub(crate) use means::{DriverFault, Means};
pub use plan::{FaultPhase, FaultPlan};
pub use shard::ShardFault;
