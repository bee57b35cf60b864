//! Expands a matrix into cells.

use std::collections::BTreeSet;

use super::resolved::Matrix;
use crate::spec::cell::CellId;

/// A cell that the matrix leaves out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excluded {
    /// The cell.
    pub cell: CellId,
    /// The matrix's reason.
    pub reason: String,
}

/// The cells of a matrix on any machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expansion {
    /// The cells to run.
    pub cells: Vec<CellId>,
    /// The cells that are left out.
    pub excluded: Vec<Excluded>,
}

/// Expands a matrix: the product and the includes, without the excluded cells.
///
/// Browsers and backends are in the order of reports, models and scenarios in the order in which
/// the matrix first names them. A scenario of the hybrid client makes cells only for the backends
/// that it starts on.
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
