//! The page as values: header, grid, groups of cells, legend.

use std::collections::BTreeMap;

use inference_wasm::protocol::BackendName;
use serde::Serialize;

use super::capability::{self, Capabilities};
use super::cell::{self, CellView};
use crate::report::record::{CellRecord, RunRecord, Standing, Tally};
use crate::report::resilience::{self, Resilience};
use crate::report::wording::{Tone, exit_code_meaning, headline, reason, spoken};
use crate::spec::cell::BrowserName;

#[derive(Debug, Serialize)]
pub(super) struct Page {
    /// `good`, `bad`, `doubtful`.
    tone: &'static str,
    headline: String,
    /// Label and value.
    facts: Vec<(&'static str, String)>,
    counts: Vec<Count>,
    missed_floors: Vec<String>,
    notes: Vec<String>,
    grid: Grid,
    resilience: Option<ResilienceView>,
    attention: Vec<CellView>,
    expected: Vec<Group>,
    not_run: Vec<NotRun>,
    capabilities: Capabilities,
    legend: Vec<Entry>,
    filters: Vec<Filter>,
    cells: usize,
}

/// The number of cells in a state, with a link to the first.
#[derive(Debug, Serialize)]
struct Count {
    key: &'static str,
    word: &'static str,
    cells: u32,
    first: Option<String>,
}

#[derive(Debug, Serialize)]
struct Grid {
    backends: Vec<&'static str>,
    rows: Vec<GridRow>,
}

#[derive(Debug, Serialize)]
struct GridRow {
    browser: &'static str,
    version: String,
    columns: Vec<GridCell>,
}

#[derive(Debug, Serialize)]
struct GridCell {
    backend: &'static str,
    /// The most urgent standing, which colours the square.
    key: Option<&'static str>,
    counts: Vec<Count>,
}

/// Cells that came out as expected, of one browser and backend.
#[derive(Debug, Serialize)]
struct Group {
    title: String,
    cells: Vec<CellView>,
}

/// Cells that share a reason for not running.
#[derive(Debug, Serialize)]
struct NotRun {
    key: &'static str,
    word: &'static str,
    reason: String,
    cells: Vec<NotRunCell>,
}

#[derive(Debug, Serialize)]
struct NotRunCell {
    anchor: String,
    id: String,
    browser: &'static str,
    backend: &'static str,
}

#[derive(Debug, Serialize)]
struct Entry {
    key: &'static str,
    word: &'static str,
    meaning: &'static str,
}

#[derive(Debug, Serialize)]
struct Filter {
    name: &'static str,
    label: &'static str,
    /// Value and text.
    options: Vec<(String, String)>,
}

/// A cell with its anchor, which is its position in the plan.
type Anchored<'a> = (String, &'a CellRecord);

pub(super) fn of_run(record: &RunRecord) -> Page {
    let (tone, headline) = headline(record);
    let cells: Vec<Anchored<'_>> = record
        .cells
        .iter()
        .enumerate()
        .map(|(index, cell)| (format!("c{}", index + 1), cell))
        .collect();
    let mut attention: Vec<_> =
        cells.iter().filter(|(_, cell)| cell.standing().wants_attention()).collect();
    attention.sort_by_key(|(_, cell)| cell.standing());
    let all: Vec<&Anchored<'_>> = cells.iter().collect();
    let finished = record.finished.as_ref();
    Page {
        tone: match tone {
            Tone::Good => "good",
            Tone::Bad => "bad",
            Tone::Doubtful => "doubtful",
        },
        headline,
        facts: facts(record),
        counts: counts(&all),
        missed_floors: finished.map(|f| f.missed_floors.clone()).unwrap_or_default(),
        notes: record.notes.clone(),
        grid: grid(record, &cells),
        resilience: resilience::of_run(record).map(ResilienceView::new),
        attention: attention
            .into_iter()
            .map(|(anchor, cell)| cell::of(record, cell, anchor.clone()))
            .collect(),
        expected: expected(record, &cells),
        not_run: not_run(&cells),
        capabilities: capability::of_probes(&record.probes),
        legend: Standing::ALL
            .into_iter()
            .map(|s| Entry { key: s.key(), word: s.word(), meaning: s.meaning() })
            .collect(),
        filters: filters(record),
        cells: cells.len(),
    }
}

/// Tables of the hybrid client, with numbers as they are printed.
#[derive(Debug, Serialize)]
struct ResilienceView {
    tables: Resilience,
    routes: Vec<[String; 6]>,
}

impl ResilienceView {
    fn new(tables: Resilience) -> Self {
        let routes = tables.routes.iter().map(|route| {
            [
                route.scenario.clone(),
                route.source.clone(),
                route.requests.to_string(),
                format!("{} ms", route.latency_ms),
                format!("{:.1}", route.tokens_per_s),
                route.price(),
            ]
        });
        Self { routes: routes.collect(), tables }
    }
}

fn facts(record: &RunRecord) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if let Some(started) = &record.started {
        facts.push(("Started", started.at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()));
    }
    facts.push(("Duration", spoken(record.duration())));
    match &record.finished {
        Some(finished) => {
            let code = finished.exit_code;
            facts.push(("Exit code", format!("{code}: {}", exit_code_meaning(code))));
        }
        None => facts.push(("Exit code", "none, the log has no end".to_owned())),
    }
    if let Some(started) = &record.started {
        facts.push(("Matrix", started.matrix.clone()));
        if !started.narrowed_by.is_empty() {
            facts.push(("Narrowed by", started.narrowed_by.join(" ")));
        }
        facts.push(("tierproof", started.version.clone()));
    }
    facts
}

fn counts(cells: &[&Anchored<'_>]) -> Vec<Count> {
    Tally::of(cells.iter().map(|(_, cell)| *cell))
        .0
        .into_iter()
        .map(|(standing, count)| Count {
            key: standing.key(),
            word: standing.word(),
            cells: count,
            first: cells
                .iter()
                .find(|(_, cell)| cell.standing() == standing)
                .map(|(anchor, _)| anchor.clone()),
        })
        .collect()
}

fn grid(record: &RunRecord, cells: &[Anchored<'_>]) -> Grid {
    let mut squares: BTreeMap<(BrowserName, BackendName), Vec<&Anchored<'_>>> = BTreeMap::new();
    for anchored in cells {
        let id = &anchored.1.cell;
        squares.entry((id.browser, id.backend)).or_default().push(anchored);
    }
    let has = |which: &dyn Fn(&(BrowserName, BackendName)) -> bool| squares.keys().any(which);
    let backends: Vec<_> =
        BackendName::ALL.into_iter().filter(|backend| has(&|key| key.1 == *backend)).collect();
    let row = |browser: BrowserName| GridRow {
        browser: browser.as_str(),
        version: record
            .probes
            .iter()
            .find(|probe| probe.browser == browser)
            .map(|probe| probe.version.clone())
            .unwrap_or_default(),
        columns: backends
            .iter()
            .map(|backend| {
                let cells = squares.get(&(browser, *backend)).map(Vec::as_slice);
                let counts = counts(cells.unwrap_or_default());
                let key = counts.first().map(|count| count.key);
                GridCell { backend: backend.as_str(), key, counts }
            })
            .collect(),
    };
    let browsers = BrowserName::ALL.into_iter().filter(|browser| has(&|key| key.0 == *browser));
    Grid {
        rows: browsers.map(row).collect(),
        backends: backends.iter().map(|b| b.as_str()).collect(),
    }
}

fn expected(record: &RunRecord, cells: &[Anchored<'_>]) -> Vec<Group> {
    let mut groups: BTreeMap<(BrowserName, BackendName), Vec<CellView>> = BTreeMap::new();
    for (anchor, record_of_cell) in cells {
        if record_of_cell.standing() == Standing::Expected {
            let key = (record_of_cell.cell.browser, record_of_cell.cell.backend);
            groups.entry(key).or_default().push(cell::of(record, record_of_cell, anchor.clone()));
        }
    }
    groups
        .into_iter()
        .map(|((browser, backend), cells)| Group { title: format!("{browser} / {backend}"), cells })
        .collect()
}

fn not_run(cells: &[Anchored<'_>]) -> Vec<NotRun> {
    let mut groups: BTreeMap<(Standing, String), Vec<NotRunCell>> = BTreeMap::new();
    for (anchor, cell) in cells {
        let standing = cell.standing();
        if matches!(standing, Standing::Unsupported | Standing::NotRun) {
            groups.entry((standing, reason(cell))).or_default().push(NotRunCell {
                anchor: anchor.clone(),
                id: cell.cell.to_string(),
                browser: cell.cell.browser.as_str(),
                backend: cell.cell.backend.as_str(),
            });
        }
    }
    groups
        .into_iter()
        .map(|((standing, reason), cells)| NotRun {
            key: standing.key(),
            word: standing.word(),
            reason,
            cells,
        })
        .collect()
}

fn filters(record: &RunRecord) -> Vec<Filter> {
    let distinct = |of: &dyn Fn(&CellRecord) -> (String, String)| {
        let mut options: Vec<_> = record.cells.iter().map(of).collect();
        options.sort();
        options.dedup();
        options
    };
    let same = |text: &str| (text.to_owned(), text.to_owned());
    vec![
        Filter {
            name: "verdict",
            label: "any verdict",
            options: distinct(&|cell| {
                (cell.standing().key().to_owned(), cell.standing().word().to_owned())
            }),
        },
        Filter {
            name: "browser",
            label: "any browser",
            options: distinct(&|cell| same(cell.cell.browser.as_str())),
        },
        Filter {
            name: "backend",
            label: "any backend",
            options: distinct(&|cell| same(cell.cell.backend.as_str())),
        },
        Filter {
            name: "model",
            label: "any model",
            options: distinct(&|cell| same(&cell.cell.model)),
        },
        Filter {
            name: "scenario",
            label: "any scenario",
            options: distinct(&|cell| same(&cell.cell.scenario)),
        },
    ]
}
