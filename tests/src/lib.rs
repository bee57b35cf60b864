//! What the tests share: the command under test, the log that a run leaves, processes seen from
//! outside. The tests themselves are in `tests/`.

pub mod command;
pub mod fake;
pub mod log;
pub mod modules;
pub mod processes;
