//! The plan: which cells a run settles, in which order, and what is expected of each.
//!
//! Pure, and the same on every machine but for the dispositions, which
//! [`crate::expectation`] decides. Nothing is launched or fetched here.

mod filter;
mod render;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use crate::cell::CellId;
use crate::document::{did_you_mean, names};
use crate::expectation::{Facts, disposition};
use crate::matrix::{Axis, Matrix};
use crate::outcome::Disposition;
use crate::run::event::PlannedCell;

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

/// A cell that the matrix leaves out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excluded {
    /// The cell.
    pub cell: CellId,
    /// The matrix's reason.
    pub reason: String,
}

/// The cells of a matrix before anything is known of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expansion {
    /// What is to be run.
    pub cells: Vec<CellId>,
    /// What is left out.
    pub excluded: Vec<Excluded>,
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

/// Lays a matrix out: the product and what is included, less what is excluded.
///
/// Browsers and backends come in the order of reports, models and scenarios in the order in which
/// the matrix first names them. A scenario of the hybrid client makes no cell for a backend that
/// it does not start on.
pub fn expand(matrix: &Matrix) -> Expansion {
    let mut ids = Vec::new();
    let mut seen = BTreeSet::new();
    let mut models: Vec<&String> = Vec::new();
    let mut scenarios: Vec<&String> = Vec::new();
    for block in &matrix.blocks {
        models.extend(&block.models);
        scenarios.extend(&block.scenarios);
        for &browser in &block.browsers {
            for &backend in &block.backends {
                for engine in &block.engines {
                    for model in &block.models {
                        for scenario in &block.scenarios {
                            let (engine, model, scenario) =
                                (engine.clone(), model.clone(), scenario.clone());
                            let cell = CellId { browser, backend, engine, model, scenario };
                            let client = matrix.client(&cell);
                            if client.is_some_and(|client| !client.tiers.contains(&backend)) {
                                continue;
                            }
                            if seen.insert(cell.clone()) {
                                ids.push(cell);
                            }
                        }
                    }
                }
            }
        }
    }
    let place = |names: &[&String], name: &String| names.iter().position(|other| *other == name);
    ids.sort_by_cached_key(|cell| {
        let model = place(&models, &cell.model);
        let scenario = place(&scenarios, &cell.scenario);
        (cell.browser, cell.backend, cell.engine.clone(), model, scenario)
    });
    let mut expansion = Expansion { cells: Vec::new(), excluded: Vec::new() };
    for cell in ids {
        match matrix.excluded(&cell) {
            Some(exclude) => {
                let reason = exclude.reason.clone();
                expansion.excluded.push(Excluded { cell, reason });
            }
            None => expansion.cells.push(cell),
        }
    }
    expansion
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
