//! The op suite on pages, without a matrix: tests one backend, and reports the results of several.

mod suite;
mod table;
#[cfg(test)]
mod tests;

pub use suite::{Held, HeldResult, Settings, exit, hold};
pub use table::render;
