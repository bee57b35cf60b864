//! From the bytes of a model file to tokens.
//!
//! Read [`transformer`] first: it is the forward pass, in the order of the paper. [`model`] gives it
//! weights, [`backend`] does its arithmetic, [`tokenizer`] and [`sampler`] are its two ends,
//! [`session`] turns it into a conversation, and [`runner`] carries out the host's commands with it.
//!
//! The modules below are listed from the lowest floor to the highest. Each imports only from the
//! floors above it in the list and from [`protocol`](crate::protocol).

// Errors, vector lanes, allocations, stored weight types.
mod error;
mod lanes;
mod memory;
pub mod quant;

// The model file.
pub mod model;

// Tokenization, and the defects of a test build.
mod mutant;
pub mod tokenizer;

// Arithmetic.
pub mod backend;

// Users of a backend.
pub mod canary;
pub mod ops_suite;
pub mod sampler;
pub mod transformer;

// A loaded model and its conversation.
pub mod session;

// The host's commands.
pub mod host;
pub mod runner;
