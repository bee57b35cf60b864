//! A model file: its metadata, its hyper-parameters, and where its weights lie.
//!
//! Everything here borrows from the bytes of the file and checks before it believes; nothing
//! computes. Turning weights into numbers is the business of [`quant`](super::quant), running
//! them that of [`transformer`](super::transformer).

mod activation;
mod architecture;
mod cursor;
mod error;
mod finder;
mod gguf;
mod hyper;
mod keys;
mod metadata;
mod rope;
mod weights;

pub use activation::Activation;
pub use architecture::{ARCHITECTURES, Architecture};
pub use error::{ModelError, Reason};
pub use gguf::{Gguf, TensorInfo};
pub use hyper::HyperParameters;
pub use metadata::{FromValue, Metadata};
pub use rope::{Factors, Rope, RotaryPairs, Scaling};
pub use weights::{LayerWeights, RopeFactors, Weights};

#[cfg(test)]
mod tests;
