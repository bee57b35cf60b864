//! Tests of the machine: scenarios one by one, random sequences, and the seeded faults.

mod auditor;
#[cfg(feature = "seeded-faults")]
mod mutants;
mod random;
mod scenarios;
mod world;
