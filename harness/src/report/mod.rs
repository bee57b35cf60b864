//! Reports a run: on the terminal, in a log, for a CI service, and as a page for people.
//!
//! A [`Reporter`] sees nothing but the stream of [`RunEvent`](crate::run::event::RunEvent)s, so a
//! replayed log makes the reports of its run. [`Reporters`] passes every event to all of them.
//! What an outcome means is decided in [`crate::judge::outcome`].
//!
//! | report | module | written |
//! |---|---|---|
//! | terminal | [`terminal`] | as events arrive |
//! | `run.jsonl` | [`jsonl`] | line by line, so the log of a killed run can be read |
//! | `junit.xml` | [`junit`] | at the end, atomically |
//! | `index.html` | [`html`] | at the end, atomically |

pub mod html;
pub mod jsonl;
pub mod junit;
mod proof;
pub(crate) mod record;
pub mod replay;
mod reporter;
pub(crate) mod resilience;
#[cfg(test)]
pub(crate) mod sample;
pub mod terminal;
pub(crate) mod wording;

pub(crate) use reporter::write_whole;
pub use reporter::{ReportError, ReportErrors, Reporter, Reporters};
