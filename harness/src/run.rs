//! From a plan to verdicts: attempts, retries, deadlines, and the one stream of events.

pub mod event;
