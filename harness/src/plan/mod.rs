//! The plan: which cells a run settles, in which order, and what is expected of each.
//!
//! Pure, and the same on every machine but for the dispositions, which
//! [`crate::plan::expectation`] decides. Nothing is launched or fetched here.

pub mod expectation;
mod filter;
pub mod floors;
mod render;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::judge::outcome::Disposition;
use crate::plan::expectation::{Facts, disposition};
use crate::spec::cell::CellId;
use crate::spec::matrix::{Axis, Excluded, Expansion, Matrix, expand};
use crate::spec::naming::{did_you_mean, names};

pub use filter::{Filter, FilterError, GRAMMAR};
pub use render::{Detail, render, render_json_lines};

/// The cells of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Never empty; grouped by browser, then backend, engine, model, scenario; ids are unique.
    pub cells: Vec<PlannedCell>,
    /// What the matrix leaves out, in the same order; not narrowed.
    pub excluded: Vec<Excluded>,
    /// The filters that narrowed it, as given; empty if it is the whole matrix.
    pub narrowed_by: Vec<String>,
}

/// A cell of the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedCell {
    /// The cell.
    pub cell: CellId,
    /// What is expected of it.
    pub disposition: Disposition,
}

/// Nothing of the matrix is left after narrowing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, miette::Diagnostic)]
#[error("nothing to run: {filter} leaves none of {before} cells")]
pub struct NothingToRun {
    /// The filter that removed the last cells, as given.
    filter: String,
    /// How many there were before it.
    before: usize,
    #[help]
    hint: Option<String>,
}

impl Plan {
    /// Lays a matrix out, narrows it by every filter in turn, and joins what is known of this
    /// machine.
    ///
    /// # Errors
    /// No cell is left; the error names the filter that removed the last ones.
    pub fn new(matrix: &Matrix, filters: &[Filter], facts: &Facts) -> Result<Self, NothingToRun> {
        let Expansion { mut cells, excluded } = expand(matrix);
        for filter in filters {
            let before = cells.clone();
            cells.retain(|cell| filter.matches(cell));
            if cells.is_empty() {
                return Err(nothing_left(filter, &before));
            }
        }
        let cells = cells.into_iter().map(|cell| {
            let disposition = disposition(&cell, matrix, facts);
            PlannedCell { cell, disposition }
        });
        let narrowed_by = filters.iter().map(|filter| filter.as_given().to_owned()).collect();
        Ok(Self { cells: cells.collect(), excluded, narrowed_by })
    }

    /// Decides every disposition anew, for instance once browsers have been probed.
    pub fn reconsider(&mut self, matrix: &Matrix, facts: &Facts) {
        for planned in &mut self.cells {
            planned.disposition = disposition(&planned.cell, matrix, facts);
        }
    }

    /// Cells that can run here.
    pub fn runnable(&self) -> impl Iterator<Item = &PlannedCell> {
        self.cells.iter().filter(|planned| match planned.disposition {
            Disposition::Run | Disposition::KnownFailure { .. } => true,
            Disposition::Unsupported { .. } | Disposition::Unavailable { .. } => false,
        })
    }
}

fn nothing_left(filter: &Filter, before: &[CellId]) -> NothingToRun {
    let hint = filter.first_barren(before).map(|(axis, term)| match axis {
        Some(axis) => {
            let values: BTreeSet<_> = before.iter().map(|cell| axis.value(cell)).collect();
            let values: Vec<_> = values.into_iter().collect();
            did_you_mean(term, &values)
                .unwrap_or_else(|| format!("what is there: {}", names(&values)))
        }
        None => format!(
            "a term without an axis is a glob over the whole id: for a part of it write `*{term}*`, or name the axis, as in `{}=…`",
            Axis::Model
        ),
    });
    NothingToRun { filter: filter.as_given().to_owned(), before: before.len(), hint }
}
