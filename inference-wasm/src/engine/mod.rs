//! From the bytes of a model file to tokens.
//!
//! Read [`transformer`] first: it is the forward pass, in the order of the paper. Everything
//! around it serves it: [`model`] gives it weights, [`backend`] gives it arithmetic,
//! [`tokenizer`] and [`sampler`] stand at its two ends, [`session`] turns it into a
//! conversation, and [`runner`] answers the host's commands with it.

pub mod backend;
pub mod canary;
pub mod host;
mod lanes;
mod memory;
pub mod model;
mod mutant;
pub mod ops_suite;
pub mod quant;
pub mod runner;
pub mod sampler;
pub mod session;
pub mod tokenizer;
pub mod transformer;
