//! The language of `tierproof run --filter EXPR`, which narrows a plan.
//!
//! It is documented in [`GRAMMAR`], which is also the command's help. A filter only removes cells.

use std::ops::Range;

use miette::SourceSpan;

use crate::spec::cell::{BrowserName, CellId, parse_backend};
use crate::spec::document::{did_you_mean, names};
use crate::spec::matrix::{Axis, Pattern};

/// The language, for `--help`.
pub const GRAMMAR: &str = "\
Terms between spaces; a cell has to match all of them:
  axis=glob[,glob…]   the value is matched by one of the globs
  axis!=glob[,glob…]  the value is matched by none of them
  glob                the whole id, browser/backend/engine/model/scenario, is matched
The axes are browser, backend, engine, model and scenario. In a glob, `*` stands for any
characters, slashes among them, `?` for one, `[ab]` for one of these. Case counts.

  browser=chrome,firefox scenario=lifecycle/*
  model=*Q4_0 scenario!=load/*
  chrome/wasm/*greedy";

/// An expression that was read.
#[derive(Debug, Clone)]
pub struct Filter {
    /// The option as given: `` `--filter model=*Q8_0` ``.
    as_given: String,
    terms: Vec<Term>,
}

#[derive(Debug, Clone)]
struct Term {
    /// `None` for the whole id.
    axis: Option<Axis>,
    is_negated: bool,
    patterns: Vec<Pattern>,
}

/// An expression that can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, miette::Diagnostic)]
#[error("{message}")]
pub struct FilterError {
    message: String,
    #[source_code]
    expression: String,
    #[label("here")]
    span: SourceSpan,
    #[help]
    hint: Option<String>,
}

impl Filter {
    /// Reads an expression of `--filter`.
    ///
    /// # Errors
    /// The first term that can't be read, with its place.
    pub fn parse(expression: &str) -> Result<Self, FilterError> {
        let words = words(expression);
        if words.is_empty() {
            let hint = "give a term, such as `browser=chrome`";
            return Err(error(
                expression,
                0..0,
                "the filter is empty".to_owned(),
                Some(hint.to_owned()),
            ));
        }
        let terms =
            words.into_iter().map(|word| term(expression, word)).collect::<Result<_, _>>()?;
        Ok(Self { as_given: format!("`--filter '{expression}'`"), terms })
    }

    /// Makes a filter from the values of an option: `--browser chrome,firefox`. Each value may
    /// itself be a list with commas.
    ///
    /// # Errors
    /// A value that can't be read, with its place.
    pub fn of_option(axis: Axis, values: &[String]) -> Result<Self, FilterError> {
        let joined = values.join(",");
        let mut patterns = Vec::new();
        let mut start = 0;
        for text in joined.split(',') {
            let span = start..start + text.len();
            patterns.push(pattern(&joined, span.clone(), Some(axis))?);
            start = span.end + 1;
        }
        let term = Term { axis: Some(axis), is_negated: false, patterns };
        Ok(Self { as_given: format!("`--{axis} {joined}`"), terms: vec![term] })
    }

    /// The option as given, ready to print.
    pub fn as_given(&self) -> &str {
        &self.as_given
    }

    /// Whether a cell is kept.
    pub fn matches(&self, cell: &CellId) -> bool {
        self.terms.iter().all(|term| term.matches(cell))
    }

    /// The first glob that matches none of the cells, with its axis.
    pub(super) fn first_barren(&self, cells: &[CellId]) -> Option<(Option<Axis>, &str)> {
        let barren = self
            .terms
            .iter()
            .find(|term| !term.is_negated && !cells.iter().any(|cell| term.matches(cell)))?;
        Some((barren.axis, barren.patterns.first()?.as_str()))
    }
}

impl Term {
    fn matches(&self, cell: &CellId) -> bool {
        let is_match = |value: &str| self.patterns.iter().any(|pattern| pattern.matches(value));
        let found = match self.axis {
            Some(axis) => is_match(axis.value(cell)),
            None => is_match(&cell.to_string()),
        };
        found != self.is_negated
    }
}

/// The words of an expression, as ranges of its bytes.
fn words(expression: &str) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    let mut start = None;
    for (at, letter) in expression.char_indices() {
        match (letter.is_whitespace(), start) {
            (false, None) => start = Some(at),
            (true, Some(from)) => {
                words.push(from..at);
                start = None;
            }
            (false, Some(_)) | (true, None) => {}
        }
    }
    words.extend(start.map(|from| from..expression.len()));
    words
}

fn term(expression: &str, word: Range<usize>) -> Result<Term, FilterError> {
    let text = slice(expression, &word);
    let Some(equals) = text.find('=') else {
        let patterns = vec![pattern(expression, word, None)?];
        return Ok(Term { axis: None, is_negated: false, patterns });
    };
    let left = slice(text, &(0..equals));
    let (name, is_negated) = match left.strip_suffix('!') {
        Some(name) => (name, true),
        None => (left, false),
    };
    let Some(axis) = Axis::ALL.into_iter().find(|axis| axis.as_str() == name) else {
        let axes = Axis::ALL.map(Axis::as_str);
        let hint = did_you_mean(name, &axes);
        let hint = hint.unwrap_or_else(|| format!("the axes are {}", names(axes)));
        let span = word.start..word.start + name.len();
        return Err(error(expression, span, format!("unknown axis `{name}`"), Some(hint)));
    };
    let mut patterns = Vec::new();
    let mut start = word.start + equals + 1;
    for part in slice(expression, &(start..word.end)).split(',') {
        let span = start..start + part.len();
        patterns.push(pattern(expression, span.clone(), Some(axis))?);
        start = span.end + 1;
    }
    Ok(Term { axis: Some(axis), is_negated, patterns })
}

/// Compiles one glob; a plain name of an axis whose names are fixed has to be one of them.
fn pattern(
    expression: &str,
    span: Range<usize>,
    axis: Option<Axis>,
) -> Result<Pattern, FilterError> {
    let text = slice(expression, &span);
    if text.is_empty() {
        let hint = "names or globs, with commas between them and no spaces";
        // The `=` or comma before it, so that the caret has something to point at.
        let span = span.start.saturating_sub(1)..span.end;
        return Err(error(expression, span, "a glob is missing".to_owned(), Some(hint.to_owned())));
    }
    let pattern = Pattern::new(text).map_err(|reason| {
        error(expression, span.clone(), format!("`{text}` is not a glob: {reason}"), None)
    })?;
    let fixed: Option<Vec<&str>> = match axis {
        Some(Axis::Browser) if text.parse::<BrowserName>().is_err() => {
            Some(BrowserName::ALL.map(BrowserName::as_str).to_vec())
        }
        Some(Axis::Backend) if parse_backend(text).is_err() => {
            use inference_wasm::protocol::BackendName;
            Some(BackendName::ALL.map(BackendName::as_str).to_vec())
        }
        _ => None,
    };
    match (axis, fixed) {
        (Some(axis), Some(known)) if pattern.is_name() => {
            let hint = did_you_mean(text, &known);
            let hint = hint.unwrap_or_else(|| format!("the known ones are {}", names(&known)));
            Err(error(expression, span, format!("unknown {axis} `{text}`"), Some(hint)))
        }
        _ => Ok(pattern),
    }
}

/// The bytes of a range within the text; empty rather than a panic.
fn slice<'t>(text: &'t str, range: &Range<usize>) -> &'t str {
    text.get(range.clone()).unwrap_or_default()
}

fn error(
    expression: &str,
    span: Range<usize>,
    message: String,
    hint: Option<String>,
) -> FilterError {
    FilterError { message, expression: expression.to_owned(), span: span.into(), hint }
}
