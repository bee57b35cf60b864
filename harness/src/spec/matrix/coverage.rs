//! Problems that show only in the expanded matrix: cells without a tolerance class, cells whose
//! model has no prompts for the scenario, entries that match no cell.

use std::collections::{BTreeMap, BTreeSet};

use super::expand::{Excluded, expand};
use super::resolve::Origins;
use super::resolved::{KnownFailure, Matrix};
use crate::spec::cell::CellId;
use crate::spec::document::{Problem, Problems};
use crate::spec::naming::did_you_mean;
use crate::spec::scenario::{Cases, Fixtures, PromptSet, Scenario};

/// Reports these problems.
pub(super) fn check(matrix: &Matrix, origins: &Origins, fixtures: &Fixtures, problems: &Problems) {
    let expansion = expand(matrix);
    if expansion.cells.is_empty() {
        let message = "no cell is left: everything is excluded".to_owned();
        problems.push(Problem::whole(message));
    }
    excludes(matrix, origins, &expansion.excluded, problems);
    known_failures(matrix, origins, &expansion.cells, problems);
    tolerances(matrix, origins, &expansion.cells, problems);
    prompts(matrix, origins, &expansion.cells, fixtures, problems);
}

fn excludes(matrix: &Matrix, origins: &Origins, excluded: &[Excluded], problems: &Problems) {
    for (exclude, span) in matrix.excludes.iter().zip(&origins.excludes) {
        let matches = |cell: &CellId| exclude.when.matches(cell, matrix.weights(cell));
        if !excluded.iter().any(|excluded| matches(&excluded.cell)) {
            let message = "this `[[exclude]]` matches no cell".to_owned();
            let hint = "correct its `when`, or remove it";
            problems.push(Problem::at(head(span), message, "matches nothing").hint(hint));
        }
    }
}

fn known_failures(matrix: &Matrix, origins: &Origins, cells: &[CellId], problems: &Problems) {
    for (known, span) in matrix.known_failures.iter().zip(&origins.known_failures) {
        let KnownFailure { when, .. } = known;
        if !cells.iter().any(|cell| when.matches(cell, matrix.weights(cell))) {
            let message = "this `[[known-failure]]` matches no cell of the matrix".to_owned();
            let hint = "correct its `when`, or remove it";
            problems.push(Problem::at(head(span), message, "matches nothing").hint(hint));
        }
    }
}

/// Cells that can never run need no class.
fn tolerances(matrix: &Matrix, origins: &Origins, cells: &[CellId], problems: &Problems) {
    let mut missing: BTreeMap<(&str, &str), Vec<&CellId>> = BTreeMap::new();
    let can_run = cells.iter().filter(|cell| cell.unsupported_pair().is_none());
    for cell in can_run.filter(|cell| matrix.tolerance(cell).is_none()) {
        let key = (cell.backend.as_str(), matrix.weights(cell));
        missing.entry(key).or_default().push(cell);
    }
    for ((backend, weights), cells) in missing {
        let Some(first) = cells.first() else { continue };
        let message = format!(
            "no tolerance class for backend `{backend}` with weights `{weights}`, which {} cell(s) need, first `{first}`",
            cells.len()
        );
        let hint = format!(
            "add a `[[tolerance]]` with `when = {{ backends = [\"{backend}\"], weights = [\"{weights}\"] }}`"
        );
        let span = origins.models.get(&first.model).cloned().unwrap_or_default();
        problems.push(Problem::at(span, message, "this model").hint(hint));
    }
}

fn prompts(
    matrix: &Matrix,
    origins: &Origins,
    cells: &[CellId],
    fixtures: &Fixtures,
    problems: &Problems,
) {
    let pairs: BTreeSet<_> =
        cells.iter().map(|cell| (cell.model.as_str(), cell.scenario.as_str())).collect();
    let mut missing_sets = BTreeSet::new();
    for (model, scenario) in pairs {
        let (Some(facts), Some(scenario)) =
            (matrix.models.get(model), fixtures.scenarios.get(scenario))
        else {
            continue;
        };
        let Some(set) = fixtures.prompts.get(&facts.prompts) else {
            let is_new = missing_sets.insert(model);
            if is_new && !fixtures.broken.contains(&facts.prompts) {
                let path = format!("fixtures/prompts/{}.toml", facts.prompts);
                let message = format!("the prompts of model `{model}` are missing: no `{path}`");
                let span = origins.models.get(model).cloned().unwrap_or_default();
                let known: Vec<_> = fixtures.prompts.keys().collect();
                let hint = did_you_mean(&facts.prompts, &known);
                problems.push(Problem::at(span, message, "this model").hint_if(hint));
            }
            continue;
        };
        if let Some(message) = missing_case(scenario, set) {
            let span = origins.scenarios.get(&scenario.name).cloned().unwrap_or_default();
            problems.push(Problem::at(
                span,
                format!("{message} (model `{model}`)"),
                "this scenario",
            ));
        }
    }
}

/// The case that a scenario needs and a prompt set lacks.
fn missing_case(scenario: &Scenario, set: &PromptSet) -> Option<String> {
    let (name, key) = (&scenario.name, scenario.golden_key());
    let case = scenario.cases().find_map(|cases| match cases {
        Cases::All | Cases::First => {
            set.cases_of(key).next().is_none().then(|| "no case".to_owned())
        }
        Cases::Id(id) => {
            let exists = set.cases_of(key).any(|case| case.id == *id);
            (!exists).then(|| format!("no case `{id}`"))
        }
    })?;
    let user = if name == key { String::new() } else { format!(", whose golden `{name}` uses") };
    Some(format!("prompt set `{}` has {case} for `{key}`{user}", set.name))
}

/// The first byte of an entry, whose table can be many lines long.
fn head(span: &std::ops::Range<usize>) -> std::ops::Range<usize> {
    span.start..span.end.min(span.start + 1)
}
