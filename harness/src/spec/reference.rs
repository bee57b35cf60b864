//! The references that goldens can be made with.

use serde::{Deserialize, Serialize};

/// A reference, by the name that the catalogue uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ReferenceKind {
    /// The `llama` architecture in numpy; reads the model file.
    #[default]
    Numpy,
    /// The model classes of `transformers`, on the weights that the model file was made from.
    Transformers,
}

impl ReferenceKind {
    /// Every reference.
    pub const ALL: [Self; 2] = [Self::Numpy, Self::Transformers];

    /// The name in a golden.
    pub fn name(self) -> &'static str {
        match self {
            Self::Numpy => "numpy-float64",
            Self::Transformers => "transformers-float64",
        }
    }
}
