//! Tokens and logits compared with a `float64` reference that shares no code with the engine.
//!
//! `vectors/scribe-low.json` is numpy's output for the model files: `reference.py logits` of the
//! models' recipe on the first prompt of each task of the evaluation set, with values rounded to
//! seven decimals. Weights are used as stored, so only arithmetic differs.

use std::collections::BTreeMap;

use futures::executor::block_on;
use inference_wasm::engine::backend::{Backend, Cpu, Reference};
use inference_wasm::engine::session::{LoadOptions, Session};
use serde::Deserialize;

#[derive(Deserialize)]
struct Answer {
    id: String,
    prompt_ids: Vec<u32>,
    generated: Vec<u32>,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    /// Ids and logits of the eight most probable tokens, with exact activations.
    top: Vec<(usize, f64)>,
    logsumexp: f64,
}

const EXACT: &str = include_str!("vectors/scribe-low.json");

fn answers(model: &str) -> Vec<Answer> {
    let mut all: BTreeMap<String, Vec<Answer>> = serde_json::from_str(EXACT).unwrap();
    all.remove(model).unwrap()
}

fn session<B: Backend>(backend: B, model: &str) -> Session<B> {
    let models = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/models");
    let file = fs_err::read(format!("{models}/{model}.gguf")).unwrap();
    Session::load(backend, file, LoadOptions::default()).unwrap()
}

/// Feeds the oracle's own tokens. Returns, in rising order, the greatest distance of a top-8 logit
/// or of log-sum-exp at each step, and the steps at which another token wins, with the oracle's
/// margin.
fn distances<B: Backend>(backend: B, model: &str) -> (Vec<f64>, Vec<String>) {
    let mut session = session(backend, model);
    let mut distances = Vec::new();
    let mut flips = Vec::new();
    for answer in answers(model) {
        session.clear();
        session.begin(&answer.prompt_ids, answer.generated.len() as u32).unwrap();
        session.feed(&answer.prompt_ids);
        for (step, (expected, &token)) in answer.steps.iter().zip(&answer.generated).enumerate() {
            let mut greatest = 0.0_f64;
            let mut row = Vec::new();
            block_on(session.last_logits(&mut row)).unwrap();
            for &(id, logit) in &expected.top {
                greatest = greatest.max((f64::from(row[id]) - logit).abs());
            }
            let sum: f64 = row.iter().map(|&logit| f64::from(logit).exp()).sum();
            greatest = greatest.max((sum.ln() - expected.logsumexp).abs());
            distances.push(greatest);
            let best = (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap();
            let mut ranked = expected.top.clone();
            ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
            if best != ranked[0].0 {
                let margin = ranked[0].1 - ranked[1].1;
                flips.push(format!("{} step {step}: {best}, margin {margin}", answer.id));
            }
            session.feed(&[token]);
        }
    }
    distances.sort_by(f64::total_cmp);
    (distances, flips)
}

/// Only the rounding of `f32`: logits of about 30, sums of some hundred terms.
const F32_BOUND: f64 = 1e-4;

#[test]
fn reference_agrees_on_every_format() {
    for model in ["scribe-low-F16", "scribe-low-Q8_0", "scribe-low-Q4_0"] {
        let (distances, flips) = distances(Reference::default(), model);
        let distance = distances.last().unwrap();
        assert!(*distance <= F32_BOUND, "{model}: {distance:e} off, allowed {F32_BOUND:e}");
        assert_eq!(flips, Vec::<String>::new(), "{model}");
    }
}

#[test]
fn kernels_agree_on_floats() {
    let (distances, flips) = distances(Cpu::default(), "scribe-low-F16");
    let distance = distances.last().unwrap();
    assert!(*distance <= F32_BOUND, "{distance:e} off, allowed {F32_BOUND:e}");
    assert_eq!(flips, Vec::<String>::new());
}

/// For activations rounded to 16 bits. With 8 bits, numpy's emulation of the same rounding moves
/// these logits by up to 0.62; a step is 32639 / 127 times finer, and the bound is twice that.
const ROUNDED_BOUND: f64 = 2.0 * 0.62 * 127.0 / 32_639.0;

#[test]
fn kernels_agree_on_quantized_weights() {
    for model in ["scribe-low-Q8_0", "scribe-low-Q4_0"] {
        let (distances, flips) = distances(Cpu::default(), model);
        let distance = distances.last().unwrap();
        assert!(*distance <= ROUNDED_BOUND, "{model}: {distance:e} off, allowed {ROUNDED_BOUND:e}");
        assert_eq!(flips, Vec::<String>::new(), "{model}");
    }
}
