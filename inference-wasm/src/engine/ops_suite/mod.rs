//! The op suite: every op, weight type and shape of a table, on a backend against the scalar
//! reference.
//!
//! Both get the same seeded inputs in one process, in a page too. Outputs are poisoned before, and
//! what is behind them is looked at afterwards; a value may be off by a bound that counts
//! roundings ([`bounds`]), never by what was once measured. How a report reaches anybody is the
//! [runner](super::runner)'s business.
//!
//! To add a case, add a line to the [`table`]; to add an op, a type that is an [`Op`] beside those
//! of its family, and its bound to the list in [`bounds`].

mod attention;
mod bounds;
mod case;
mod compare;
mod elementwise;
mod guard;
mod inputs;
mod norms;
mod op;
mod products;
mod rope;
mod run;
mod selection;
mod table;

pub use case::Case;
pub use run::{Tally, run};
pub use table::cases;

#[cfg(test)]
mod tests;
