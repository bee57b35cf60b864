//! Compares the subject with each of the other engines, and with an earlier record.
//!
//! A ratio above 1 means that the subject is faster. Within a run, each pair gives a ratio: both
//! engines processed the same prompt, one right after the other. Against an earlier record, medians
//! are compared, without pairs.

use super::record::{BenchRecord, Comparison, Engine, Metric, Sample, Series, contexts};
use super::statistics::Estimate;

/// All comparisons in a series: the first engine with each of the others, and ours on another
/// backend with the peers on that backend.
pub fn comparisons(engines: &[Engine]) -> Vec<Comparison> {
    let Some((first, others)) = engines.split_first() else { return Vec::new() };
    let mut pairs: Vec<_> = others.iter().map(|other| (first, other)).collect();
    for ours in others.iter().filter(|engine| engine.is_ours()) {
        let peers = others.iter().filter(|peer| !peer.is_ours() && peer.backend == ours.backend);
        pairs.extend(peers.map(|peer| (ours, peer)));
    }
    let contexts = contexts(engines);
    pairs.into_iter().flat_map(|(subject, peer)| compare(subject, peer, &contexts)).collect()
}

/// Compares two engines at every prompt length and by every metric that both have.
pub(super) fn compare(subject: &Engine, peer: &Engine, contexts: &[u32]) -> Vec<Comparison> {
    let mut all = Vec::new();
    for context in contexts.iter().copied() {
        for metric in Metric::ALL {
            let ratios = ratios(metric, context, subject, peer);
            let Some(estimate) = Estimate::of(&ratios) else { continue };
            let (subject, peer) = (subject.name.clone(), peer.name.clone());
            all.push(Comparison { subject, peer, context, metric, ratios, estimate });
        }
    }
    all
}

/// A ratio for each round that both have run.
fn ratios(metric: Metric, context: u32, subject: &Engine, peer: &Engine) -> Vec<f64> {
    let pairs = subject.counted(context).filter_map(|ours| {
        let theirs = peer.counted(context).find(|sample| sample.round == ours.round)?;
        Some(metric.of(ours)? / metric.of(theirs)?)
    });
    pairs.collect()
}

/// An engine compared with itself in an earlier record.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Browser, model and engine.
    pub what: String,
    /// Tokens of the prompt.
    pub context: u32,
    /// What is compared.
    pub metric: Metric,
    /// The new rate by the old one.
    pub estimate: Estimate,
}

/// The changes since an earlier record, where both measured the same browser, model (by its hash),
/// engine and prompt length.
pub fn changes(new: &BenchRecord, old: &BenchRecord) -> Vec<Change> {
    let mut changes = Vec::new();
    for series in &new.series {
        let same = |earlier: &&Series| {
            earlier.browser == series.browser && earlier.model.sha256 == series.model.sha256
        };
        let Some(earlier) = old.series.iter().find(same) else { continue };
        for engine in &series.engines {
            let Some(before) = earlier.engines.iter().find(|before| before.name == engine.name)
            else {
                continue;
            };
            for context in series.contexts() {
                for metric in Metric::ALL {
                    let rates = |engine| metric.rates(engine, context);
                    let estimate = Estimate::of_ratio(&rates(engine), &rates(before));
                    let Some(estimate) = estimate else { continue };
                    let (browser, model) = (&series.browser, &series.model.name);
                    let what = format!("{browser} {model} {}", engine.name);
                    changes.push(Change { what, context, metric, estimate });
                }
            }
        }
    }
    changes
}

/// Differences in how an earlier record was made, which may explain a change.
pub fn differences(new: &BenchRecord, old: &BenchRecord) -> Vec<String> {
    let mut differences = Vec::new();
    let mut compare = |what: &str, new: String, old: String| {
        if new != old {
            differences.push(format!("{what}: `{new}` now, `{old}` in the baseline"));
        }
    };
    compare("processor", new.machine.cpu.clone(), old.machine.cpu.clone());
    compare("cores", new.machine.cores.to_string(), old.machine.cores.to_string());
    compare("threads", new.settings.threads_text(), old.settings.threads_text());
    compare("tokens", new.settings.tokens.to_string(), old.settings.tokens.to_string());
    for series in &new.series {
        if let Some(earlier) = old.series.iter().find(|old| old.browser == series.browser) {
            let versions = [series, earlier].map(|series| series.browser_version.clone());
            let [new, old] = versions;
            compare(&series.browser, new, old);
            for engine in &series.engines {
                let before = earlier.engines.iter().find(|before| before.name == engine.name);
                let adapter = |engine: &Engine| engine.adapter.clone().unwrap_or_default();
                if let Some(before) = before {
                    let what = format!("{} {}", series.browser, engine.name);
                    compare(&what, adapter(engine), adapter(before));
                }
            }
        }
    }
    if old.machine.was_busy {
        differences.push("the baseline was measured on a busy machine".to_owned());
    }
    differences.dedup();
    differences
}

/// How far the answers of two engines agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    /// Identical answers.
    pub same: u32,
    /// Prompts that both answered.
    pub answers: u32,
    /// The first difference, ready to print.
    pub difference: Option<String>,
}

/// Compares a peer's answers with the subject's: by id where both report ids, otherwise by text.
pub fn agreement(subject: &Engine, peer: &Engine) -> Agreement {
    let mut agreement = Agreement { same: 0, answers: 0, difference: None };
    for ours in &subject.samples {
        let same = |theirs: &&Sample| (theirs.context, theirs.round) == (ours.context, ours.round);
        let Some(theirs) = peer.samples.iter().find(same) else { continue };
        agreement.answers += 1;
        match difference(ours, theirs) {
            None => agreement.same += 1,
            Some(difference) => {
                let (context, round) = (ours.context, ours.round);
                let text = format!("prompt of {context}, round {round}: {difference}");
                agreement.difference.get_or_insert(text);
            }
        }
    }
    agreement
}

/// Where two answers diverge; `None` if they don't.
fn difference(ours: &Sample, theirs: &Sample) -> Option<String> {
    if !ours.ids.is_empty() && !theirs.ids.is_empty() {
        let at = ours.ids.iter().zip(&theirs.ids).position(|(ours, theirs)| ours != theirs);
        let at = at.or(
            (ours.ids.len() != theirs.ids.len()).then(|| ours.ids.len().min(theirs.ids.len()))
        )?;
        let id = |sample: &Sample| sample.ids.get(at).map_or("none".to_owned(), u32::to_string);
        return Some(format!(
            "alike for {at} tokens, then id {} here and {} there",
            id(ours),
            id(theirs)
        ));
    }
    if ours.text == theirs.text {
        return None;
    }
    let common: String = ours
        .text
        .chars()
        .zip(theirs.text.chars())
        .take_while(|(ours, theirs)| ours == theirs)
        .map(|(same, _)| same)
        .collect();
    let rest = |sample: &Sample| {
        let rest = sample.text.get(common.len()..).unwrap_or_default();
        format!("{:?}", rest.chars().take(24).collect::<String>())
    };
    Some(format!(
        "alike for {} characters, then {} here and {} there",
        common.chars().count(),
        rest(ours),
        rest(theirs)
    ))
}

#[cfg(test)]
#[path = "comparison_tests.rs"]
mod tests;
