//! The floors of the matrix that a run missed.

use std::collections::BTreeMap;

use crate::judge::outcome::{Disposition, Verdict};
use crate::spec::cell::CellId;
use crate::spec::matrix::{Axis, Floors};

/// The floors that a run missed, one sentence each; empty if it met them all.
///
/// A run that was narrowed on the command line can't meet the floors of the whole matrix, so each
/// floor is lowered to the number of cells that the narrowed plan can run, but never below 1.
pub fn missed<'c>(
    floors: &Floors,
    settled: impl IntoIterator<Item = (&'c CellId, &'c Disposition, &'c Verdict)>,
    is_narrowed: bool,
) -> Vec<String> {
    let mut whole = Count::default();
    let mut each: BTreeMap<(Axis, &str), Count> = BTreeMap::new();
    for (cell, disposition, verdict) in settled {
        whole.add(disposition, verdict);
        for (axis, _) in &floors.each {
            each.entry((*axis, axis.value(cell))).or_default().add(disposition, verdict);
        }
    }
    let lowered = |floor: u32, count: &Count| {
        if is_narrowed { floor.min(count.runnable).max(1) } else { floor }
    };
    let mut missed = Vec::new();
    let floor = lowered(floors.cells, &whole);
    if whole.expected < floor {
        let found = whole.expected;
        missed.push(format!(
            "the run: at least {floor} cell(s) must be settled as expected, found {found}"
        ));
    }
    for ((axis, value), count) in &each {
        let written = floors.each.iter().find(|(floored, _)| floored == axis);
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
