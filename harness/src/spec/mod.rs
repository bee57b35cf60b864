//! What is asked for: cells, matrices, scenarios, faults, and how a browser is to be launched.
//!
//! Pure values, read from TOML and checked. What a run makes of them is decided on later floors.

pub mod adapter;
pub mod bundle;
pub mod cell;
pub mod document;
pub mod fault;
pub mod launch;
pub mod matrix;
pub mod scenario;
pub mod tolerance;
