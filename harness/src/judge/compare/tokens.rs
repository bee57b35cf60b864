//! Compares greedy tokens with the reference's.
//!
//! The first step at which they diverge decides, since everything after it continues another text.
//! A divergence is explained where the reference itself was nearly undecided, by its own logits and
//! never by the engine's. Whole rows of logits are compared in [`super::logits`].

use inference_wasm::protocol::FinishReason;
use similar::{ChangeTag, TextDiff};

use super::{Candidate, Comparison, Divergence, Mismatch, TokensComparison};
use crate::judge::golden::{GoldenCase, Rows};
use crate::spec::tolerance::ToleranceClass;

/// How much of the golden an answer is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All of it: another length or finish reason is a difference.
    Whole,
    /// The shorter of both, up to the reference's stop token: for an answer that was cancelled, or
    /// that continued after the stop token on request.
    Prefix,
}

/// The answer of an engine to a case.
#[derive(Debug, Clone, Copy)]
pub struct MeasuredTokens<'a> {
    /// The prompt as the engine tokenized it.
    pub prompt_ids: &'a [u32],
    /// The generated ids, the stop token included.
    pub generated_ids: &'a [u32],
    /// The generated text.
    pub text: &'a str,
    /// The text of each generated token, as far as it is known; for messages only.
    pub token_texts: &'a [String],
    /// Why the generation ended.
    pub finish_reason: FinishReason,
    /// A row for each generated id, where logits were asked for.
    pub logits: Option<Rows<'a>>,
    /// How much of it is compared.
    pub extent: Extent,
}

/// Compares an answer with the golden's.
///
/// `place` begins the message of a mismatch.
///
/// Metrics of a mismatch, in the order of comparing: `prompt ids`, `token at step N`,
/// `finish reason`, `text`.
pub fn compare_tokens(
    golden: &GoldenCase,
    measured: &MeasuredTokens<'_>,
    class: &ToleranceClass,
    place: &str,
) -> Result<TokensComparison, Box<Mismatch>> {
    let expected = expected_ids(golden, measured.extent);
    let found = measured.generated_ids;
    let found = match measured.extent {
        Extent::Whole => found,
        Extent::Prefix => found.get(..expected.len()).unwrap_or(found),
    };
    let expected = match measured.extent {
        Extent::Whole => expected,
        Extent::Prefix => expected.get(..found.len()).unwrap_or(expected),
    };
    let matching = expected.iter().zip(found).take_while(|(a, b)| a == b).count();
    let parts = matching < expected.len().max(found.len());
    let comparison = TokensComparison {
        reference_steps: expected.len() as u32,
        matching_steps: matching as u32,
        divergence: parts.then(|| {
            let ids = [expected.get(matching), found.get(matching)].map(Option::<&u32>::copied);
            diverge(golden, measured, matching, ids, class)
        }),
    };
    let mismatch = |metric: &str, measured: String, allowed: String, detail: String| {
        let (place, metric) = (place.to_owned(), metric.to_owned());
        let comparison = Comparison::Tokens(comparison.clone());
        Err(Box::new(Mismatch { place, metric, measured, allowed, detail, comparison }))
    };

    if measured.prompt_ids != golden.prompt_ids {
        let at = first_difference(&golden.prompt_ids, measured.prompt_ids);
        let [allowed, found] = [&golden.prompt_ids[..], measured.prompt_ids]
            .map(|ids| describe_id(at, ids.get(at).copied(), ids.len()));
        let detail = "the prompt was rendered or tokenized differently".to_owned();
        return mismatch("prompt ids", found, allowed, detail);
    }
    if let Some(divergence) = &comparison.divergence {
        if divergence.is_explained {
            return Ok(comparison);
        }
        let metric = format!("token at step {matching}");
        let measured = divergence.measured.as_ref().map_or("end of output".to_owned(), name);
        let allowed = divergence.reference.as_ref().map_or("end of output".to_owned(), name);
        return mismatch(&metric, measured, allowed, explain(divergence, class));
    }
    if measured.extent == Extent::Whole {
        if measured.finish_reason != golden.finish_reason {
            let [found, allowed] = [measured.finish_reason, golden.finish_reason]
                .map(|reason| format!("`{reason:?}`"));
            return mismatch(
                "finish reason",
                found.to_lowercase(),
                allowed.to_lowercase(),
                String::new(),
            );
        }
        if measured.text != golden.text {
            let [found, allowed] = [measured.text, &golden.text].map(|text| format!("{text:?}"));
            let detail = "the same tokens became another text".to_owned();
            return mismatch("text", found, allowed, detail);
        }
    }
    Ok(comparison)
}

/// The golden's ids that an answer of this extent is compared with.
fn expected_ids(golden: &GoldenCase, extent: Extent) -> &[u32] {
    let ids = &golden.generated_ids[..];
    match (extent, golden.finish_reason, ids) {
        (Extent::Prefix, FinishReason::Stop, [before_stop @ .., _]) => before_stop,
        _ => ids,
    }
}

/// Describes the step at which two answers diverge; either may have ended there.
fn diverge(
    golden: &GoldenCase,
    measured: &MeasuredTokens<'_>,
    step: usize,
    [reference, found]: [Option<u32>; 2],
    class: &ToleranceClass,
) -> Divergence {
    let summary = golden.steps.get(step);
    let candidate = |id: u32| {
        let listed = summary.and_then(|summary| summary.find(id));
        let spoken = (found == Some(id)).then(|| measured.token_texts.get(step)).flatten();
        Candidate {
            id,
            text: listed.map(|token| &token.2).or(spoken).cloned().unwrap_or_default(),
            reference_logit: listed.map(|token| token.1),
            measured_logit: measured.logits.and_then(|rows| rows.get(step, id)).map(f64::from),
        }
    };
    let (reference, found) = (reference.map(candidate), found.map(candidate));
    let logit = |candidate: &Option<Candidate>| candidate.as_ref()?.reference_logit;
    let margin = logit(&reference).zip(logit(&found)).map(|(own, other)| own - other);
    Divergence {
        step: step as u32,
        reference,
        measured: found,
        margin,
        is_explained: margin.is_some_and(|margin| margin <= class.flip_margin),
        text_diff: text_diff(&golden.text, measured.text),
    }
}

/// A token by id and text.
fn name(candidate: &Candidate) -> String {
    format!("{} {:?}", candidate.id, candidate.text)
}

fn first_difference(left: &[u32], right: &[u32]) -> usize {
    left.iter().zip(right).take_while(|(a, b)| a == b).count()
}

fn describe_id(position: usize, id: Option<u32>, length: usize) -> String {
    match id {
        Some(id) => format!("{id} at position {position} of {length}"),
        None => format!("end at position {position}"),
    }
}

/// Both candidates with their logits, the margin, and the diff.
fn explain(divergence: &Divergence, class: &ToleranceClass) -> String {
    let mut lines = Vec::new();
    for (who, candidate) in
        [("reference", &divergence.reference), ("measured", &divergence.measured)]
    {
        lines.push(match candidate {
            None => format!("{who} chose nothing: its output ends here"),
            Some(candidate) => {
                let logit =
                    |logit: Option<f64>| logit.map_or("unknown".to_owned(), |l| format!("{l:.6}"));
                format!(
                    "{who} chose {}: reference logit {}, measured logit {}",
                    name(candidate),
                    logit(candidate.reference_logit),
                    logit(candidate.measured_logit)
                )
            }
        });
    }
    let allowed = format!("class `{}` allows {}", class.name, class.flip_margin);
    match (divergence.margin, &divergence.reference, &divergence.measured) {
        (Some(margin), ..) => lines.push(format!("margin {margin:.6}, {allowed}")),
        (None, Some(_), Some(_)) => {
            lines.push(format!("margin unknown: not among the reference's highest; {allowed}"));
        }
        (None, ..) => {}
    }
    if !divergence.text_diff.is_empty() {
        lines.push("text, reference -, measured +:".to_owned());
        lines.push(divergence.text_diff.clone());
    }
    lines.join("\n")
}

/// Both texts on a line each, the words that differ in brackets; empty where they are equal.
fn text_diff(reference: &str, measured: &str) -> String {
    if reference == measured {
        return String::new();
    }
    let diff = TextDiff::from_words(reference, measured);
    let line = |sign: char, left_out: ChangeTag| {
        let (mut line, mut is_marked) = (format!("{sign} "), false);
        for change in diff.iter_all_changes().filter(|change| change.tag() != left_out) {
            if is_marked != (change.tag() != ChangeTag::Equal) {
                line.push(if is_marked { ']' } else { '[' });
                is_marked = !is_marked;
            }
            line.push_str(change.value());
        }
        line.extend(is_marked.then_some(']'));
        line.replace('\n', "\\n")
    };
    format!("{}\n{}", line('-', ChangeTag::Insert), line('+', ChangeTag::Delete))
}

#[cfg(test)]
#[path = "tokens_tests.rs"]
mod tests;
