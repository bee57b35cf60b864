//! The results of the hybrid client as two tables: scenario by browser, and the source, speed and
//! price of answers. Reporters lay them out.

use std::collections::BTreeMap;

use inference_wasm::client::tier::Tier;
use inference_wasm::protocol::BackendName;
use serde::Serialize;

use super::record::{CellRecord, RunRecord, Standing};
use super::wording::reason;
use crate::judge::outcome::Disposition;
use crate::run::event::ClientEvidence;
use crate::spec::cell::BrowserName;
use crate::spec::scenario::Layer;

/// Both tables.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(crate) struct Resilience {
    /// The columns.
    pub(crate) browsers: Vec<&'static str>,
    /// A row for each scenario.
    pub(crate) rows: Vec<Row>,
    /// Reasons for unsupported cells; squares refer to them by number, from 1.
    pub(crate) reasons: Vec<String>,
    /// By scenario and source.
    pub(crate) routes: Vec<Route>,
}

/// A scenario.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Row {
    /// Its name without the layer.
    pub(crate) scenario: String,
    /// In the order of the browsers.
    pub(crate) squares: Vec<Square>,
}

/// A scenario in a browser, over its starting tiers.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Square {
    /// The most urgent standing; `None` without a cell.
    pub(crate) key: Option<&'static str>,
    /// `3 passed`, `2 passed, 1 unsupported (1)`, `failed on webgl`.
    pub(crate) text: String,
}

/// Requests of a scenario that one source answered.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Route {
    /// The scenario's name without the layer.
    pub(crate) scenario: String,
    /// `browser, webgpu`, or `server`.
    pub(crate) source: String,
    /// Whether the server answered.
    pub(crate) is_server: bool,
    /// The number of requests, over all browsers.
    pub(crate) requests: usize,
    /// Median latency to the end, in milliseconds.
    pub(crate) latency_ms: u64,
    /// Median rate, the time to the first token included.
    pub(crate) tokens_per_s: f64,
    /// Mean price of a request; `None` where the matrix does not give the server's.
    pub(crate) cost: Option<f64>,
}

impl Route {
    /// The price, ready to print.
    pub(crate) fn price(&self) -> String {
        self.cost.map_or("unknown".to_owned(), |cost| format!("{cost:.6}"))
    }
}

/// The tables of a run; `None` if none of its cells uses the client.
pub(crate) fn of_run(record: &RunRecord) -> Option<Resilience> {
    let resilience = format!("{}/", Layer::Resilience.as_str());
    let soak = format!("{}/", Layer::Soak.as_str());
    let mut squares: BTreeMap<(&str, BrowserName), Vec<&CellRecord>> = BTreeMap::new();
    for cell in &record.cells {
        let name = cell.cell.scenario.as_str();
        let is_soak = name.starts_with(&soak);
        if let Some(name) = name.strip_prefix(&resilience).or(is_soak.then_some(name)) {
            squares.entry((name, cell.cell.browser)).or_default().push(cell);
        }
    }
    if squares.is_empty() {
        return None;
    }
    let has = |browser: &BrowserName| squares.keys().any(|(_, other)| other == browser);
    let browsers: Vec<_> = BrowserName::ALL.into_iter().filter(has).collect();
    let mut names: Vec<&str> = squares.keys().map(|(name, _)| *name).collect();
    names.dedup();
    let mut reasons = Vec::new();
    let rows = names.iter().map(|name| Row {
        scenario: (*name).to_owned(),
        squares: browsers
            .iter()
            .map(|browser| {
                let cells = squares.get(&(*name, *browser)).map_or(&[][..], Vec::as_slice);
                square(cells, &mut reasons)
            })
            .collect(),
    });
    Some(Resilience {
        rows: rows.collect(),
        browsers: browsers.iter().map(|browser| browser.as_str()).collect(),
        reasons,
        routes: routes(&squares, record.server_cost),
    })
}

fn square(cells: &[&CellRecord], reasons: &mut Vec<String>) -> Square {
    let mut standings: BTreeMap<Standing, Vec<BackendName>> = BTreeMap::new();
    let is_known = |cell: &&&CellRecord| {
        matches!(cell.disposition, Disposition::KnownFailure { .. })
            && cell.standing() == Standing::Expected
    };
    let known = cells.iter().filter(is_known).count();
    let mut notes: Vec<usize> = Vec::new();
    for cell in cells {
        let standing = cell.standing();
        standings.entry(standing).or_default().push(cell.cell.backend);
        if standing == Standing::Unsupported {
            let why = reason(cell);
            let index = reasons.iter().position(|known| *known == why).unwrap_or_else(|| {
                reasons.push(why);
                reasons.len() - 1
            });
            if !notes.contains(&(index + 1)) {
                notes.push(index + 1);
            }
        }
    }
    let parts = standings.iter().map(|(standing, backends)| match standing {
        Standing::Expected if known == 0 => format!("{} passed", backends.len()),
        Standing::Expected => {
            format!("{} passed, {known} known failures", backends.len() - known)
        }
        Standing::Unsupported => {
            let notes: Vec<_> = notes.iter().map(usize::to_string).collect();
            format!("{} unsupported ({})", backends.len(), notes.join(", "))
        }
        _ => {
            let backends: Vec<_> = backends.iter().map(|backend| backend.as_str()).collect();
            format!("{} on {}", standing.word(), backends.join(", "))
        }
    });
    let text = parts.collect::<Vec<_>>().join(", ");
    let key = standings.keys().next().map(|standing| standing.key());
    Square { key, text: if text.is_empty() { "-".to_owned() } else { text } }
}

fn routes(
    squares: &BTreeMap<(&str, BrowserName), Vec<&CellRecord>>,
    server_cost: Option<f64>,
) -> Vec<Route> {
    let mut answered: BTreeMap<(&str, Tier), Vec<&ClientEvidence>> = BTreeMap::new();
    for ((name, _), cells) in squares {
        let attempts = cells.iter().filter_map(|cell| cell.telling_attempt());
        let steps = attempts.flat_map(|attempt| &attempt.evidence.steps);
        for client in steps.filter_map(|step| step.client.as_ref()) {
            if let Some(tier) = client.tier.filter(|_| client.is_answered) {
                answered.entry((*name, tier)).or_default().push(client);
            }
        }
    }
    let routes = answered.into_iter().map(|((name, tier), requests)| {
        let mut latencies: Vec<u64> = requests.iter().map(|one| one.latency_ms).collect();
        let mut rates: Vec<f64> = requests
            .iter()
            .map(|one| f64::from(one.tokens) * 1000.0 / one.latency_ms.max(1) as f64)
            .collect();
        latencies.sort_unstable();
        rates.sort_by(f64::total_cmp);
        let middle = requests.len() / 2;
        let tokens: u32 = requests.iter().map(|one| one.tokens).sum();
        let mean_tokens = f64::from(tokens) / requests.len() as f64;
        let is_server = tier == Tier::Server;
        Route {
            scenario: name.to_owned(),
            source: if is_server { "server".to_owned() } else { format!("browser, {tier}") },
            is_server,
            requests: requests.len(),
            latency_ms: latencies.get(middle).copied().unwrap_or(0),
            tokens_per_s: rates.get(middle).copied().unwrap_or(0.0),
            cost: if is_server {
                server_cost.map(|cost| cost * mean_tokens / 1000.0)
            } else {
                Some(0.0)
            },
        }
    });
    routes.collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::judge::outcome::{Outcome, Verdict};
    use crate::report::record::AttemptRecord;
    use crate::run::event::{Evidence, StepEvidence};

    fn cell(id: &str, verdict: Verdict, answers: &[(Tier, u64, u32)]) -> CellRecord {
        let disposition = match &verdict {
            Verdict::NotRun { reason } => Disposition::Unsupported { reason: reason.clone() },
            _ => Disposition::Run,
        };
        let steps = answers.iter().map(|(tier, latency_ms, tokens)| StepEvidence {
            client: Some(ClientEvidence {
                tier: Some(*tier),
                is_answered: true,
                latency_ms: *latency_ms,
                first_token_ms: None,
                tokens: *tokens,
                recoveries: 0,
                trail: Vec::new(),
            }),
            ..StepEvidence::default()
        });
        CellRecord {
            cell: id.parse().unwrap(),
            disposition,
            attempts: vec![AttemptRecord {
                attempt: 1,
                outcome: Outcome::Panicked { message: String::new() },
                evidence: Evidence { steps: steps.collect(), ..Evidence::default() },
                duration: Duration::ZERO,
            }],
            verdict: Some(verdict),
        }
    }

    pub(crate) fn record(server_cost: Option<f64>) -> RunRecord {
        let no_gpu = Verdict::NotRun { reason: "no WebGPU".to_owned() };
        let cells = vec![
            cell(
                "chrome/webgpu/tierproof/m/resilience/a",
                Verdict::Expected,
                &[(Tier::Webgpu, 100, 10), (Tier::Server, 200, 10)],
            ),
            cell("chrome/webgl/tierproof/m/resilience/a", Verdict::Unexpected, &[]),
            cell("webkit/webgpu/tierproof/m/resilience/a", no_gpu, &[]),
            cell(
                "webkit/wasm/tierproof/m/resilience/a",
                Verdict::Expected,
                &[(Tier::Server, 400, 30)],
            ),
            cell("webkit/wasm/tierproof/m/resilience/b", Verdict::Expected, &[]),
            cell("webkit/webgl/tierproof/m/soak/c", Verdict::Expected, &[]),
            cell("webkit/wasm/tierproof/m/tokens/greedy", Verdict::Expected, &[]),
        ];
        let mut record = RunRecord::default();
        (record.cells, record.server_cost) = (cells, server_cost);
        record
    }

    #[test]
    fn scenarios_are_listed_by_browser() {
        let tables = of_run(&record(Some(0.5))).unwrap();
        assert_eq!(tables.browsers, ["chrome", "webkit"]);
        let texts: Vec<Vec<_>> = tables
            .rows
            .iter()
            .map(|row| row.squares.iter().map(|square| square.text.as_str()).collect())
            .collect();
        assert_eq!(
            texts,
            [
                vec!["unexpected on webgl, 1 passed", "1 passed, 1 unsupported (1)"],
                vec!["-", "1 passed"],
                vec!["-", "1 passed"]
            ]
        );
        let names: Vec<_> = tables.rows.iter().map(|row| row.scenario.as_str()).collect();
        assert_eq!(names, ["a", "b", "soak/c"]);
        assert_eq!(tables.reasons, ["no WebGPU"]);
    }

    #[test]
    fn routes_have_a_price_where_it_is_known() {
        let tables = of_run(&record(Some(0.5))).unwrap();
        let routes: Vec<_> = tables
            .routes
            .iter()
            .map(|route| (route.source.as_str(), route.requests, route.latency_ms, route.price()))
            .collect();
        assert_eq!(
            routes,
            [
                ("browser, webgpu", 1, 100, "0.000000".to_owned()),
                // 20 tokens on average, at 0.5 for a thousand.
                ("server", 2, 400, "0.010000".to_owned()),
            ]
        );
        let unpriced = of_run(&record(None)).unwrap();
        assert_eq!(unpriced.routes[1].price(), "unknown");
    }

    #[test]
    fn a_run_without_the_client_has_no_tables() {
        assert_eq!(of_run(&RunRecord::default()), None);
    }
}
