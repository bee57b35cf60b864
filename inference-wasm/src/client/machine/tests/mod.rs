//! Tests of the machine: single scenarios, random sequences, and mutants.

mod auditor;
#[cfg(feature = "seeded-faults")]
mod mutants;
mod random;
mod scenarios;
mod world;
