//! Compares an answer with its golden.
//!
//! Pure: values in, comparisons out. Goldens come from [`crate::judge::golden`], tolerances from
//! the matrix.

mod comparison;
mod logits;
mod tokens;

pub use comparison::{
    Candidate, Comparison, Divergence, Flip, LogitsComparison, Mismatch, TokensComparison,
};
pub use logits::compare_logits;
pub use tokens::{Extent, MeasuredTokens, compare_tokens};
