//! What is asked for: cells, matrices, scenarios, faults, and how a browser is launched.
//!
//! Pure values, read from TOML and checked. Later floors decide what a run makes of them.

pub mod adapter;
pub mod bundle;
pub mod cell;
pub mod document;
pub mod environment;
pub mod fault;
pub mod launch;
pub mod matrix;
pub mod naming;
pub mod reference;
pub mod scenario;
pub mod tolerance;
