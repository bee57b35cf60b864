//! How far an answer may be from its golden.

use serde::{Deserialize, Serialize};

/// The limits of how far an answer may differ, under a name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ToleranceClass {
    /// The class's name in the matrix.
    #[serde(default)]
    pub name: String,
    /// Mean over rows of KL(reference ‖ measured), in nats.
    pub mean_kld: f64,
    /// The largest KL(reference ‖ measured) of any row, in nats.
    pub max_kld: f64,
    /// The largest difference of any logit, after the mean difference of its row is subtracted
    /// (shifting a whole row changes no probability).
    pub max_abs: f64,
    /// A token may differ from the reference's where the reference prefers its own by no more than
    /// this, in logits.
    pub flip_margin: f64,
}
