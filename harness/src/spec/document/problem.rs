//! One thing that is wrong with a document, and all of them together.
//!
//! Rendering is miette's; the exit code is the command's.

use std::fmt::Display;
use std::ops::Range;
use std::sync::Arc;

use miette::{Diagnostic, NamedSource, SourceSpan};

/// One thing that is wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Diagnostic)]
#[error("{message}")]
pub struct Problem {
    message: String,
    #[label("{label}")]
    span: Option<SourceSpan>,
    label: String,
    #[help]
    hint: Option<String>,
}

impl Problem {
    /// A problem at these bytes of the document; `label` is what stands under them.
    pub(crate) fn at(span: Range<usize>, message: String, label: impl Into<String>) -> Self {
        Self { message, span: Some(span.into()), label: label.into(), hint: None }
    }

    /// A problem of the document as a whole.
    pub(crate) fn whole(message: String) -> Self {
        Self { message, span: None, label: String::new(), hint: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn hint_if(mut self, hint: Option<String>) -> Self {
        self.hint = hint.or(self.hint);
        self
    }

    /// What is wrong, on one line.
    pub fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn offset(&self) -> usize {
        self.span.map_or(0, |span| span.offset())
    }
}

/// A document with everything that is wrong with it.
#[derive(Debug, Clone, thiserror::Error, Diagnostic)]
#[error("`{name}` can't be used: {} problem{}", problems.len(), if problems.len() == 1 { "" } else { "s" })]
pub struct InvalidDocument {
    name: String,
    #[source_code]
    source_code: NamedSource<Arc<str>>,
    #[related]
    problems: Vec<Problem>,
}

impl InvalidDocument {
    pub(crate) fn new(name: &str, text: &str, problems: Vec<Problem>) -> Self {
        let source_code = NamedSource::new(name, Arc::from(text)).with_language("TOML");
        Self { name: name.to_owned(), source_code, problems }
    }

    /// A document that could not even be read.
    pub(crate) fn unreadable(name: &str, error: &std::io::Error) -> Self {
        Self::new(name, "", vec![Problem::whole(format!("can't read it: {error}"))])
    }

    /// Never empty.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

/// Every document that stands in the way, reported at once.
#[derive(Debug, Clone, thiserror::Error, Diagnostic)]
#[error("the configuration can't be used")]
pub struct InvalidConfiguration {
    #[related]
    documents: Vec<InvalidDocument>,
}

impl InvalidConfiguration {
    pub(crate) fn new(documents: Vec<InvalidDocument>) -> Self {
        Self { documents }
    }

    /// Never empty.
    pub fn documents(&self) -> &[InvalidDocument] {
        &self.documents
    }
}

/// How much alike two names must be for one to be offered in place of the other; by trial, what
/// lets `borwsers` through and keeps `opera` from becoming `safari`.
const ALIKE: f64 = 0.75;

/// `` did you mean `x`? ``, for the candidate that is nearest to what was found.
pub(crate) fn did_you_mean<S: AsRef<str>>(found: &str, candidates: &[S]) -> Option<String> {
    let distance = |candidate: &str| strsim::jaro(&found.to_lowercase(), &candidate.to_lowercase());
    let nearest = candidates
        .iter()
        .map(|candidate| (distance(candidate.as_ref()), candidate.as_ref()))
        .filter(|(alike, _)| *alike > ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))?;
    Some(format!("did you mean `{}`?", nearest.1))
}

/// Names, ready to print.
pub(crate) fn names<T: Display>(names: impl IntoIterator<Item = T>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
