//! How weights are stored: one file for each format.
//!
//! A [`Format`] gives sizes and the function that turns blocks into numbers. To add one, write its
//! file and add it to [`FORMATS`]; each backend then needs a kernel for it. Nothing here knows
//! tensors or models.

mod bf16;
mod f16;
mod f32;
mod format;
pub(crate) mod iq4_nl;
pub(crate) mod q2_k;
pub(crate) mod q3_k;
pub(crate) mod q4_0;
pub(crate) mod q4_1;
pub(crate) mod q4_k;
pub(crate) mod q5_0;
pub(crate) mod q5_1;
pub(crate) mod q5_k;
pub(crate) mod q6_k;
pub(crate) mod q8_0;
pub(crate) mod superblock;
mod table;

pub use format::Format;
pub use table::FORMATS;
