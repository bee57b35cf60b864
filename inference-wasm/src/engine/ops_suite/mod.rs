//! The op suite: every op, weight type and shape of a table, on a backend and on the scalar
//! reference.
//!
//! Both get the same seeded inputs in one process, in a page too. Outputs are poisoned beforehand,
//! and the room after them is checked afterwards. A value may be off by a bound that counts
//! roundings ([`bounds`]), never by a measured distance. The [runner](super::runner) delivers the
//! report.
//!
//! To add a case, add a line to the [`table`]. To add an op, implement [`Op`](op::Op) for a type
//! beside those of its family, name it in [`case`], and add its bound to the list in [`bounds`].

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
