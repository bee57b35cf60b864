//! One attempt at a cell of the engine: carries the scenario's steps out in a page and judges each
//! answer.
//!
//! An attempt ends with the first thing that is wrong. Nothing here knows which browser it runs in;
//! launching, retrying and reporting are up to the caller.

mod execute;
pub(super) mod judge;
mod session;
mod steps;

pub(super) use execute::execute;
