//! The files that `tierproof run` reads its instructions from.

use tierproof::engines;
use tierproof::plan::Plan;
use tierproof::plan::expectation::Facts;
use tierproof::spec::matrix::{Known, Matrix, ModelFacts};
use tierproof::spec::scenario::{Fixtures, PromptCase, PromptSet, Scenario};

/// A matrix and a scenario. Parts: the matrix, which is planned if it can be used; a scenario that
/// it may name as `fuzz`.
pub fn matrix(input: &[u8]) -> bool {
    let input = String::from_utf8_lossy(input);
    let (matrix, scenario) = input.split_once('\x0c').unwrap_or((&input, ""));
    let mut fixtures = Fixtures::default();
    if let Ok(scenario) = Scenario::parse("fuzz.toml", "fuzz", scenario) {
        fixtures.scenarios.insert("fuzz".into(), scenario);
    }
    let case = PromptCase {
        id: "case".into(),
        scenarios: vec!["fuzz".into()],
        max_tokens: 8,
        messages: Vec::new(),
    };
    let prompts = PromptSet { name: "prompts".into(), cases: vec![case] };
    fixtures.prompts.insert("prompts".into(), prompts);
    let models = [ModelFacts {
        name: "tiny-Q8_0".into(),
        weights: "Q8_0".into(),
        prompts: "prompts".into(),
        is_present: true,
    }];
    let today = jiff::civil::date(2026, 11, 21);
    let engines = engines::facts();
    let known =
        Known { fixtures: &fixtures, models: &models, engines: &engines, today, tolerances: &[] };
    let Ok(matrix) = Matrix::parse("fuzz.toml", matrix, &known) else { return false };
    Plan::new(&matrix, &[], &Facts::default()).is_ok_and(|plan| !plan.cells.is_empty())
}
