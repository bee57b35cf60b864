//! Floors: what must have run for a run to count, so that green because nothing ran is
//! impossible, while a machine that lacks a browser can still run the rest.
//!
//! A floor counts cells that are settled as expected, never planned ones. `cells` holds for the
//! run as a whole; a floor for each value of an axis holds for the values that can run here.

use std::collections::BTreeMap;

use super::resolve::within;
use super::spec::RequireSpec;
use crate::cell::CellId;
use crate::document::Problems;
use crate::outcome::{Disposition, Verdict};

/// What must have run.
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

    /// The name as it stands in filters and in `[require.each]`.
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
        let cells = within(spec.cells.as_ref(), "cells", at_least_one.clone(), 1, problems);
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
            Some((axis, within(Some(floor), axis.as_str(), at_least_one.clone(), 1, problems)))
        });
        Self { cells, each: each.collect() }
    }

    /// The floors that a run missed, one sentence each; empty if it met them all.
    ///
    /// A run that was narrowed on the command line can't meet the floors of the whole matrix:
    /// then each is lowered to what the narrowed plan can run, but never below 1.
    pub fn missed<'c>(
        &self,
        settled: impl IntoIterator<Item = (&'c CellId, &'c Disposition, &'c Verdict)>,
        is_narrowed: bool,
    ) -> Vec<String> {
        let mut whole = Count::default();
        let mut each: BTreeMap<(Axis, &str), Count> = BTreeMap::new();
        for (cell, disposition, verdict) in settled {
            whole.add(disposition, verdict);
            for (axis, _) in &self.each {
                each.entry((*axis, axis.value(cell))).or_default().add(disposition, verdict);
            }
        }
        let lowered = |floor: u32, count: &Count| {
            if is_narrowed { floor.min(count.runnable).max(1) } else { floor }
        };
        let mut missed = Vec::new();
        let floor = lowered(self.cells, &whole);
        if whole.expected < floor {
            let found = whole.expected;
            missed.push(format!(
                "the run: at least {floor} cell(s) must be settled as expected, found {found}"
            ));
        }
        for ((axis, value), count) in &each {
            let written = self.each.iter().find(|(floored, _)| floored == axis);
            let Some((_, floor)) = written.filter(|_| count.runnable > 0) else { continue };
            let floor = lowered(*floor, count);
            if count.expected < floor {
                let found = count.expected;
                missed.push(format!(
                    "{axis} `{value}`: at least {floor} cell(s) must be settled as expected, found {found}"
                ));
            }
        }
        missed
    }
}

#[derive(Debug, Default)]
struct Count {
    /// Cells that can run here.
    runnable: u32,
    /// Cells that ran and came out as expected.
    expected: u32,
}

impl Count {
    fn add(&mut self, disposition: &Disposition, verdict: &Verdict) {
        let can_run = match disposition {
            Disposition::Run | Disposition::KnownFailure { .. } => true,
            Disposition::Unsupported { .. } | Disposition::Unavailable { .. } => false,
        };
        self.runnable += u32::from(can_run);
        self.expected += u32::from(can_run && *verdict == Verdict::Expected);
    }
}
