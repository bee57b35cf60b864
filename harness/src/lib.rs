//! Proves that AI inference in the browser gives the right answer on every tier.
//!
//! [`lab`] is the way in. The example `run_matrix` runs some cells of a matrix:
//!
//! ```no_run
#![doc = include_str!("../examples/run_matrix.rs")]
//! ```
//!
//! The other modules are hidden here. They are public only for the project's own command and tests,
//! and may change at any time. They are floors: each imports only from those above it in `lib.rs`,
//! and no two files import each other, which `tests/tests/floors.rs` checks. A matrix is read
//! (`spec`), planned (`plan`), driven through browsers (`drive`) and run (`run`); answers are judged
//! against goldens (`judge`); reporters (`report`) and the command (`cli`) show the result.

#[doc(hidden)]
pub mod spec;

#[doc(hidden)]
pub mod fetch;

#[doc(hidden)]
pub mod judge;

#[doc(hidden)]
pub mod drive;
#[doc(hidden)]
pub mod plan;

#[doc(hidden)]
pub mod engines;
#[doc(hidden)]
pub mod serve;

#[doc(hidden)]
pub mod run;

#[doc(hidden)]
pub mod bench;
#[doc(hidden)]
pub mod report;
#[doc(hidden)]
pub mod setup;

pub mod lab;

#[doc(hidden)]
pub mod cli;
