//! Experiments and their arms.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An experiment with weighted arms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Experiment {
    /// Its name; a new name reassigns all visitors.
    pub name: String,
    /// The arms, in order.
    pub arms: Vec<Arm>,
}

/// An arm of an experiment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Arm {
    /// Its name.
    pub name: String,
    /// Its share of visitors relative to the other arms; 0 for none.
    pub weight: u32,
    /// The model variant that it prefers; `None` does not change the choice.
    #[serde(default)]
    pub variant: Option<String>,
}
