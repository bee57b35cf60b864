//! Judges answers: goldens, comparisons, proofs of the tier, and every outcome.

pub mod capability;
pub mod compare;
pub mod golden;
pub mod outcome;
pub mod proof;
