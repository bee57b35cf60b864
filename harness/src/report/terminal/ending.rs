//! The end of a run: grid, reasons for not running, cells that need attention, pointers, counts.

use std::collections::BTreeMap;
use std::path::Path;

use inference_wasm::protocol::BackendName;
use owo_colors::OwoColorize;

use super::lines::{column, harmless, indented, style};
use crate::report::record::{CellRecord, RunRecord, Standing, Tally};
use crate::report::resilience::{self, Resilience, Route};
use crate::report::wording::{
    Tone, exit_code_meaning, first_line, headline, reason, rerun_command, spoken,
};
use crate::spec::cell::BrowserName;

/// The most cells that are listed; the HTML report has them all.
const LISTED: usize = 40;

pub(super) fn of_run(record: &RunRecord, report_folder: Option<&Path>) -> Vec<String> {
    let mut lines = Vec::new();
    let mut section = |block: Vec<String>| {
        if !block.is_empty() {
            lines.push(String::new());
            lines.extend(block);
        }
    };
    section(grid(&record.cells));
    section(bundles(&record.cells));
    section(not_run(&record.cells));
    if let Some(tables) = resilience::of_run(record) {
        section(scenarios(&tables));
        section(routes(&tables));
    }
    section(attention(record));
    section(pointers(record, report_folder));
    section(conclusion(record));
    lines
}

/// Browser × backend, a line for each standing.
fn grid(cells: &[CellRecord]) -> Vec<String> {
    let mut tallies: BTreeMap<(BrowserName, BackendName), Vec<&CellRecord>> = BTreeMap::new();
    for cell in cells {
        tallies.entry((cell.cell.browser, cell.cell.backend)).or_default().push(cell);
    }
    let has = |which: &dyn Fn(&(BrowserName, BackendName)) -> bool| tallies.keys().any(which);
    let backends: Vec<_> =
        BackendName::ALL.into_iter().filter(|backend| has(&|key| key.1 == *backend)).collect();
    let mut lines = Vec::new();
    if !backends.is_empty() {
        let heads: Vec<_> = backends.iter().map(|backend| format!("{backend:<19}")).collect();
        lines.push(format!("{} {}", column(""), heads.join(" ").trim_end()));
    }
    for browser in BrowserName::ALL.into_iter().filter(|browser| has(&|key| key.0 == *browser)) {
        let columns: Vec<Vec<(Standing, u32)>> = backends
            .iter()
            .map(|backend| {
                let cells = tallies.get(&(browser, *backend)).into_iter().flatten().copied();
                Tally::of(cells).0.into_iter().collect()
            })
            .collect();
        let height = columns.iter().map(Vec::len).max().unwrap_or(0);
        for row in 0..height {
            let name = if row == 0 { browser.as_str() } else { "" };
            let mut line = format!("{} ", column(name).bold());
            for parts in &columns {
                let text = match (parts.get(row), row) {
                    (Some((standing, count)), _) => {
                        let text = format!("{:<20}", format!("{count} {}", standing.word()));
                        text.style(style(*standing)).to_string()
                    }
                    (None, 0) => format!("{:<20}", "-"),
                    (None, _) => " ".repeat(20),
                };
                line.push_str(&text);
            }
            lines.push(line);
        }
    }
    lines
}

/// The bundles that ran in each browser, with the most active threads and the reason for the bundle.
fn bundles(cells: &[CellRecord]) -> Vec<String> {
    let mut ran: BTreeMap<(BrowserName, &str, &str), u32> = BTreeMap::new();
    for cell in cells.iter().filter(|cell| cell.cell.backend == BackendName::Wasm) {
        let steps = cell.attempts.iter().flat_map(|attempt| &attempt.evidence.steps);
        for execution in steps.filter_map(|step| step.execution.as_ref()) {
            let key = (cell.cell.browser, &*execution.bundle, &*execution.bundle_reason);
            let threads = ran.entry(key).or_default();
            *threads = execution.effective_threads.max(*threads);
        }
    }
    ran.iter()
        .map(|((browser, bundle, reason), threads)| {
            let plural = if *threads == 1 { "" } else { "s" };
            let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
            let text = format!("bundle {bundle}, {threads} thread{plural}{reason}");
            format!("{} {}", column(browser.as_str()), harmless(&text))
        })
        .collect()
}

/// Reasons for not running, the most frequent first.
fn not_run(cells: &[CellRecord]) -> Vec<String> {
    let mut groups: BTreeMap<(Standing, String), usize> = BTreeMap::new();
    for cell in cells {
        let standing = cell.standing();
        if matches!(standing, Standing::Unsupported | Standing::NotRun | Standing::Unsettled) {
            *groups.entry((standing, reason(cell))).or_default() += 1;
        }
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|((standing, _), count)| (*standing, std::cmp::Reverse(*count)));
    groups
        .iter()
        .flat_map(|((standing, reason), count)| {
            let head = format!("{count} {}", standing.word());
            let first = harmless(first_line(reason));
            let first = format!("{} {first}", column(&head).style(style(*standing)));
            std::iter::once(first).chain(indented(reason).skip(1))
        })
        .collect()
}

/// Scenarios of the hybrid client by browser.
fn scenarios(tables: &Resilience) -> Vec<String> {
    let widest = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or(0);
    let names = widest(&mut tables.rows.iter().map(|row| row.scenario.len()));
    let widths: Vec<usize> = (0..tables.browsers.len())
        .map(|at| {
            let texts = tables.rows.iter().filter_map(|row| row.squares.get(at));
            let text = widest(&mut texts.map(|square| square.text.len()));
            text.max(tables.browsers.get(at).map_or(0, |browser| browser.len()))
        })
        .collect();
    let heads = tables.browsers.iter().zip(&widths);
    let heads: Vec<_> = heads.map(|(browser, width)| format!("{browser:<width$}")).collect();
    let mut lines = vec![format!("{} {:<names$}  {}", column(""), "", heads.join("  "))];
    for row in &tables.rows {
        let squares = row.squares.iter().zip(&widths).map(|(square, width)| {
            let text = format!("{:<width$}", square.text);
            let standing = Standing::ALL.into_iter().find(|one| Some(one.key()) == square.key);
            standing.map_or(text.clone(), |standing| text.style(style(standing)).to_string())
        });
        let squares = squares.collect::<Vec<_>>().join("  ");
        lines.push(format!("{} {:<names$}  {squares}", column(""), row.scenario));
    }
    let reasons = tables.reasons.iter().zip(1..);
    lines.extend(reasons.map(|(reason, number)| {
        format!("{} ({number}) {}", column(""), harmless(first_line(reason)))
    }));
    lines
}

/// The sources of answers, in scenarios in which the server answered too.
fn routes(tables: &Resilience) -> Vec<String> {
    let asked = |route: &&Route| {
        let same = tables.routes.iter().filter(|other| other.scenario == route.scenario);
        same.clone().any(|other| other.is_server)
    };
    let routes: Vec<_> = tables.routes.iter().filter(asked).collect();
    if routes.is_empty() {
        return Vec::new();
    }
    let names = routes.iter().map(|route| route.scenario.len()).max().unwrap_or(0);
    let head = format!("{:<names$}  {:<16}  latency  tokens/s  price of a request", "", "source");
    let mut lines = vec![format!("{} {head}", column(""))];
    for route in routes {
        let Route { scenario, source, latency_ms, tokens_per_s, .. } = route;
        let price = route.price();
        lines.push(format!(
            "{} {scenario:<names$}  {source:<16}  {latency_ms:>4} ms  {tokens_per_s:>8.1}  {price}",
            column("")
        ));
    }
    lines
}

fn attention(record: &RunRecord) -> Vec<String> {
    // Cells without a verdict are grouped with those that did not run.
    let is_listed =
        |standing: Standing| standing.wants_attention() && standing != Standing::Unsettled;
    let mut cells: Vec<_> = record.cells.iter().filter(|cell| is_listed(cell.standing())).collect();
    cells.sort_by_key(|cell| cell.standing());
    let mut lines = Vec::new();
    for cell in cells.iter().take(LISTED) {
        let word = column(cell.standing().word());
        lines.push(format!("{} {}", word.style(style(cell.standing())), cell.cell));
        lines.extend(indented(first_line(&reason(cell))));
        let command = rerun_command(record, cell);
        lines.push(format!("{} {}", column("rerun:").dimmed(), command.dimmed()));
    }
    if let Some(more) = cells.len().checked_sub(LISTED).filter(|more| *more > 0) {
        lines.push(format!("{} and {more} more", column("")));
    }
    lines
}

fn pointers(record: &RunRecord, report_folder: Option<&Path>) -> Vec<String> {
    let wants = record.cells.iter().any(|cell| cell.standing().wants_attention());
    let Some(folder) = report_folder else { return Vec::new() };
    let page = folder.join("index.html");
    let what = if wants { "details:" } else { "report:" };
    vec![format!("{} {}", column(what), page.display())]
}

fn conclusion(record: &RunRecord) -> Vec<String> {
    let (tone, sentence) = headline(record);
    let sentence = match tone {
        Tone::Good => sentence.green().bold().to_string(),
        Tone::Bad => sentence.red().bold().to_string(),
        Tone::Doubtful => sentence.yellow().bold().to_string(),
    };
    let mut lines = Vec::new();
    for floor in record.finished.iter().flat_map(|finished| &finished.missed_floors) {
        lines.push(format!("{} {}", column("missed floor").red().bold(), harmless(floor)));
    }
    let code = match &record.finished {
        Some(finished) => {
            let code = finished.exit_code;
            format!(" (exit code {code}: {})", exit_code_meaning(code))
        }
        None => String::new(),
    };
    lines.push(format!("{sentence}{}", code.dimmed()));
    lines.push(counts(record));
    lines
}

/// The same fields in the same order in every run, so that scripts can search for them.
fn counts(record: &RunRecord) -> String {
    let tally = record.tally();
    let mut parts = vec![format!("{} ran", tally.ran())];
    for standing in [
        Standing::Expected,
        Standing::Unexpected,
        Standing::UnexpectedPass,
        Standing::Flaky,
        Standing::Inconclusive,
        Standing::Unsupported,
        Standing::NotRun,
        Standing::Unsettled,
    ] {
        let count = tally.get(standing);
        let part = format!("{count} {}", standing.word());
        match (count, standing) {
            // Only a broken log has any.
            (0, Standing::Unsettled) => {}
            (0, _) => parts.push(part.dimmed().to_string()),
            _ => parts.push(part.style(style(standing)).to_string()),
        }
    }
    parts.push(spoken(record.duration()));
    parts.join(" · ")
}
