//! Globs over names, and sets of them over the axes of a cell.
//!
//! Matrices and filters have the same rule: `*` matches any characters, slashes included, so
//! `scenario=*greedy` finds `tokens/greedy`. `?`, `[ab]` and `{a,b}` work as usual. Case matters.

use globset::{GlobBuilder, GlobMatcher};

use crate::spec::cell::CellId;

/// A text that is not a glob, with the reason.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub(crate) struct InvalidGlob(globset::ErrorKind);

/// One glob.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    text: String,
    matcher: GlobMatcher,
}

impl Pattern {
    /// Compiles a glob.
    pub(crate) fn new(text: &str) -> Result<Self, InvalidGlob> {
        let glob = GlobBuilder::new(text)
            .literal_separator(false)
            .backslash_escape(false)
            .build()
            .map_err(|error| InvalidGlob(error.kind().clone()))?;
        Ok(Self { text: text.to_owned(), matcher: glob.compile_matcher() })
    }

    /// Whether it matches a whole name.
    pub(crate) fn matches(&self, name: &str) -> bool {
        self.matcher.is_match(name)
    }

    /// Whether it is a plain name, without special characters.
    pub(crate) fn is_name(&self) -> bool {
        !self.text.contains(['*', '?', '[', ']', '{', '}'])
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }
}

/// A set of cells: globs for each axis. An empty axis matches every value.
#[derive(Debug, Clone, Default)]
pub struct When {
    pub(super) browsers: Vec<Pattern>,
    pub(super) backends: Vec<Pattern>,
    pub(super) engines: Vec<Pattern>,
    pub(super) models: Vec<Pattern>,
    pub(super) scenarios: Vec<Pattern>,
    pub(super) weights: Vec<Pattern>,
    /// In lower case. Only a tolerance has them, since an adapter is known only after it has computed.
    pub(super) adapters: Vec<Pattern>,
}

impl When {
    /// Whether an adapter's or renderer's name matches one of the globs, in any case.
    pub(crate) fn names_adapter(&self, adapter: &str) -> bool {
        let adapter = adapter.to_lowercase();
        self.adapters.iter().any(|pattern| pattern.matches(&adapter))
    }

    /// Whether a cell matches on every axis but the adapters; `weights` is the type of its model's
    /// weights.
    pub fn matches(&self, cell: &CellId, weights: &str) -> bool {
        let axes = [
            (&self.browsers, cell.browser.as_str()),
            (&self.backends, cell.backend.as_str()),
            (&self.engines, cell.engine.as_str()),
            (&self.models, cell.model.as_str()),
            (&self.scenarios, cell.scenario.as_str()),
            (&self.weights, weights),
        ];
        axes.iter().all(|(patterns, value)| {
            patterns.is_empty() || patterns.iter().any(|pattern| pattern.matches(value))
        })
    }
}
