//! Results of the op suite as text: counts by op and weight type, how near each op came to its
//! bound, and every failure in full.

use std::fmt::Write as _;

use inference_wasm::protocol::{OpTally, OpsReport};

use super::suite::{Held, HeldResult};

/// The reports, with the names of their columns.
type Columns<'a> = Vec<(String, &'a OpsReport)>;

/// The whole text. Ends with a newline.
pub fn render(all: &[Held]) -> String {
    let columns: Columns<'_> = all
        .iter()
        .filter_map(|held| match &held.result {
            HeldResult::Held { report, .. } => Some((name(held), &**report)),
            _ => None,
        })
        .collect();
    let mut text = String::new();
    if !columns.is_empty() {
        text += &counts(&columns);
        text.push('\n');
        text += &nearest(&columns);
        text.push('\n');
    }
    for held in all {
        text += &summary(held);
    }
    text
}

fn name(held: &Held) -> String {
    format!("{}/{}", held.browser, held.backend)
}

/// Rows of a table with left-aligned `labels` before right-aligned columns.
fn aligned(labels: usize, rows: &[Vec<String>]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..count).map(|column| width(column).unwrap_or_default()).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).enumerate().map(|(at, (cell, &width))| {
            if at < labels { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        text += line.trim_end();
        text.push('\n');
    }
    text
}

fn counts(columns: &Columns<'_>) -> String {
    let heads = columns.iter().map(|(name, _)| name.clone());
    let mut rows: Vec<Vec<String>> =
        vec![["op", "weights"].map(str::to_owned).into_iter().chain(heads).collect()];
    let mut keys: Vec<(&str, &str)> = Vec::new();
    for tally in columns.iter().flat_map(|(_, report)| &report.tallies) {
        let key = (tally.op.as_str(), tally.weights.as_str());
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    for (op, weights) in keys {
        let cell = |report: &OpsReport| {
            let its = report.tallies.iter().find(|t| t.op == op && t.weights == weights);
            its.map_or_else(String::new, count)
        };
        let cells = columns.iter().map(|(_, report)| cell(report));
        rows.push([op, weights].map(str::to_owned).into_iter().chain(cells).collect());
    }
    let all = columns.iter().map(|(_, report)| count(&total(report)));
    rows.push(["all", ""].map(str::to_owned).into_iter().chain(all).collect());
    aligned(2, &rows)
}

/// `24`, `22, 2 wrong`, or `24 left out`.
fn count(tally: &OpTally) -> String {
    let parts = [(tally.passed, ""), (tally.failed, " wrong"), (tally.left_out, " left out")];
    let parts = parts.iter().filter(|(count, _)| *count > 0);
    parts.map(|(count, word)| format!("{count}{word}")).collect::<Vec<_>>().join(", ")
}

fn total(report: &OpsReport) -> OpTally {
    let sum = |of: fn(&OpTally) -> u32| report.tallies.iter().map(of).sum();
    OpTally {
        op: String::new(),
        weights: String::new(),
        passed: sum(|tally| tally.passed),
        failed: sum(|tally| tally.failed),
        left_out: sum(|tally| tally.left_out),
        unguarded: sum(|tally| tally.unguarded),
    }
}

/// The case of each op that came nearest to its bound, over all columns.
fn nearest(columns: &Columns<'_>) -> String {
    let heads = ["op", "error", "allowed", "part", "NMSE", "where"].map(str::to_owned);
    let mut rows = vec![heads.to_vec()];
    let mut ops: Vec<&str> = Vec::new();
    for worst in columns.iter().flat_map(|(_, report)| &report.worst) {
        if !ops.contains(&worst.op.as_str()) {
            ops.push(&worst.op);
        }
    }
    for op in ops {
        let of_op = columns.iter().flat_map(|(name, report)| {
            report.worst.iter().filter(|worst| worst.op == op).map(move |worst| (name, worst))
        });
        let Some((name, worst)) = of_op.max_by(|(_, a), (_, b)| a.ratio.total_cmp(&b.ratio)) else {
            continue;
        };
        let shown = |value: f64| if value == 0.0 { "0".to_owned() } else { format!("{value:.1e}") };
        let place =
            if worst.ratio == 0.0 { String::new() } else { format!("{name}, {}", worst.case) };
        rows.push(vec![
            op.to_owned(),
            shown(worst.error),
            shown(worst.allowed),
            format!("{:.3}", worst.ratio),
            shown(worst.nmse),
            place,
        ]);
    }
    // The place is text, so it is aligned to the left.
    aligned_but_last(&rows)
}

fn aligned_but_last(rows: &[Vec<String>]) -> String {
    let numbers: Vec<Vec<String>> = rows.iter().map(|row| row[..row.len() - 1].to_vec()).collect();
    let lines = aligned(1, &numbers);
    let places = rows.iter().map(|row| row.last().map_or("", String::as_str));
    lines.lines().zip(places).fold(String::new(), |mut text, (line, place)| {
        let _ = writeln!(text, "{}", format!("{line}  {place}").trim_end());
        text
    })
}

/// A line for the backend, and one for each of its failures.
fn summary(held: &Held) -> String {
    let name = name(held);
    match &held.result {
        HeldResult::Held { report, missing_proof } => {
            let OpTally { passed, failed, left_out, unguarded, .. } = total(report);
            let execution = &report.execution;
            let adapter = execution.adapter.as_ref().map(|adapter| {
                let software =
                    if execution.adapter_is_software == Some(true) { ", software" } else { "" };
                let name = if adapter.is_empty() { "an adapter without a name" } else { adapter };
                format!(" on {name}{software}")
            });
            let mut text = format!(
                "{name}{}: {} of {passed_or_failed} right, {left_out} left out, {unguarded} without \
                 room for a guard, of {} in the table; {:.1} s\n",
                adapter.unwrap_or_default(),
                passed,
                report.table_cases,
                report.elapsed_ms / 1000.0,
                passed_or_failed = passed + failed,
            );
            for reason in missing_proof {
                let _ = writeln!(text, "  no tier proof: {reason}");
            }
            for failure in &report.failures {
                let _ = writeln!(text, "  {}", failure.message);
            }
            text
        }
        HeldResult::Unsupported { reason } => format!("{name}: unsupported: {reason}\n"),
        HeldResult::Broken { message } => format!("{name}: {message}\n"),
        HeldResult::Trouble { message } => format!("{name}: trouble: {message}\n"),
    }
}
