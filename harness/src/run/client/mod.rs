//! One attempt at a cell of the hybrid client: opens its page, does what the scenario asks for, and
//! judges what the user got.
//!
//! An attempt ends with the first thing that is wrong. A planned fault that was not injected is
//! infrastructure trouble, whatever the client did. Launching, retrying and reporting are up to the
//! caller.

mod execute;
mod fold;
mod injections;
mod judge;
mod offer;
mod page;
mod planned;
mod request;
mod state;
mod steps;
mod trace;
mod visit;

pub(super) use execute::execute;
pub(super) use state::ClientStage;
