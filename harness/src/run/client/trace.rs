//! The normalized trace of an attempt: the client's transitions and the result of each step, as
//! text without anything that depends on speed or on the machine.
//!
//! Transitions are listed visit by visit, because a device may be started while a request is
//! answered elsewhere, and which of the two comes first is chance.

use std::fmt::Write;

use inference_wasm::client::machine::Trace;
use inference_wasm::client::output::FallbackStep;
use inference_wasm::client::telemetry::TelemetryRecord;
use inference_wasm::protocol::FinishReason;

use super::fold::fold;
use super::visit::{Asked, Ended, Visit};
use crate::drive::server::Traffic;

/// The trace as it grows.
#[derive(Debug, Default)]
pub(super) struct TraceText {
    /// Visits so far.
    visits: usize,
    /// Where the steps of the current visit began in its transitions.
    marks: Vec<usize>,
    /// The results of the steps of the current visit.
    steps: Vec<String>,
    /// The visits before.
    text: String,
}

impl TraceText {
    /// A step begins after `mark` transitions of the current visit.
    pub(super) fn begin_step(&mut self, mark: usize) {
        self.marks.push(mark);
    }

    /// A page is opened.
    pub(super) fn begin_visit(&mut self) {
        self.visits += 1;
    }

    /// Adds the result of a step, one or more whole lines.
    pub(super) fn add_step(&mut self, text: String) {
        self.steps.push(text);
    }

    /// Adds the current visit, which is over.
    pub(super) fn end_visit(&mut self, seen: &Visit, traffic: &Traffic, shards: usize) {
        let marks = std::mem::take(&mut self.marks);
        self.text.push_str(&visit(self.visits, seen, &marks, traffic, shards));
        self.text.push_str(&fold(&std::mem::take(&mut self.steps)));
    }

    /// The trace of all visits that are over.
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

/// The text of one visit. `marks` are the transitions that its steps began with.
fn visit(
    number: usize,
    visit: &Visit,
    marks: &[usize],
    traffic: &Traffic,
    shards: usize,
) -> String {
    let mut units = vec![String::new()];
    for (index, transition) in visit.transitions.iter().enumerate() {
        let mut trace = Trace::default();
        trace.push(*transition);
        if marks.contains(&index) {
            units.push(String::new());
        }
        if let Some(unit) = units.last_mut() {
            unit.push_str(&trace.to_string());
        }
    }
    let mut text = format!("visit {number}\n{}", indented(&fold(&units)));
    let complete = traffic.shards.values().filter(|shard| shard.is_complete).count();
    let resumed: u32 = traffic.shards.values().map(|shard| shard.resumed).sum();
    let resumed = if resumed > 0 { format!(", {resumed} resumed") } else { String::new() };
    writeln!(text, "  fetched {complete} of {shards} shards{resumed}").ok();
    text
}

/// The text of one step: the faults that were injected, and its request.
pub(super) fn step(heading: &str, faults: &[&str], asked: Option<&Asked>) -> String {
    let mut text = format!("{heading}\n");
    for fault in faults {
        writeln!(text, "  fault {fault} struck").ok();
    }
    match asked.and_then(|asked| asked.end.as_ref()) {
        Some(Ended::Answer(answer)) => {
            // The number of tokens before a cancel is chance.
            let count = match answer.finish_reason {
                FinishReason::Cancelled => String::new(),
                FinishReason::Stop | FinishReason::StopString | FinishReason::Length => {
                    format!(" {} tokens", answer.tokens.len())
                }
            };
            let finish = name(&answer.finish_reason);
            let recoveries = answer.recoveries;
            writeln!(text, "  answer {}{count} {finish} recoveries {recoveries}", answer.tier).ok();
        }
        Some(Ended::Failed(error)) => {
            let reason = error.reason.map_or("-".to_owned(), |reason| reason.to_string());
            writeln!(text, "  failed {} {reason}", error.kind).ok();
        }
        None => {}
    }
    if let Some(record) = asked.and_then(|asked| asked.record.as_ref()) {
        writeln!(text, "  {}", telemetry(record)).ok();
    }
    text
}

fn telemetry(record: &TelemetryRecord) -> String {
    let tier = record.tier.map_or("-", |tier| tier.as_str());
    let trail: Vec<_> = record.trail.iter().copied().map(fallback).collect();
    let trail = if trail.is_empty() { "-".to_owned() } else { trail.join(",") };
    let (success, recoveries) = (record.success, record.recoveries);
    format!("telemetry success={success} tier={tier} recoveries={recoveries} trail={trail}")
}

/// A step of the fallback chain, as traces and reports write it.
pub(super) fn fallback(step: FallbackStep) -> String {
    let FallbackStep { from, to, reason } = step;
    format!("{from}>{to}:{reason}")
}

/// The JSON name of a value.
fn name(value: &impl serde::Serialize) -> String {
    serde_json::json!(value).as_str().unwrap_or_default().to_owned()
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {}\n", line.trim_end())).collect()
}

#[cfg(test)]
mod tests {
    use inference_wasm::client::machine::{Reason, State};

    use super::super::visit::tests as page;
    use super::*;

    #[test]
    fn a_trace_has_no_times() {
        let mut seen = Visit::default();
        seen.ask(1, Vec::new());
        for event in [
            page::transition(State::New, State::Detect, Reason::Started),
            page::token(1, 0, 5, "The"),
            page::answer(1, &[5], "The"),
            page::record("m"),
        ] {
            seen.take(event);
        }
        let mut traffic = Traffic::default();
        for index in 0..3 {
            let shard = traffic.shards.entry(index).or_default();
            shard.is_complete = index != 1;
            shard.resumed = index as u32 / 2;
        }
        let asked = seen.asked(1);
        let text = visit(1, &seen, &[0, 1], &traffic, 4)
            + &step("step 2 request first", &["device-destroyed"], asked)
            + &step("step 3 inject", &["shard-evicted"], None);
        assert_eq!(
            text,
            "\
visit 1
  new      -> detect   webgpu g1 started
  fetched 2 of 4 shards, 1 resumed
step 2 request first
  fault device-destroyed struck
  answer webgpu 1 tokens stop recoveries 0
  telemetry success=true tier=webgpu recoveries=0 trail=-
step 3 inject
  fault shard-evicted struck
"
        );
    }
}
