//! The op suite: its request and its report.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::execution::{BackendName, ExecutionReport};
use super::mutant::SeededFault;

/// Compares every op of a backend with the scalar reference. Needs no model, and does not touch a
/// loaded one.
///
/// ```
/// # use inference_wasm::protocol::{Action, Command};
/// let json = r#"{"id":1,"action":{"do":"ops","backend":"webgl","filter":"matmul/Q8_0/*"}}"#;
/// let command: Command = serde_json::from_str(json).unwrap();
/// assert!(matches!(command.action, Action::Ops(_)));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OpsRequest {
    /// The backend to test; not the reference itself.
    pub backend: BackendName,
    /// Only cases whose name (`matmul/Q8_0/rows=5,columns=96,outputs=33`) contains this text. With
    /// `*`, which stands for any text, the whole name must match.
    #[serde(default)]
    pub filter: Option<String>,
    /// The mutant to be, for tests of the harness. A build without mutants refuses it.
    #[serde(default)]
    pub fault: Option<SeededFault>,
}

/// The results of the op suite on one backend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OpsReport {
    /// Cases in the table, regardless of the filter.
    pub table_cases: u32,
    /// Counts of cases by op and weight type, in the order of the table.
    pub tallies: Vec<OpTally>,
    /// The passed case of each op that came closest to its bound, in the order of the table.
    pub worst: Vec<OpWorst>,
    /// Every failed case.
    pub failures: Vec<OpFailure>,
    /// Milliseconds in total, including the reference's part.
    pub elapsed_ms: f64,
    /// How it was executed.
    pub execution: ExecutionReport,
}

impl OpsReport {
    /// Number of passed cases.
    pub fn passed(&self) -> u32 {
        self.tallies.iter().map(|tally| tally.passed).sum()
    }

    /// Number of failed cases.
    pub fn failed(&self) -> u32 {
        self.tallies.iter().map(|tally| tally.failed).sum()
    }
}

/// The cases of one op and weight type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OpTally {
    /// The op: `matmul`.
    pub op: String,
    /// Type of its weights or of its cache: `Q8_0`. `F32` for an op that has neither.
    pub weights: String,
    /// Cases that passed.
    pub passed: u32,
    /// Cases that failed.
    pub failed: u32,
    /// Cases of an op that the backend does not implement; they do not count as passed.
    pub left_out: u32,
    /// Cases that ran without guard space after their rows, in which a stray write would have
    /// shown.
    pub unguarded: u32,
}

/// The case of an op that came closest to its bound.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OpWorst {
    /// The op.
    pub op: String,
    /// The case's name.
    pub case: String,
    /// The absolute error of a value.
    pub error: f64,
    /// The error that is allowed for that value.
    pub allowed: f64,
    /// The ratio of the two; 0 without an error.
    pub ratio: f64,
    /// The largest normalized mean squared error of any case of the op:
    /// `Σ (found − expected)² / Σ expected²`.
    pub nmse: f64,
}

/// A failed case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OpFailure {
    /// The case's name: op, weight type and shape.
    pub case: String,
    /// What failed, where, expected and found, for people; names the case and the backend.
    pub message: String,
}
