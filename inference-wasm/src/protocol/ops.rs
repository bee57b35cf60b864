//! The op suite: what the host asks for, and what came of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::execution::{BackendName, ExecutionReport};
use super::mutant::SeededFault;

/// Hold every op of a backend against the scalar reference. Needs no model, and leaves one that is
/// loaded alone.
///
/// ```
/// # use inference_wasm::protocol::{Action, Command};
/// let json = r#"{"id":1,"action":{"do":"ops","backend":"webgl","filter":"matmul/Q8_0/*"}}"#;
/// let command: Command = serde_json::from_str(json).unwrap();
/// assert!(matches!(command.action, Action::Ops(_)));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OpsRequest {
    /// The backend to hold; never the reference itself.
    pub backend: BackendName,
    /// Only cases whose name (`matmul/Q8_0/rows=5,columns=96,outputs=33`) has this in it, or, with
    /// a `*` for any text, is like it as a whole.
    #[serde(default)]
    pub filter: Option<String>,
    /// A defect to build in, for tests of the harness. Refused by a build without them.
    #[serde(default)]
    pub fault: Option<SeededFault>,
}

/// What came of the op suite on one backend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OpsReport {
    /// Cases that the table has, whatever the filter left.
    pub table_cases: u32,
    /// The count of cases by op and weight type, in the order of the table.
    pub tallies: Vec<OpTally>,
    /// How near to its bound each op came, of the cases that passed, in the order of the table.
    pub worst: Vec<OpWorst>,
    /// Every case that failed.
    pub failures: Vec<OpFailure>,
    /// Milliseconds that all of it took, the reference's part included.
    pub elapsed_ms: f64,
    /// How it was executed.
    pub execution: ExecutionReport,
}

impl OpsReport {
    /// Cases that ran and were right.
    pub fn passed(&self) -> u32 {
        self.tallies.iter().map(|tally| tally.passed).sum()
    }

    /// Cases that ran and were wrong.
    pub fn failed(&self) -> u32 {
        self.tallies.iter().map(|tally| tally.failed).sum()
    }
}

/// The cases of one op and weight type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OpTally {
    /// The op: `matmul`.
    pub op: String,
    /// How its weights, or the numbers of its cache, are stored: `Q8_0`. `F32` for an op that has
    /// neither.
    pub weights: String,
    /// Right.
    pub passed: u32,
    /// Wrong.
    pub failed: u32,
    /// An op that the backend leaves to others, which is no pass.
    pub left_out: u32,
    /// Of those that ran, how many have no room behind their rows in which a stray write would
    /// have shown.
    pub unguarded: u32,
}

/// The case of an op that came nearest to its bound.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OpWorst {
    /// The op.
    pub op: String,
    /// The case's name.
    pub case: String,
    /// How far a value was off.
    pub error: f64,
    /// How far that value may be off.
    pub allowed: f64,
    /// The error as a part of what is allowed; 0 where nothing was off.
    pub ratio: f64,
    /// The greatest normalized mean squared error of any case of the op:
    /// `Σ (found − expected)² / Σ expected²`.
    pub nmse: f64,
}

/// A case that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OpFailure {
    /// The case's name: op, weight type and shape.
    pub case: String,
    /// What, where, expected, found, for people; names the case and the backend.
    pub message: String,
}
