//! The progress of a fetch.

/// One report of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchProgress {
    /// A new step begins.
    Step(String),
    /// Bytes of this step so far, and in all.
    Bytes(u64, u64),
}

/// Receives the progress of a fetch.
pub(crate) type Progress<'p> = &'p mut dyn FnMut(FetchProgress);
