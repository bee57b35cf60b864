//! A problem with a document, and a document with all of its problems.
//!
//! miette renders them; the command chooses the exit code.

use std::ops::Range;
use std::sync::Arc;

use miette::{Diagnostic, NamedSource, SourceSpan};

/// A problem with a document.
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
    /// A problem at these bytes of the document, with `label` printed under them.
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

    /// The problem, on one line.
    pub fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn offset(&self) -> usize {
        self.span.map_or(0, |span| span.offset())
    }
}

/// A document that can't be used, with every problem in it.
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

    /// A document whose file could not be read.
    pub(crate) fn unreadable(name: &str, error: &std::io::Error) -> Self {
        Self::new(name, "", vec![Problem::whole(format!("it can't be read: {error}"))])
    }

    /// The problems, at least one.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

/// Every document that can't be used, reported at once.
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

    /// The documents, at least one.
    pub fn documents(&self) -> &[InvalidDocument] {
        &self.documents
    }
}
