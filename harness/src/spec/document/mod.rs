//! Reading a TOML document that a person wrote: typed access, and every problem with its place, so
//! that all of them can be fixed at once. Serde would stop at the first.
//!
//! The meaning of a document is not known here. [`crate::spec::matrix`] and
//! [`crate::spec::scenario`] ask for their keys, and a key that no reader reads is unknown. So a
//! reader can't forget to list one.

mod problem;
mod value;

use std::cell::{Cell, RefCell};
use std::ops::{Range, RangeInclusive};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub use problem::{InvalidConfiguration, InvalidDocument, Problem};
pub(crate) use value::{FromValue, Named, Unfit, one_of};

use crate::spec::naming::{did_you_mean, names};

/// Where problems go while a document is read.
#[derive(Debug, Default)]
pub(crate) struct Problems(RefCell<Vec<Problem>>);

impl Problems {
    pub(crate) fn push(&self, problem: Problem) {
        self.0.borrow_mut().push(problem);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// All of them, in the order of the document.
    pub(crate) fn into_sorted(self) -> Vec<Problem> {
        let mut problems = self.0.into_inner();
        problems.sort_by_key(Problem::offset);
        problems
    }
}

/// Parses `text` and passes its top table to `read`.
///
/// # Errors
/// Every problem, sorted by place.
pub(crate) fn read<T>(
    name: &str,
    text: &str,
    read: impl FnOnce(&Table<'_>, &Problems) -> Option<T>,
) -> Result<T, InvalidDocument> {
    let problems = Problems::default();
    let (root, syntax) = DeTable::parse_recoverable(text);
    // The parser guesses at the meaning of a broken file, so problems of meaning would be noise.
    if !syntax.is_empty() {
        for error in syntax {
            let span = error.span().unwrap_or(0..0);
            problems.push(Problem::at(span, error.message().trim().to_owned(), "here"));
        }
        return Err(InvalidDocument::new(name, text, problems.into_sorted()));
    }
    let table = Table::new("at the top level".to_owned(), root.get_ref(), root.span(), &problems);
    let value = read(&table, &problems);
    table.refuse_unknown_keys();
    match value {
        Some(value) if problems.is_empty() => Ok(value),
        _ => Err(InvalidDocument::new(name, text, problems.into_sorted())),
    }
}

/// A table of a document. Keys become known when they are asked for.
pub(crate) struct Table<'d> {
    /// Its place, for messages: `` in `timeouts` ``.
    called: String,
    entries: &'d DeTable<'d>,
    span: Range<usize>,
    problems: &'d Problems,
    known: RefCell<Vec<&'static str>>,
    accepts_any_key: Cell<bool>,
}

impl<'d> Table<'d> {
    fn new(
        called: String,
        entries: &'d DeTable<'d>,
        span: Range<usize>,
        problems: &'d Problems,
    ) -> Self {
        Self {
            called,
            entries,
            span,
            problems,
            known: RefCell::default(),
            accepts_any_key: Cell::default(),
        }
    }

    fn value(&self, key: &'static str) -> Option<&'d Spanned<DeValue<'d>>> {
        self.known.borrow_mut().push(key);
        self.entries.get(key)
    }

    fn convert<T: FromValue>(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<Spanned<T>> {
        match T::from_value(value.get_ref()) {
            Ok(converted) => Some(Spanned::new(value.span(), converted)),
            Err(unfit) => {
                self.problems.push(unfit.into_problem(key, value));
                None
            }
        }
    }

    /// The value of a key; `None` if it is absent, or unfit, which is then reported.
    pub(crate) fn optional<T: FromValue>(&self, key: &'static str) -> Option<Spanned<T>> {
        self.value(key).and_then(|value| self.convert(key, value))
    }

    /// The value of a key that must be present.
    pub(crate) fn required<T: FromValue>(&self, key: &'static str) -> Option<Spanned<T>> {
        self.require_any(key, T::EXPECTED);
        self.optional(key)
    }

    /// A whole number above 0; `0` is reported.
    pub(crate) fn positive(&self, key: &'static str) -> Option<u32> {
        let number: Spanned<u32> = self.optional(key)?;
        if *number.get_ref() == 0 {
            let message = format!("`{key}`: expected a whole number above 0, found `0`");
            self.problems.push(Problem::at(number.span(), message, "this"));
        }
        Some(number.into_inner())
    }

    /// The values of a key that holds a list. An empty list is a problem: leaving the key out has
    /// the same meaning.
    pub(crate) fn list<T: FromValue>(&self, key: &'static str) -> Option<Vec<Spanned<T>>> {
        let value = self.value(key)?;
        let Some(array) = value.get_ref().as_array() else {
            let unfit = Unfit::new(format!("a list of {}s", T::NOUN));
            self.problems.push(unfit.into_problem(key, value));
            return None;
        };
        if array.is_empty() {
            let message = format!("`{key}` {} is empty", self.called);
            self.problems.push(Problem::at(value.span(), message, "at least one is needed"));
        }
        Some(array.iter().filter_map(|item| self.convert(key, item)).collect())
    }

    /// A list that must be present.
    pub(crate) fn required_list<T: FromValue>(&self, key: &'static str) -> Vec<Spanned<T>> {
        self.require_any(key, &format!("a list of {}s", T::NOUN));
        self.list(key).unwrap_or_default()
    }

    /// Reports a list of tables that is missing.
    pub(crate) fn require_tables(&self, key: &'static str) {
        self.require_any(key, &format!("tables, each under `[[{key}]]`"));
    }

    /// Treats every key as known: the keys that the table may hold depend on a broken value.
    pub(crate) fn accept_any_key(&self) {
        self.accepts_any_key.set(true);
    }

    /// Reports a key that is missing; `expected` describes its value.
    pub(crate) fn require_any(&self, key: &str, expected: &str) {
        if !self.entries.contains_key(key) {
            let message = format!("missing key `{key}` {}", self.called);
            let problem = Problem::at(self.head(), message, "needs it");
            self.problems.push(problem.hint(format!("`{key}` takes {expected}")));
        }
    }

    /// Reports that none of these keys is present.
    pub(crate) fn require_any_of(&self, keys: &[&str], expected: &str) {
        if !keys.iter().any(|key| self.entries.contains_key(*key)) {
            let message = format!("missing key {} {}", names(keys.iter()), self.called);
            let problem = Problem::at(self.head(), message, "needs one of them");
            self.problems.push(problem.hint(format!("it sets {expected}")));
        }
    }

    /// A short place that represents the table: its first byte.
    pub(crate) fn head(&self) -> Range<usize> {
        self.span.start..self.span.end.min(self.span.start + 1)
    }

    /// The table under a key, read by `read`.
    pub(crate) fn table<T>(
        &self,
        key: &'static str,
        read: impl FnOnce(&Table<'d>) -> T,
    ) -> Option<T> {
        let value = self.value(key)?;
        self.enter(key, format!("in `{key}`"), value, read)
    }

    /// The tables of a list of tables, each read by `read`.
    pub(crate) fn tables<T>(
        &self,
        key: &'static str,
        mut read: impl FnMut(&Table<'d>) -> Option<T>,
    ) -> Vec<Spanned<T>> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let Some(array) = value.get_ref().as_array() else {
            let unfit = Unfit::new(format!("a list of tables, written `[[{key}]]`"));
            self.problems.push(unfit.into_problem(key, value));
            return Vec::new();
        };
        array
            .iter()
            .filter_map(|item| {
                let read = self.enter(key, format!("in `[[{key}]]`"), item, &mut read).flatten();
                read.map(|read| Spanned::new(item.span(), read))
            })
            .collect()
    }

    fn enter<T>(
        &self,
        key: &str,
        called: String,
        value: &'d Spanned<DeValue<'d>>,
        read: impl FnOnce(&Table<'d>) -> T,
    ) -> Option<T> {
        let Some(table) = value.get_ref().as_table() else {
            self.problems.push(Unfit::new("a table".to_owned()).into_problem(key, value));
            return None;
        };
        let table = Table::new(called, table, value.span(), self.problems);
        let result = read(&table);
        table.refuse_unknown_keys();
        Some(result)
    }

    fn refuse_unknown_keys(&self) {
        if self.accepts_any_key.get() {
            return;
        }
        let known = self.known.borrow();
        for key in self.entries.keys() {
            let found = key.get_ref().as_ref();
            if known.contains(&found) {
                continue;
            }
            let message = format!("unknown key `{found}` {}", self.called);
            let hint = did_you_mean(found, &known)
                .unwrap_or_else(|| format!("the keys are {}", names(known.iter())));
            self.problems.push(Problem::at(key.span(), message, "not a key here").hint(hint));
        }
    }
}

/// A number that must be within a range, `default` where it is absent.
pub(crate) fn within(
    number: Option<&Spanned<u32>>,
    key: &str,
    range: &RangeInclusive<u32>,
    default: u32,
    problems: &Problems,
) -> u32 {
    let Some(number) = number else { return default };
    let found = *number.get_ref();
    if !range.contains(&found) {
        let bounds = match (range.start(), range.end()) {
            (start, &u32::MAX) => format!("at least {start}"),
            (start, end) => format!("{start} to {end}"),
        };
        let message = format!("`{key}`: expected {bounds}, found {found}");
        problems.push(Problem::at(number.span(), message, "this"));
    }
    found
}
