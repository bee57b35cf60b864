//! Compares the answer of one step with what its scenario and its golden expect.
//!
//! Pure: an answer in, comparisons or the first mismatch out. Numbers are compared in
//! [`crate::judge::compare`].

use inference_wasm::protocol::{FinishReason, Generated, OpTally, OpsReport};

use crate::judge::compare::{Comparison, Extent, MeasuredTokens, Mismatch, compare_tokens};
use crate::judge::golden::{GoldenCase, Rows};
use crate::run::conversation::{End, TokenSeen};
use crate::spec::scenario::{GenerateExpectation, GenerateStep};
use crate::spec::tolerance::ToleranceClass;

/// The answer of a generation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer<'a> {
    /// The result.
    pub(crate) generated: &'a Generated,
    /// The tokens as they were streamed.
    pub(crate) tokens: &'a [TokenSeen],
    /// The logits, row after row.
    pub(crate) rows: Option<&'a [f32]>,
}

/// The place of a comparison, ready to print.
pub(crate) fn place(step: &str, case: Option<&GoldenCase>) -> String {
    match case {
        Some(case) => format!("step {step}, case `{}`", case.id),
        None => format!("step {step}"),
    }
}

/// Judges a generation that ended with a result.
pub(crate) fn generation(
    place: &str,
    step: &GenerateStep,
    case: Option<&GoldenCase>,
    answer: Answer<'_>,
    class: &ToleranceClass,
) -> Result<Vec<Comparison>, Box<Mismatch>> {
    let Answer { generated, tokens, rows } = answer;
    let mut comparisons = Vec::new();
    let is_cancelled = step.expect == GenerateExpectation::Cancelled;
    if is_cancelled {
        let found = finish_name(generated.finish_reason);
        let cancelled = finish_name(FinishReason::Cancelled);
        comparisons.push(equal(place, "finish reason", cancelled, found)?);
    }
    // Reported only where they differ.
    let streamed: Vec<u32> = tokens.iter().map(|token| token.id).collect();
    let ids = format!("{:?}", generated.generated_ids);
    equal(place, "tokens that were streamed", &ids, &format!("{streamed:?}"))?;
    if let Some(case) = case {
        let columns = rows.map_or(0, |rows| rows.len() / generated.generated_ids.len().max(1));
        let texts: Vec<String> = tokens.iter().map(|token| token.text.clone()).collect();
        let is_prefix = is_cancelled || step.ignore_stop || step.max_tokens.is_some();
        let measured = MeasuredTokens {
            prompt_ids: &generated.prompt_ids,
            generated_ids: &generated.generated_ids,
            text: &generated.text,
            token_texts: &texts,
            finish_reason: generated.finish_reason,
            logits: rows.and_then(|rows| Rows::new(rows, columns)),
            extent: if is_prefix { Extent::Prefix } else { Extent::Whole },
        };
        let compared = compare_tokens(case, None, &measured, class, place)?;
        comparisons.push(Comparison::Tokens(compared));
    }
    if let Some(least) = step.cancel_after_tokens {
        let found = generated.generated_ids.len() as u32;
        comparisons.push(at_least(place, "tokens before it was cancelled", least, found)?);
    }
    if let Some(least) = step.reused_tokens_at_least {
        let found = generated.reused_tokens;
        comparisons.push(at_least(place, "reused tokens of the cache", least, found)?);
    }
    Ok(comparisons)
}

/// Judges a command that has to end with an error of the kind `expected`.
pub(crate) fn error(place: &str, end: &End, expected: &str) -> Result<Comparison, Box<Mismatch>> {
    let (measured, message) = match end {
        End::Failed(error) => (error.kind.as_str(), error.message.as_str()),
        End::Finished(_) => ("no error", ""),
    };
    equal(place, "error", expected, measured).map_err(|mut mismatch| {
        message.clone_into(&mut mismatch.detail);
        mismatch
    })
}

/// The number of failures of an op suite that a mismatch shows; all are counted.
const FAILURES_SHOWN: usize = 20;

/// Judges an op suite: no case may be wrong, and at least one has to be right.
pub(crate) fn ops(place: &str, report: &OpsReport) -> Result<Vec<Comparison>, Box<Mismatch>> {
    let wrong = report.failed().to_string();
    let wrong =
        equal(place, "wrong cases of the op suite", "0", &wrong).map_err(|mut mismatch| {
            let shown = report.failures.iter().take(FAILURES_SHOWN);
            let mut lines: Vec<_> = shown.map(|failure| failure.message.clone()).collect();
            match report.failures.len().saturating_sub(FAILURES_SHOWN) {
                0 => {}
                more => lines.push(format!("and {more} more: `tierproof ops` shows all")),
            }
            mismatch.detail = lines.join("\n");
            mismatch
        })?;
    let right = at_least(place, "right cases of the op suite", 1, report.passed())?;
    Ok(vec![wrong, right])
}

/// The results of an op suite: a line for each op, with the case that came nearest to its bound.
pub(crate) fn ops_notes(report: &OpsReport) -> Vec<String> {
    let mut notes = vec![format!(
        "{} of {} cases right in {:.1} s",
        report.passed(),
        report.passed() + report.failed(),
        report.elapsed_ms / 1000.0
    )];
    let mut ops: Vec<&str> = report.tallies.iter().map(|tally| tally.op.as_str()).collect();
    ops.dedup();
    for op in ops {
        let its = report.tallies.iter().filter(|tally| tally.op == op);
        let counts = its.map(|OpTally { weights, passed, failed, left_out, .. }| {
            let wrong = if *failed > 0 { format!(", {failed} wrong") } else { String::new() };
            let left = if *left_out > 0 { format!(", {left_out} left out") } else { String::new() };
            format!("{weights} {passed}{wrong}{left}")
        });
        let counts = counts.collect::<Vec<_>>().join("; ");
        let worst = report.worst.iter().find(|worst| worst.op == op && worst.ratio > 0.0);
        let worst = worst.map(|worst| {
            format!(
                "; nearest to its bound at {:.3} of it: `{}`, off by {:.1e}; NMSE {:.1e}",
                worst.ratio, worst.case, worst.error, worst.nmse
            )
        });
        notes.push(format!("{op}: {counts}{}", worst.unwrap_or_default()));
    }
    notes
}

pub(in crate::run) fn equal(
    place: &str,
    what: &str,
    expected: &str,
    measured: &str,
) -> Result<Comparison, Box<Mismatch>> {
    let comparison = expectation(what, expected, measured);
    if expected == measured { Ok(comparison) } else { Err(missed(place, comparison)) }
}

pub(in crate::run) fn at_least(
    place: &str,
    what: &str,
    least: u32,
    measured: u32,
) -> Result<Comparison, Box<Mismatch>> {
    let comparison = expectation(what, &format!("at least {least}"), &measured.to_string());
    if measured >= least { Ok(comparison) } else { Err(missed(place, comparison)) }
}

pub(in crate::run) fn at_most(
    place: &str,
    what: &str,
    most: u64,
    measured: u64,
) -> Result<Comparison, Box<Mismatch>> {
    let comparison = expectation(what, &format!("at most {most}"), &measured.to_string());
    if measured <= most { Ok(comparison) } else { Err(missed(place, comparison)) }
}

fn expectation(what: &str, expected: &str, measured: &str) -> Comparison {
    let [what, expected, measured] = [what, expected, measured].map(str::to_owned);
    Comparison::Expectation { what, expected, measured }
}

fn missed(place: &str, comparison: Comparison) -> Box<Mismatch> {
    let (metric, measured, allowed) = match &comparison {
        Comparison::Expectation { what, expected, measured } => {
            (what.clone(), format!("`{measured}`"), format!("`{expected}`"))
        }
        Comparison::Tokens(_) | Comparison::Logits(_) => Default::default(),
    };
    let (place, detail) = (place.to_owned(), String::new());
    Box::new(Mismatch { place, metric, measured, allowed, detail, comparison })
}

fn finish_name(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Stop => "stop",
        FinishReason::StopString => "stop-string",
        FinishReason::Length => "length",
        FinishReason::Cancelled => "cancelled",
    }
}

#[cfg(test)]
mod tests {
    use inference_wasm::protocol::{EngineError, EngineErrorKind, Finished};

    use super::*;

    #[test]
    fn another_error_and_no_error_are_distinguished() {
        let failed =
            |kind| End::Failed(EngineError { kind, message: "because".to_owned(), hint: None });
        let expected = EngineErrorKind::ContextOverflow.as_str();
        assert!(error("step 1 load", &failed(EngineErrorKind::ContextOverflow), expected).is_ok());
        let other = error("step 1 load", &failed(EngineErrorKind::OutOfMemory), expected);
        assert_eq!(
            other.unwrap_err().to_string(),
            "step 1 load: error: measured `out-of-memory`, allowed `context-overflow`\nbecause"
        );
        let none = error("step 1 load", &End::Finished(Finished::Release), expected);
        assert_eq!(
            none.unwrap_err().to_string(),
            "step 1 load: error: measured `no error`, allowed `context-overflow`"
        );
    }

    #[test]
    fn a_floor_counts() {
        assert!(at_least("p", "tokens", 3, 3).is_ok());
        assert_eq!(
            at_least("p", "tokens", 3, 2).unwrap_err().to_string(),
            "p: tokens: measured `2`, allowed `at least 3`"
        );
    }
}
