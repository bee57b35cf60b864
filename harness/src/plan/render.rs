//! The plan as text, for `tierproof plan`.

use std::fmt::Write;

use super::Plan;
use crate::judge::outcome::Disposition;
use crate::plan::PlannedCell;

/// The level of detail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Cells with the same expectation share a line.
    Grouped,
    /// A line for each cell.
    Cells,
}

/// The plan as a tree, with the counts at its end. Ends with a newline.
pub fn render(plan: &Plan, detail: Detail) -> String {
    let cells: Vec<&PlannedCell> = plan.cells.iter().collect();
    let mut out = String::new();
    branch(&mut out, &cells, &LEVELS, 0, detail);
    out.push('\n');
    out.push_str(&counts(plan));
    out
}

/// The plan as JSON, one cell a line.
pub fn render_json_lines(plan: &Plan) -> serde_json::Result<String> {
    let mut out = String::new();
    for cell in &plan.cells {
        out.push_str(&serde_json::to_string(cell)?);
        out.push('\n');
    }
    Ok(out)
}

/// The name of a cell on a level of the tree.
type Level = fn(&PlannedCell) -> String;

const LEVELS: [Level; 4] = [
    |planned| planned.cell.browser.to_string(),
    |planned| planned.cell.backend.to_string(),
    |planned| {
        let engine = &planned.cell.engine;
        let is_ours = engine == "tierproof";
        if is_ours {
            planned.cell.model.clone()
        } else {
            format!("{engine}: {}", planned.cell.model)
        }
    },
    |planned| planned.cell.scenario.clone(),
];

/// The column in which counts and dispositions start.
const COLUMN: usize = 38;

fn branch(
    out: &mut String,
    cells: &[&PlannedCell],
    levels: &[Level],
    depth: usize,
    detail: Detail,
) {
    let Some((level, deeper)) = levels.split_first() else { return };
    for group in cells.chunk_by(|a, b| level(a) == level(b)) {
        let Some(first) = group.first() else { continue };
        let name = format!("{:indent$}{}", "", level(first), indent = depth * 2);
        let is_uniform = group.iter().all(|planned| planned.disposition == first.disposition);
        let is_leaf = deeper.is_empty();
        // A browser is never folded, so that its backends are visible.
        if is_leaf || (is_uniform && detail == Detail::Grouped && depth > 0) {
            let count = match group.len() {
                _ if is_leaf => String::new(),
                1 => "1 cell".to_owned(),
                many => format!("{many} cells"),
            };
            let what = describe(&first.disposition);
            line(out, &name, &count, &what, detail);
        } else {
            out.push_str(&name);
            out.push('\n');
            branch(out, group, deeper, depth + 1, detail);
        }
    }
}

fn line(out: &mut String, name: &str, count: &str, what: &str, detail: Detail) {
    // Writing to a `String` can't fail.
    let _ = match detail {
        Detail::Grouped => writeln!(out, "{name:<COLUMN$} {count:>9}  {what}"),
        Detail::Cells => writeln!(out, "{name:<COLUMN$} {what}"),
    };
}

fn describe(disposition: &Disposition) -> String {
    match disposition {
        Disposition::Run => "run".to_owned(),
        Disposition::KnownFailure { reason, link } => {
            format!("run, known failure: {reason} ({link})")
        }
        Disposition::Unsupported { reason } => format!("unsupported: {reason}"),
        Disposition::Unavailable { reason } => format!("unavailable: {reason}"),
    }
}

fn counts(plan: &Plan) -> String {
    let (mut run, mut known, mut unsupported, mut unavailable) = (0, 0, 0, 0);
    for planned in &plan.cells {
        *match planned.disposition {
            Disposition::Run => &mut run,
            Disposition::KnownFailure { .. } => &mut known,
            Disposition::Unsupported { .. } => &mut unsupported,
            Disposition::Unavailable { .. } => &mut unavailable,
        } += 1;
    }
    let all = match plan.cells.len() {
        1 => "1 cell".to_owned(),
        many => format!("{many} cells"),
    };
    let mut out = format!(
        "{all}: {run} run, {known} known failures, {unsupported} unsupported, {unavailable} unavailable"
    );
    if !plan.excluded.is_empty() {
        let _ = write!(out, "; {} excluded by the matrix", plan.excluded.len());
    }
    out.push('\n');
    if !plan.narrowed_by.is_empty() {
        let _ = writeln!(out, "narrowed by {}", plan.narrowed_by.join(" and "));
    }
    out
}
