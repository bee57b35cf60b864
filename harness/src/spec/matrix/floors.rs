//! Floors: the number of cells that must have run for a run to count. A run in which nothing ran
//! can't be green, and a machine that lacks a browser can still run the rest.
//!
//! A floor counts cells that are settled as expected, never planned ones. `cells` applies to the
//! whole run; a floor for each value of an axis applies to the values that can run here.

use super::spec::RequireSpec;
use crate::spec::cell::CellId;
use crate::spec::document::{Problems, within};

/// The number of cells that must have run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Floors {
    /// Cells of the whole run; at least 1.
    pub cells: u32,
    /// Cells for each value of an axis that can run here; in the order of the axes.
    pub each: Vec<(Axis, u32)>,
}

/// An axis of the matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Axis {
    /// `browser`
    Browser,
    /// `backend`
    Backend,
    /// `engine`
    Engine,
    /// `model`
    Model,
    /// `scenario`
    Scenario,
}

impl Axis {
    /// Every axis, in the order of a cell's id.
    pub const ALL: [Self; 5] =
        [Self::Browser, Self::Backend, Self::Engine, Self::Model, Self::Scenario];

    /// The name in filters and in `[require.each]`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Browser => "browser",
            Self::Backend => "backend",
            Self::Engine => "engine",
            Self::Model => "model",
            Self::Scenario => "scenario",
        }
    }

    /// A cell's value on the axis.
    pub fn value(self, cell: &CellId) -> &str {
        match self {
            Self::Browser => cell.browser.as_str(),
            Self::Backend => cell.backend.as_str(),
            Self::Engine => &cell.engine,
            Self::Model => &cell.model,
            Self::Scenario => &cell.scenario,
        }
    }
}

impl std::fmt::Display for Axis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl Floors {
    pub(super) fn resolve(spec: Option<&RequireSpec>, problems: &Problems) -> Self {
        let Some(spec) = spec else { return Self { cells: 1, each: Vec::new() } };
        let at_least_one = 1..=u32::MAX;
        let cells = within(spec.cells.as_ref(), "cells", &at_least_one, 1, problems);
        let each = spec.each.iter().flat_map(|each| {
            [
                (Axis::Browser, &each.browser),
                (Axis::Backend, &each.backend),
                (Axis::Model, &each.model),
                (Axis::Scenario, &each.scenario),
            ]
        });
        let each = each.filter_map(|(axis, floor)| {
            let floor = floor.as_ref()?;
            Some((axis, within(Some(floor), axis.as_str(), &at_least_one, 1, problems)))
        });
        Self { cells, each: each.collect() }
    }
}
