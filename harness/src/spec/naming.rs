//! Names in messages: the list of those that are known, and the one that was probably meant.

use std::fmt::Display;

/// How similar two names must be for one to be suggested in place of the other, as a Jaro
/// similarity. Found by trial: `borwsers` gets a suggestion, and `opera` doesn't become `safari`.
const SIMILAR: f64 = 0.75;

/// `` did you mean `x`? ``, for the candidate that is most similar to what was found.
pub(crate) fn did_you_mean<S: AsRef<str>>(found: &str, candidates: &[S]) -> Option<String> {
    let found = found.to_lowercase();
    let similarity = |candidate: &str| strsim::jaro(&found, &candidate.to_lowercase());
    let closest = candidates
        .iter()
        .map(|candidate| (similarity(candidate.as_ref()), candidate.as_ref()))
        .filter(|(similarity, _)| *similarity > SIMILAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))?;
    Some(format!("did you mean `{}`?", closest.1))
}

/// Names, ready to print.
pub(crate) fn names<T: Display>(names: impl IntoIterator<Item = T>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// A name that is not one of the known ones.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} `{found}`, expected one of {expected}")]
pub struct UnknownName {
    /// The kind of name: `browser`, `backend`.
    pub what: &'static str,
    /// The unknown name.
    pub found: String,
    /// The known names, ready to print.
    pub expected: String,
}

impl UnknownName {
    pub(crate) fn new<T: Display>(what: &'static str, found: &str, known: &[T]) -> Self {
        Self { what, found: found.to_owned(), expected: names(known) }
    }
}
