//! Shared by the tests: the command under test, the log of a run, and processes seen from
//! outside. The tests themselves are in `tests/`.

pub mod command;
pub mod fake;
pub mod log;
pub mod modules;
pub mod processes;
