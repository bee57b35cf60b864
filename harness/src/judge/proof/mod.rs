//! Proof: the evidence that the outcome of a cell is what it claims.
//!
//! A pass takes a [`Proof`], and only the checks in this module make one, so a pass without proof
//! does not compile.

mod absence;
mod client;
mod tier;

use inference_wasm::protocol::ExecutionReport;
use serde::{Deserialize, Serialize};

pub(crate) use absence::is_gone;
pub use absence::{AbsenceProof, NoAbsence, Refusal, verify_absence};
pub use client::{ClientProof, FaultProof, RequestProof};
pub use tier::{Demand, MissingProof, TierProof, verify};

/// The evidence for a pass.
///
/// A log distinguishes them by their keys; a tier proof has the oldest form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Proof {
    /// The answer came from the tier of the cell.
    Tier(TierProof),
    /// The tier was switched off, and the engine reported so and computed nothing.
    Absence(AbsenceProof),
    /// Every answer of the hybrid client proves its tier, and every planned fault occurred.
    Client(ClientProof),
}

impl Proof {
    /// The execution report; `None` where nothing ran in a page.
    pub fn execution(&self) -> Option<&ExecutionReport> {
        match self {
            Self::Tier(proof) => Some(proof.execution()),
            Self::Absence(_) => None,
            Self::Client(proof) => proof.execution(),
        }
    }
}
