//! A model file: its metadata, its hyper-parameters, and the places of its weights.
//!
//! Everything here borrows from the bytes of the file and checks them before use; nothing computes.
//! [`quant`](super::quant) turns stored weights into numbers, and
//! [`transformer`](super::transformer) runs them.

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
