//! The plan as a function: expansion, filters, rendering.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::fetch::models::Catalogue;
use crate::judge::golden::Goldens;
use crate::spec::cell::BrowserName;
use crate::spec::matrix::tests::{load, parse, plain};
use crate::spec::scenario::Fixtures;
use inference_wasm::protocol::BackendName;

const MATRIX: &str = r#"
browsers = ["webkit", "chrome"]
backends = ["wasm", "webgpu"]
models = ["scribe-low-Q8_0", "scribe-low-F16"]
scenarios = ["tokens/greedy", "load/*"]

[[include]]
browsers = ["native"]
backends = ["cpu"]
models = ["smollm2-135m", "scribe-low-F16"]
scenarios = ["tokens/greedy"]

[[include]]
browsers = ["chrome"]
scenarios = ["tokens/greedy"]

[[exclude]]
when = { browsers = ["webkit"], scenarios = ["load/*"] }
reason = "one browser is enough"

[[known-failure]]
when = { browsers = ["chrome"], backends = ["wasm"], scenarios = ["load/html-*"] }
reason = "HTML is taken for weights"
link = "https://example.org/1"
expires = 2027-01-01

[[tolerance]]
name = "any"
mean_kld = 1e-3
max_kld = 1e-2
max_abs = 0.2
flip_margin = 0.3
reason = "test"
"#;

/// The cells of a plan that can run, resolved against the workspace; every model counts as present.
pub(crate) fn resolved<T>(
    plan: &Plan,
    matrix: &Matrix,
    then: impl FnOnce(&[ResolvedCell<'_>]) -> T,
) -> T {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let (fixtures, invalid) = Fixtures::load(root);
    assert!(invalid.is_empty(), "{invalid:?}");
    let catalogue = Catalogue::load(&root.join("fixtures/models/catalogue.toml")).unwrap();
    let models = catalogue.entries().iter().map(|entry| {
        (entry.name.clone(), ModelFile { path: PathBuf::new(), sha256: entry.sha256.clone() })
    });
    let (models, goldens) = (models.collect(), Goldens::new(root.join("golden")));
    let sources = Sources {
        matrix,
        fixtures: &fixtures,
        models: &models,
        goldens: &goldens,
        is_headed: false,
    };
    then(&resolve(plan, &sources).unwrap())
}

#[test]
fn runnable_cells_are_resolved_in_order() {
    let matrix = matrix();
    let plan = Plan::new(&matrix, &[], &Facts::default()).unwrap();
    resolved(&plan, &matrix, |cells| {
        let ids: Vec<_> = cells.iter().map(|cell| &cell.id).collect();
        assert_eq!(ids, plan.runnable().map(|planned| &planned.cell).collect::<Vec<_>>());
        for cell in cells {
            assert_eq!(cell.scenario.name, cell.id.scenario);
            assert_eq!(cell.golden.is_some(), cell.scenario.needs_golden(), "{}", cell.id);
            assert_eq!(cell.tolerances.of_answer(BackendName::Webgl, Some("x")).name, "any");
        }
    });
}

#[test]
fn everything_that_is_missing_is_reported_at_once() {
    let matrix = matrix();
    let plan = Plan::new(&matrix, &[filter("chrome/wasm/*/greedy")], &Facts::default()).unwrap();
    let (fixtures, models) = (Fixtures::default(), BTreeMap::new());
    let goldens = Goldens::new(PathBuf::new());
    let sources = Sources {
        matrix: &matrix,
        fixtures: &fixtures,
        models: &models,
        goldens: &goldens,
        is_headed: false,
    };
    let error = resolve(&plan, &sources).unwrap_err();
    let related: Vec<_> = miette::Diagnostic::related(&error).unwrap().collect();
    let messages: Vec<_> = related.iter().map(ToString::to_string).collect();
    assert_eq!(
        messages,
        [
            "cell `chrome/wasm/tierproof/scribe-low-Q8_0/tokens/greedy` can't run: its scenario does not exist",
            "cell `chrome/wasm/tierproof/scribe-low-F16/tokens/greedy` can't run: its scenario does not exist",
        ]
    );
}

fn matrix() -> Matrix {
    parse(MATRIX).map_err(|error| plain(&error)).unwrap()
}

fn filter(expression: &str) -> Filter {
    Filter::parse(expression).map_err(|error| plain(&error)).unwrap()
}

#[test]
fn cells_come_once_each_and_in_order() {
    let expansion = expand(&matrix());
    let ids: Vec<_> = expansion.cells.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(ids.join("\n"));
    // Webkit's three load scenarios, on two backends, for two models.
    assert_eq!(expansion.excluded.len(), 3 * 2 * 2);
    assert_eq!(expand(&matrix()), expansion);
}

#[test]
fn the_plan_is_drawn_as_a_tree() {
    let matrix = matrix();
    let command = "tierproof setup --browser webkit".to_owned();
    let facts =
        Facts { missing_browsers: [(BrowserName::Webkit, command)].into(), ..Facts::default() };
    let plan = Plan::new(&matrix, &[], &facts).unwrap();
    insta::assert_snapshot!("grouped", render(&plan, Detail::Grouped));
    insta::assert_snapshot!("cells", render(&plan, Detail::Cells));
    let narrowed = Plan::new(&matrix, &[filter("native/*greedy model!=scribe*")], &facts).unwrap();
    insta::assert_snapshot!("narrowed", render(&narrowed, Detail::Grouped));
    insta::assert_snapshot!("json", render_json_lines(&narrowed).unwrap());
}

#[test]
fn the_default_plan_fits_on_a_screen() {
    let plan = Plan::new(&load("default.toml"), &[], &Facts::default()).unwrap();
    // On each backend 45, and one with it off; on a GPU less what the matrix excludes: 22 of them.
    // WebKit has no WebGPU.
    let (wasm, gpu) = (45 + 1, 45 + 1 - 22);
    assert_eq!(plan.runnable().count(), 3 * wasm + 5 * gpu);
    insta::assert_snapshot!(render(&plan, Detail::Grouped));
}

#[test]
fn filters_take_cells_away() {
    let cells = expand(&matrix()).cells;
    for (expression, left) in [
        ("*", 22),
        ("browser=chrome", 16),
        ("browser=chrome,native", 18),
        ("  browser=chrome \t backend=wasm ", 8),
        ("browser!=chrome", 6),
        ("model=*Q8_0 scenario!=load/*", 4),
        ("scenario=*greedy", 10),
        ("chrome/wasm/*", 8),
        ("chrome/wasm/tierproof/scribe-low-F16/tokens/greedy", 1),
        ("engine=other", 0),
    ] {
        let filter = filter(expression);
        let found = cells.iter().filter(|cell| filter.matches(cell)).count();
        assert_eq!(found, left, "{expression}");
    }
}

#[test]
fn broken_filters_are_reported() {
    let mut reports = String::new();
    for expression in [
        "",
        "  ",
        "browsr=chrome",
        "x=1",
        "browser=",
        "browser=chrome,,firefox",
        "scenario=load/* backend=weblg",
        "model=[a",
        "=chrome",
        "model==x browser=é*",
    ] {
        match Filter::parse(expression) {
            Ok(_) => writeln!(reports, "==== {expression}\nfine\n").unwrap(),
            Err(error) => writeln!(reports, "==== {expression}\n{}\n", plain(&error)).unwrap(),
        }
    }
    let option = Filter::of_option(Axis::Browser, &["chrome".to_owned(), "safary".to_owned()]);
    writeln!(reports, "==== --browser\n{}", plain(&option.unwrap_err())).unwrap();
    insta::assert_snapshot!(reports);
}

#[test]
fn an_empty_plan_names_what_emptied_it() {
    let matrix = matrix();
    let option = Filter::of_option(Axis::Browser, &["chrome".to_owned()]).unwrap();
    let mut reports = String::new();
    for filters in [
        vec![Filter::of_option(Axis::Browser, &["firefox".to_owned()]).unwrap()],
        vec![option.clone(), filter("model=scribe-low-Q80")],
        vec![option, filter("greedy")],
        vec![filter("scenario!=*")],
    ] {
        let error = Plan::new(&matrix, &filters, &Facts::default()).unwrap_err();
        reports.push_str(&plain(&error));
        reports.push_str("\n\n");
    }
    insta::assert_snapshot!(reports);
}

fn part() -> impl Strategy<Value = String> {
    "[A-Za-z0-9_.-]{1,12}"
}

proptest! {
    #[test]
    fn a_cell_id_survives_its_text(
        browser in prop::sample::select(BrowserName::ALL.to_vec()),
        backend in prop::sample::select(BackendName::ALL.to_vec()),
        (engine, model) in (part(), part()),
        (layer, name) in (part(), part()),
    ) {
        let id = CellId { browser, backend, engine, model, scenario: format!("{layer}/{name}") };
        prop_assert_eq!(id.to_string().parse::<CellId>().unwrap(), id);
    }

    #[test]
    fn no_filter_panics(expression in "\\PC{0,40}") {
        if let Ok(filter) = Filter::parse(&expression) {
            let cell = "chrome/wasm/tierproof/m/tokens/greedy".parse().unwrap();
            let _ = filter.matches(&cell);
        }
    }

    #[test]
    fn no_near_filter_panics(expression in "[a-z=!,*?\\[\\]{}é ]{0,24}") {
        let _ = Filter::parse(&expression);
    }

    /// Whatever the order and the repetition of the axes: every cell once, browsers together.
    #[test]
    fn cells_are_unique_and_grouped(
        browsers in prop::collection::vec(prop::sample::select(BrowserName::ALL.to_vec()), 1..6),
        backends in prop::collection::vec(prop::sample::select(BackendName::ALL.to_vec()), 1..6),
        scenarios in prop::collection::vec(
            prop::sample::select(vec!["tokens/greedy", "load/*", "*", "lifecycle/cancel"]), 1..4),
    ) {
        let browsers: Vec<_> = browsers.iter().map(|name| name.as_str()).collect();
        let backends: Vec<_> = backends.iter().map(|name| name.as_str()).collect();
        let text = format!(
            "browsers = {browsers:?}\nbackends = {backends:?}\nmodels = [\"scribe-*\"]\nscenarios = {scenarios:?}\n",
        );
        let text = text + MATRIX.get(MATRIX.find("[[tolerance]]").unwrap()..).unwrap();
        let matrix = parse(&text).map_err(|error| plain(&error)).unwrap();
        let cells = expand(&matrix).cells;
        let unique: BTreeSet<_> = cells.iter().collect();
        prop_assert_eq!(unique.len(), cells.len());
        let groups = cells.chunk_by(|a, b| (a.browser, a.backend) == (b.browser, b.backend)).count();
        let pairs: BTreeSet<_> = cells.iter().map(|cell| (cell.browser, cell.backend)).collect();
        prop_assert_eq!(groups, pairs.len());
    }
}
