//! The library behind the `tierproof` command: plans a matrix, drives browsers through it, and
//! judges what comes back.
//!
//! The modules are floors. Each imports only from those above it in this list, and no two files
//! import each other; `tests/tests/floors.rs` holds both.

pub mod spec;

pub mod fetch;
pub mod judge;
pub mod plan;

pub mod drive;
pub mod engines;
pub mod serve;

pub mod run;

pub mod bench;
pub mod report;
pub mod setup;

pub mod cli;
