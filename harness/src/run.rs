//! From a plan to verdicts: attempts, retries, deadlines, and the one stream of events.

pub(crate) mod dispatcher;
pub mod event;
pub mod exit;
