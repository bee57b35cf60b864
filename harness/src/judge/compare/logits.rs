//! Compares teacher-forced logits with the reference's, row by row.
//!
//! All arithmetic is f64. A logit that is not finite fails first, since it spoils every metric. A
//! constant added to a whole row changes neither probabilities nor metrics.

use super::{Candidate, Comparison, Flip, LogitsComparison, Mismatch};
use crate::judge::golden::{GoldenCase, Rows};
use crate::spec::tolerance::ToleranceClass;

/// Compares rows of logits with the golden's whole rows.
///
/// Metrics of a mismatch, in the order of comparing: `shape of logits`, `finite logits`,
/// `top-1 at row N`, `mean KLD`, `max KLD`, `max |Δ|`. KLD is KL(reference ‖ measured) in nats.
/// `place` begins the message of a mismatch.
pub fn compare_logits(
    golden: &GoldenCase,
    reference: Rows<'_>,
    measured: Rows<'_>,
    class: &ToleranceClass,
    place: &str,
) -> Result<LogitsComparison, Box<Mismatch>> {
    let mut comparison = empty(class, measured);
    let mismatch =
        |comparison: LogitsComparison, metric: &str, [measured, allowed]: [String; 2], detail| {
            let (place, metric) = (place.to_owned(), metric.to_owned());
            let comparison = Comparison::Logits(comparison);
            Err(Box::new(Mismatch { place, metric, measured, allowed, detail, comparison }))
        };

    let shape = |rows: Rows<'_>| format!("[{}, {}]", rows.count(), rows.columns());
    if shape(reference) != shape(measured) {
        let values = [shape(measured), shape(reference)];
        return mismatch(comparison, "shape of logits", values, "[rows, vocabulary]".to_owned());
    }
    if let Some((row, id, value)) = first_not_finite(measured) {
        let detail = format!("row {row}, token id {id}");
        let values = [format!("{value}"), "finite numbers".to_owned()];
        return mismatch(comparison, "finite logits", values, detail);
    }

    for (row, (p, q)) in reference.iter().zip(measured.iter()).enumerate() {
        add_row(&mut comparison, golden, row, p, q);
    }
    comparison.mean_kld /= f64::from(comparison.rows.max(1));

    let summary = summarize(&comparison);
    if let Some(flip) = comparison.flips.iter().find(|flip| !flip.is_explained) {
        let metric = format!("top-1 at row {}", flip.row);
        let name = |token: &Candidate| format!("{} {:?}", token.id, token.text);
        let values = [name(&flip.measured), name(&flip.reference)];
        let detail = format!("{}\n{summary}", describe(flip, class));
        return mismatch(comparison, &metric, values, detail);
    }
    let at = |row: u32| format!("row {row}: {}", chosen(golden, row));
    for (metric, measured, allowed, whereabouts) in [
        ("mean KLD", comparison.mean_kld, class.mean_kld, String::new()),
        ("max KLD", comparison.max_kld, class.max_kld, at(comparison.max_kld_row)),
        (
            "max |Δ|",
            comparison.max_abs,
            class.max_abs,
            format!("{}, token id {}", at(comparison.max_abs_row), comparison.max_abs_id),
        ),
    ] {
        // A NaN fails too, as a value or as a tolerance.
        if measured > allowed || measured.is_nan() || allowed.is_nan() {
            let values =
                [format!("{measured:.3e}"), format!("{allowed:.3e} by class `{}`", class.name)];
            let detail = [whereabouts, summary].into_iter().filter(|line| !line.is_empty());
            let detail = detail.collect::<Vec<_>>().join("\n");
            return mismatch(comparison, metric, values, detail);
        }
    }
    Ok(comparison)
}

fn empty(class: &ToleranceClass, measured: Rows<'_>) -> LogitsComparison {
    LogitsComparison {
        rows: measured.count() as u32,
        class: class.clone(),
        mean_kld: 0.0,
        max_kld: 0.0,
        max_kld_row: 0,
        max_abs: 0.0,
        max_abs_row: 0,
        max_abs_id: 0,
        top1_agreement: 0,
        flips: Vec::new(),
    }
}

/// Row, token id and value of the first logit that is NaN or infinite.
fn first_not_finite(rows: Rows<'_>) -> Option<(usize, usize, f32)> {
    rows.iter().enumerate().find_map(|(row, logits)| {
        let id = logits.iter().position(|logit| !logit.is_finite())?;
        logits.get(id).map(|value| (row, id, *value))
    })
}

/// Adds one row of reference logits `p` and measured logits `q`; `mean_kld` sums up until the end.
fn add_row(
    comparison: &mut LogitsComparison,
    golden: &GoldenCase,
    row: usize,
    p: &[f32],
    q: &[f32],
) {
    let kld = kl_divergence(p, q);
    comparison.mean_kld += kld;
    if kld > comparison.max_kld {
        (comparison.max_kld, comparison.max_kld_row) = (kld, row as u32);
    }
    let difference = |(p, q): (&f32, &f32)| f64::from(*q) - f64::from(*p);
    let shift = p.iter().zip(q).map(difference).sum::<f64>() / p.len() as f64;
    for (id, delta) in p.iter().zip(q).map(difference).enumerate() {
        let delta = (delta - shift).abs();
        if delta > comparison.max_abs {
            comparison.max_abs = delta;
            (comparison.max_abs_row, comparison.max_abs_id) = (row as u32, id as u32);
        }
    }
    let (Some(best), Some(found)) = (argmax(p), argmax(q)) else { return };
    if best == found {
        comparison.top1_agreement += 1;
        return;
    }
    let candidate = |id: usize| Candidate {
        id: id as u32,
        text: token_text(golden, row, id as u32),
        reference_logit: p.get(id).map(|logit| f64::from(*logit)),
        measured_logit: q.get(id).map(|logit| f64::from(*logit)),
    };
    let (reference, measured) = (candidate(best), candidate(found));
    let margin = match (reference.reference_logit, measured.reference_logit) {
        (Some(own), Some(other)) => own - other,
        _ => f64::INFINITY,
    };
    let is_explained = margin <= comparison.class.flip_margin;
    comparison.flips.push(Flip { row: row as u32, reference, measured, margin, is_explained });
}

/// KL(softmax(p) ‖ softmax(q)) in nats: the sum of P · (log P − log Q).
fn kl_divergence(p: &[f32], q: &[f32]) -> f64 {
    let (log_sum_p, log_sum_q) = (logsumexp(p), logsumexp(q));
    let terms = p.iter().zip(q).map(|(p, q)| {
        let log_p = f64::from(*p) - log_sum_p;
        log_p.exp() * (log_p - (f64::from(*q) - log_sum_q))
    });
    // Equal rows may sum to -1e-17; a divergence is never negative.
    terms.sum::<f64>().max(0.0)
}

/// log Σ exp(x), with the maximum taken out so that nothing overflows.
fn logsumexp(logits: &[f32]) -> f64 {
    let peak = logits.iter().fold(f64::NEG_INFINITY, |peak, logit| peak.max(f64::from(*logit)));
    peak + logits.iter().map(|logit| (f64::from(*logit) - peak).exp()).sum::<f64>().ln()
}

/// The index of the highest logit, the lowest among equals.
fn argmax(logits: &[f32]) -> Option<usize> {
    let first = (0, *logits.first()?);
    let higher = |best: (usize, f32), (id, logit): (usize, &f32)| {
        if *logit > best.1 { (id, *logit) } else { best }
    };
    Some(logits.iter().enumerate().fold(first, higher).0)
}

fn token_text(golden: &GoldenCase, row: usize, id: u32) -> String {
    let step = golden.steps.get(row);
    step.and_then(|step| step.find(id)).map(|token| token.2.clone()).unwrap_or_default()
}

/// The choice of the reference from a row, for messages.
fn chosen(golden: &GoldenCase, row: u32) -> String {
    let top = golden.steps.get(row as usize).and_then(|step| step.top.first());
    top.map_or_else(String::new, |token| format!("the reference chooses {} {:?}", token.0, token.2))
}

fn describe(flip: &Flip, class: &ToleranceClass) -> String {
    let line = |who: &str, token: &Candidate| {
        let logit = |logit: Option<f64>| logit.map_or("unknown".to_owned(), |l| format!("{l:.6}"));
        format!(
            "{who} prefers {} {:?}: reference logit {}, measured logit {}",
            token.id,
            token.text,
            logit(token.reference_logit),
            logit(token.measured_logit)
        )
    };
    format!(
        "{}\n{}\nmargin {:.6}, class `{}` allows {}",
        line("reference", &flip.reference),
        line("measured", &flip.measured),
        flip.margin,
        class.name,
        class.flip_margin
    )
}

fn summarize(comparison: &LogitsComparison) -> String {
    let LogitsComparison { rows, mean_kld, max_kld, max_kld_row, max_abs, .. } = comparison;
    format!(
        "{rows} rows: mean KLD {mean_kld:.3e}, max KLD {max_kld:.3e} at row {max_kld_row}, \
         max |Δ| {max_abs:.3e} at row {} id {}, top-1 {}/{rows}",
        comparison.max_abs_row, comparison.max_abs_id, comparison.top1_agreement
    )
}

#[cfg(test)]
#[path = "logits_tests.rs"]
mod tests;
