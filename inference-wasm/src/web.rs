//! The page glue.
