//! The normalized trace of an attempt: what the client went through and what came of each step,
//! as text without anything that depends on speed or on the machine.
//!
//! Transitions are told visit by visit, since a device may be brought up while a request is
//! answered elsewhere: which of both is first would be chance.

use std::fmt::Write;

use inference_wasm::client::machine::Trace;
use inference_wasm::client::output::FallbackStep;
use inference_wasm::client::telemetry::TelemetryRecord;
use inference_wasm::protocol::FinishReason;

use super::fold::fold;
use super::visit::{Asked, Ended, Visit};
use crate::drive::server::Traffic;

/// What one visit came to, put together from what was told in it. `marks` are the transitions
/// that its steps began with.
pub(super) fn visit(
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

/// What one step came to: faults that struck, and its request.
pub(super) fn step(heading: &str, faults: &[&str], asked: Option<&Asked>) -> String {
    let mut text = format!("{heading}\n");
    for fault in faults {
        writeln!(text, "  fault {fault} struck").ok();
    }
    match asked.and_then(|asked| asked.end.as_ref()) {
        Some(Ended::Answer(answer)) => {
            // How many came before a cancel is chance.
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

/// A step of the chain, as traces and reports have it.
pub(super) fn fallback(step: FallbackStep) -> String {
    let FallbackStep { from, to, reason } = step;
    format!("{from}>{to}:{reason}")
}

/// The name that something has in JSON.
fn name(value: &impl serde::Serialize) -> String {
    serde_json::json!(value).as_str().unwrap_or_default().to_owned()
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {}\n", line.trim_end())).collect()
}

#[cfg(test)]
mod tests {
    use inference_wasm::client::machine::{Reason, State};

    use super::super::visit::tests as told;
    use super::*;

    #[test]
    fn a_trace_has_no_times() {
        let mut told_in = Visit::default();
        told_in.ask(1, Vec::new());
        for event in [
            told::transition(State::New, State::Detect, Reason::Started),
            told::token(1, 0, 5, "The"),
            told::answer(1, &[5], "The"),
            told::record("m"),
        ] {
            told_in.take(event);
        }
        let mut traffic = Traffic::default();
        for index in 0..3 {
            let shard = traffic.shards.entry(index).or_default();
            shard.is_complete = index != 1;
            shard.resumed = index as u32 / 2;
        }
        let asked = told_in.asked(1);
        let text = visit(1, &told_in, &[0, 1], &traffic, 4)
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
