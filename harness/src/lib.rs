//! Proves that AI inference in the browser gives the right answer on every tier.
//!
//! [`lab`] is the way in. The example `run_matrix` runs some cells of a matrix:
//!
//! ```no_run
#![doc = include_str!("../examples/run_matrix.rs")]
//! ```
//!
//! The modules are floors: each imports only from those above it in this list, and no two files
//! import each other, which `tests/tests/floors.rs` checks. A matrix is read (`spec`), judged
//! against goldens (`judge`), planned (`plan`), driven through browsers (`drive`) and run (`run`);
//! reporters (`report`) and the command (`cli`) show the result.

pub mod spec;

pub mod fetch;

pub mod judge;

pub mod drive;
pub mod plan;

pub mod engines;
pub mod serve;

pub mod run;

pub mod bench;
pub mod report;
pub mod setup;

pub mod lab;

pub mod cli;
