//! Tokens and logits against a `float64` reference that shares no code with the engine.
//!
//! `vectors/scribe-low.json` is what numpy makes of the model files: `reference.py logits` of the
//! models' recipe on the first prompt of each task of the evaluation set, values rounded to seven
//! decimals. Weights are taken as stored there, so only arithmetic differs.

use std::collections::BTreeMap;

use futures::executor::block_on;
use inference_wasm::engine::backend::{Backend, Cpu, Reference};
use inference_wasm::engine::session::Session;
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
    /// Ids and logits of the eight most probable tokens, the most probable first.
    top: Vec<(usize, f64)>,
    logsumexp: f64,
}

fn answers(model: &str) -> Vec<Answer> {
    let vectors = include_str!("vectors/scribe-low.json");
    let mut all: BTreeMap<String, Vec<Answer>> = serde_json::from_str(vectors).unwrap();
    all.remove(model).unwrap()
}

fn session<B: Backend>(backend: B, model: &str) -> Session<B> {
    let models = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/models");
    let file = std::fs::read(format!("{models}/{model}.gguf")).unwrap();
    Session::load(backend, file, None).unwrap()
}

/// Feeds the oracle's own tokens and returns the greatest distance of a top-8 logit or of
/// log-sum-exp, and the steps at which another token wins, with the oracle's margin.
fn distance<B: Backend>(backend: B, model: &str) -> (f64, Vec<String>) {
    let mut session = session(backend, model);
    let mut greatest = 0.0_f64;
    let mut flips = Vec::new();
    for answer in answers(model) {
        session.clear();
        session
            .begin(&answer.prompt_ids, answer.generated.len() as u32)
            .unwrap();
        session.feed(&answer.prompt_ids);
        for (step, (expected, &token)) in answer.steps.iter().zip(&answer.generated).enumerate() {
            let mut row = Vec::new();
            block_on(session.last_logits(&mut row)).unwrap();
            for &(id, logit) in &expected.top {
                greatest = greatest.max((f64::from(row[id]) - logit).abs());
            }
            let sum: f64 = row.iter().map(|&logit| f64::from(logit).exp()).sum();
            greatest = greatest.max((sum.ln() - expected.logsumexp).abs());
            let best = (0..row.len())
                .max_by(|&a, &b| row[a].total_cmp(&row[b]))
                .unwrap();
            if best as u32 != token {
                let margin = expected.top[0].1 - expected.top[1].1;
                flips.push(format!(
                    "{} step {step}: {best} for {token}, margin {margin}",
                    answer.id
                ));
            }
            session.feed(&[token]);
        }
    }
    (greatest, flips)
}

/// Rounding of `f32` alone: logits of about 30, sums of some hundred terms.
const F32_BOUND: f64 = 1e-4;

#[test]
fn reference_agrees_on_every_format() {
    for model in ["scribe-low-F16", "scribe-low-Q8_0", "scribe-low-Q4_0"] {
        let (distance, flips) = distance(Reference::default(), model);
        assert!(
            distance <= F32_BOUND,
            "{model}: {distance:e} off, allowed {F32_BOUND:e}"
        );
        assert_eq!(flips, Vec::<String>::new(), "{model}");
    }
}

#[test]
fn kernels_agree_on_floats() {
    let (distance, flips) = distance(Cpu::default(), "scribe-low-F16");
    assert!(
        distance <= F32_BOUND,
        "{distance:e} off, allowed {F32_BOUND:e}"
    );
    assert_eq!(flips, Vec::<String>::new());
}

#[test]
fn kernels_choose_the_same_tokens_on_quantized_weights() {
    // Activations of 8 bits are off by up to 1/254 of the greatest in their block; on logits of
    // about 30 that comes to some tenths.
    const Q8_BOUND: f64 = 0.6;
    for model in ["scribe-low-Q8_0", "scribe-low-Q4_0"] {
        let (distance, flips) = distance(Cpu::default(), model);
        assert!(
            distance <= Q8_BOUND,
            "{model}: {distance} off, allowed {Q8_BOUND}"
        );
        assert_eq!(flips, Vec::<String>::new(), "{model}");
    }
}
