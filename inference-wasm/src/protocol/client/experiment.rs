//! An experiment with its arms.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An experiment, its arms weighted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Experiment {
    /// Its name; another name shuffles all visitors anew.
    pub name: String,
    /// The arms in order.
    pub arms: Vec<Arm>,
}

/// An arm of an experiment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Arm {
    /// Its name.
    pub name: String,
    /// Its share of visitors, relative to the others; 0 for none.
    pub weight: u32,
    /// The model variant that it is about; `None` leaves the choice as it is.
    #[serde(default)]
    pub variant: Option<String>,
}
