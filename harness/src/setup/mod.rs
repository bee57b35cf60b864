//! What a machine needs for a run, for the tests and for making goldens; and how it gets there.
//!
//! One table, [`requirement::requirements`], says what is needed, why, how it is found and how it
//! is mended. `tierproof doctor` ([`doctor`]) prints what the table finds here, `tierproof setup`
//! ([`setup`]) mends what it does not. The decisions ([`check`], [`mend`], [`plan`]) are pure over
//! a [`machine::Machine`]; only [`perform`] and the versions that `doctor` asks for start programs.
//!
//! It drives no browser and builds no bundle; and of a browser it only says that its files are
//! there: whether a session opens is for `tierproof probe` to find out.

pub(crate) mod check;
mod command;
#[cfg(test)]
mod fake;
pub(crate) mod machine;
pub(crate) mod mend;
mod models;
pub(crate) mod perform;
pub(crate) mod plan;
pub(crate) mod requirement;
pub(crate) mod show;

pub use command::{DoctorArgs, SetupArgs, doctor, setup};
pub use perform::SetupError;
pub use requirement::Purpose;
