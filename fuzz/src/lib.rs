//! What a fuzzer feeds: one function for each thing that reads what strangers wrote.
//!
//! Each takes any bytes, must come back, and says whether the input was accepted by all that it
//! went through, so that a test can tell that its seeds reach the end. A panic is a finding. The
//! same functions replay the seeds and every past finding in `tests/tests/fuzz.rs`.
//!
//! Inputs of several parts are text with form feeds between them, so that seeds can be read.

#[cfg(feature = "command")]
pub mod command;
pub mod engine;
