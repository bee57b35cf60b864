//! Tests of the machine: scenarios one by one, random sequences, and the seeded faults.

mod auditor;
mod scenarios;
mod world;
