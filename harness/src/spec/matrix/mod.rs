//! The matrix: the cells to run, with their limits and tolerances.
//!
//! A TOML file becomes a `MatrixSpec` as written and a [`Matrix`] as resolved: every name is looked
//! up, every glob expanded, and every problem reported at once. [`crate::plan`] makes its cells,
//! and [`crate::plan::expectation`] decides which of them can run on this machine.

mod coverage;
mod engines;
mod expand;
mod floors;
mod load;
mod pattern;
mod read;
mod resolve;
mod resolved;
mod schema;
mod spec;
#[cfg(test)]
pub(crate) mod tests;
mod timeouts;

pub use engines::EngineFacts;
pub use expand::{Excluded, Expansion, expand};
pub use floors::{Axis, Floors};
pub(crate) use pattern::Pattern;
pub use pattern::When;
pub use resolved::{Block, Exclude, Known, KnownFailure, Matrix, ModelFacts, Tolerance};
pub use schema::schema;
pub use timeouts::Timeouts;
