//! Measures how long the hybrid client takes to continue an answer after the GPU process has crashed,
//! phase by phase.
//!
//! Each round asks for a long answer, crashes the process in the middle of it, and waits for the
//! first token that the user had not seen. Times are the page's own; this process stamps the crash
//! on the clock of the same machine. The scenarios show that the answer is right; here a recovery
//! only has to happen, on the same tier.

mod crash;
mod lap;
mod trial;

pub use crash::crash;
pub use lap::{Lap, table};
pub use trial::{Crash, RecoveryError, Trial};
