//! What a machine needs for a run, for the tests and for generating goldens, and how to install it.
//!
//! One [table](table::REQUIREMENTS) lists what is needed, why, how it is found and how it is
//! installed. `tierproof doctor` ([`doctor`]) prints what is found on this machine, `tierproof
//! setup` ([`setup`]) installs the rest. The decisions ([`check`], [`fix`], [`plan`]) are pure over
//! a [`machine::Machine`]; only [`perform`] and the versions that `doctor` prints start programs.
//!
//! For a browser, only the existence of its files is reported here; `tierproof probe` finds out
//! whether a session opens.

mod check;
mod command;
#[cfg(test)]
mod fake;
mod fix;
mod machine;
mod models;
mod perform;
mod plan;
mod requirement;
mod show;
mod table;

pub use command::{DoctorArgs, SetupArgs, doctor, setup};
pub use perform::SetupError;
pub use requirement::Purpose;
