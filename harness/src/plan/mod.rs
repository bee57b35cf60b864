//! The plan: which cells a run settles, in which order, and what is expected of each.
//!
//! A plan is the same on every machine except for the dispositions, which
//! [`crate::plan::expectation`] decides. `resolve` reads what its runnable cells need from disk;
//! nothing is launched or fetched here.

pub mod expectation;
mod filter;
pub mod floors;
mod render;
mod resolve;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::judge::outcome::Disposition;
use crate::plan::expectation::{Facts, disposition};
use crate::spec::cell::CellId;
use crate::spec::matrix::{Axis, Excluded, Expansion, Matrix, expand};
use crate::spec::naming::{did_you_mean, names};

pub use filter::{Filter, FilterError, GRAMMAR};
pub use render::{Detail, render, render_json_lines};
pub use resolve::{ModelFile, ResolvedCell, Sources, UnusableInputs, requests, resolve};

/// The cells of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Never empty; grouped by browser, then backend, engine, model, scenario; ids are unique.
    pub cells: Vec<PlannedCell>,
    /// The cells that the matrix excludes, in the same order; filters do not apply to them.
    pub excluded: Vec<Excluded>,
    /// The filters as given; empty if the plan is the whole matrix.
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

/// The filters leave no cell of the matrix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, miette::Diagnostic)]
#[error("nothing to run: {filter} leaves none of {before} cells")]
pub struct NothingToRun {
    /// The filter that removed the last cells, as given.
    filter: String,
    /// The number of cells before that filter.
    before: usize,
    #[help]
    hint: Option<String>,
}

impl Plan {
    /// Expands a matrix, applies every filter in turn, and decides what is expected of each cell
    /// on this machine.
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
                .unwrap_or_else(|| format!("the values left: {}", names(&values)))
        }
        None => format!(
            "a term without an axis has to match the whole id: write `*{term}*` to match a part of it, or name the axis, as in `{}=…`",
            Axis::Model
        ),
    });
    NothingToRun { filter: filter.as_given().to_owned(), before: before.len(), hint }
}
