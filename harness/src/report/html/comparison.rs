//! Comparisons as values: measured beside allowed.

use serde::Serialize;

use crate::judge::compare::{
    Candidate, Comparison, Divergence, LogitsComparison, TokensComparison,
};
use crate::report::wording::shortened;

/// Flips shown of one comparison.
const FLIPS_LIMIT: usize = 12;

#[derive(Debug, Default, Serialize)]
pub(super) struct ComparisonView {
    /// In a few words: `14 of 14 tokens equal`.
    summary: String,
    bars: Vec<Bar>,
    divergence: Option<DivergenceView>,
    flips: Vec<FlipView>,
    flips_left_out: usize,
}

/// A measured value, within or beyond the tolerance.
#[derive(Debug, Serialize)]
struct Bar {
    metric: &'static str,
    measured: String,
    allowed: String,
    /// Of the bar's length, at most 100.
    percent: u32,
    /// The share of the tolerance: `12 % of the tolerance`, `3.4 × the tolerance`.
    share: String,
    is_over: bool,
    place: String,
}

#[derive(Debug, Serialize)]
struct DivergenceView {
    step: u32,
    rows: Vec<CandidateView>,
    margin: String,
    is_explained: bool,
    diff: Vec<DiffLine>,
}

#[derive(Debug, Serialize)]
struct CandidateView {
    whose: &'static str,
    id: String,
    text: String,
    reference_logit: String,
    measured_logit: String,
}

#[derive(Debug, Serialize)]
struct DiffLine {
    /// `del`, `ins` or nothing.
    key: &'static str,
    text: String,
}

#[derive(Debug, Serialize)]
struct FlipView {
    row: u32,
    reference: CandidateView,
    measured: CandidateView,
    margin: String,
    is_explained: bool,
}

pub(super) fn of(comparison: &Comparison) -> ComparisonView {
    match comparison {
        Comparison::Tokens(tokens) => of_tokens(tokens),
        Comparison::Logits(logits) => of_logits(logits),
        Comparison::Expectation { what, expected, measured } => ComparisonView {
            summary: if expected == measured {
                format!("{what}: {measured}, as expected")
            } else {
                format!("{what}: expected {expected}, found {measured}")
            },
            ..ComparisonView::default()
        },
    }
}

fn of_tokens(tokens: &TokensComparison) -> ComparisonView {
    let TokensComparison { reference_steps, matching_steps, divergence } = tokens;
    ComparisonView {
        summary: match divergence {
            None => format!("{matching_steps} of {reference_steps} tokens equal"),
            Some(Divergence { step, is_explained: true, .. }) => {
                format!("diverges at step {step} of {reference_steps}, a near tie")
            }
            Some(Divergence { step, .. }) => {
                format!("diverges at step {step} of {reference_steps}")
            }
        },
        divergence: divergence.as_ref().map(of_divergence),
        ..ComparisonView::default()
    }
}

fn of_divergence(divergence: &Divergence) -> DivergenceView {
    DivergenceView {
        step: divergence.step,
        rows: vec![
            candidate("reference", divergence.reference.as_ref()),
            candidate("measured", divergence.measured.as_ref()),
        ],
        margin: divergence.margin.map_or_else(|| "unknown".to_owned(), |m| format!("{m:.4}")),
        is_explained: divergence.is_explained,
        diff: divergence
            .text_diff
            .lines()
            .map(|line| DiffLine {
                key: match line.chars().next() {
                    Some('-') => "del",
                    Some('+') => "ins",
                    _ => "",
                },
                text: shortened(line, 4000),
            })
            .collect(),
    }
}

fn candidate(whose: &'static str, candidate: Option<&Candidate>) -> CandidateView {
    let logit = |logit: Option<f64>| logit.map_or_else(|| "–".to_owned(), |l| format!("{l:.4}"));
    match candidate {
        None => CandidateView {
            whose,
            id: "–".to_owned(),
            text: "had stopped".to_owned(),
            reference_logit: "–".to_owned(),
            measured_logit: "–".to_owned(),
        },
        Some(candidate) => CandidateView {
            whose,
            id: candidate.id.to_string(),
            text: format!("`{}`", candidate.text.escape_debug()),
            reference_logit: logit(candidate.reference_logit),
            measured_logit: logit(candidate.measured_logit),
        },
    }
}

fn of_logits(logits: &LogitsComparison) -> ComparisonView {
    let class = &logits.class;
    let flips = logits.flips.len();
    let unexplained = logits.flips.iter().filter(|flip| !flip.is_explained).count();
    let flips_in_words = match (flips, unexplained) {
        (0, _) => String::new(),
        (_, 0) => ", every flip explained".to_owned(),
        _ => format!(", {unexplained} flips unexplained"),
    };
    ComparisonView {
        summary: format!(
            "top-1 {} of {}{flips_in_words}; class `{}`",
            logits.top1_agreement, logits.rows, class.name
        ),
        bars: vec![
            bar("mean KLD", logits.mean_kld, class.mean_kld, String::new()),
            bar("max KLD", logits.max_kld, class.max_kld, format!("row {}", logits.max_kld_row)),
            bar(
                "max |Δ logit|",
                logits.max_abs,
                class.max_abs,
                format!("row {}, id {}", logits.max_abs_row, logits.max_abs_id),
            ),
        ],
        divergence: None,
        flips: logits
            .flips
            .iter()
            .take(FLIPS_LIMIT)
            .map(|flip| FlipView {
                row: flip.row,
                reference: candidate("reference", Some(&flip.reference)),
                measured: candidate("measured", Some(&flip.measured)),
                margin: format!("{:.4}", flip.margin),
                is_explained: flip.is_explained,
            })
            .collect(),
        flips_left_out: flips.saturating_sub(FLIPS_LIMIT),
    }
}

fn bar(metric: &'static str, measured: f64, allowed: f64, place: String) -> Bar {
    // A NaN is never within tolerance.
    let is_over = measured.is_nan() || allowed.is_nan() || measured > allowed;
    let share = if allowed > 0.0 { measured / allowed } else { f64::from(u8::from(is_over)) };
    let percent = if share.is_finite() { (share * 100.0).clamp(0.0, 100.0) } else { 100.0 };
    Bar {
        metric,
        measured: number(measured),
        allowed: number(allowed),
        percent: percent.round() as u32,
        share: if !share.is_finite() {
            "not a number".to_owned()
        } else if is_over {
            format!("{share:.1} × the tolerance")
        } else {
            format!("{:.0} % of the tolerance", share * 100.0)
        },
        is_over,
        place,
    }
}

/// Three significant digits, as an exponent where that is shorter.
fn number(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 {
        "0".to_owned()
    } else if !(0.001..10_000.0).contains(&size) {
        format!("{value:.2e}")
    } else if size < 1.0 {
        format!("{value:.4}")
    } else {
        format!("{value:.3}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_shows_headroom_and_never_hides_an_excess() {
        for (measured, allowed, percent, share, is_over) in [
            (0.0, 1e-3, 0, "0 % of the tolerance", false),
            (1.2e-4, 1e-3, 12, "12 % of the tolerance", false),
            (1e-3, 1e-3, 100, "100 % of the tolerance", false),
            (3.4e-3, 1e-3, 100, "3.4 × the tolerance", true),
            (0.0, 0.0, 0, "0 % of the tolerance", false),
            (f64::NAN, 1e-3, 100, "not a number", true),
            (f64::INFINITY, 1e-3, 100, "not a number", true),
        ] {
            let bar = bar("max KLD", measured, allowed, String::new());
            assert_eq!(
                (bar.percent, bar.share.as_str(), bar.is_over),
                (percent, share, is_over),
                "{measured} of {allowed}"
            );
        }
        assert!(bar("max KLD", 1e-9, 0.0, String::new()).is_over);
    }
}
