//! The engine inside a real browser's worker: what the native tests check, on the code that a page
//! runs.
//!
//! Run with `tierproof wasm-test`.

#![cfg(target_arch = "wasm32")]

use inference_wasm::engine::backend::{Backend, Cpu, Reference};
use inference_wasm::engine::canary;
use inference_wasm::engine::model::Gguf;
use inference_wasm::engine::sampler::Sampler;
use inference_wasm::engine::session::{LoadOptions, Session};
use inference_wasm::engine::tokenizer::Tokenizer;
use inference_wasm::protocol::{BackendName, Prompt, Sampling};
use serde::Deserialize;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_dedicated_worker);

static MODEL: &[u8] = include_bytes!("../../fixtures/models/scribe-low-Q4_0.gguf");

#[derive(Deserialize)]
struct Expected {
    scribe: Vec<(String, Vec<u32>)>,
}

/// The regex engine, the hash maps and the tables are the same crate, compiled for another
/// machine: so are the ids.
#[wasm_bindgen_test]
fn token_ids_are_those_of_other_implementations() {
    let tokenizer = Tokenizer::from_gguf(&Gguf::open(MODEL).unwrap().metadata).unwrap();
    let expected: Expected = serde_json::from_str(include_str!("data/token_ids.json")).unwrap();
    assert!(expected.scribe.len() > 250);
    for (text, ids) in &expected.scribe {
        assert_eq!(&tokenizer.encode(text, true), ids, "{text:?}");
    }
}

/// What the model says to a prompt, greedily.
async fn answer(backend: impl Backend, prompt: &str) -> String {
    let mut session = Session::load(backend, MODEL.to_vec(), LoadOptions::default()).unwrap();
    let mut sampler = Sampler::new(&Sampling::Greedy).unwrap();
    let tokenizer = session.tokenizer().clone();
    let prompt = tokenizer.prompt_ids(&Prompt::Text(prompt.into())).unwrap();
    session.begin(&prompt, 32).unwrap();
    let mut fed = 0;
    while fed < prompt.len() {
        fed += session.feed(&prompt[fed..]);
    }
    let mut ids = Vec::new();
    for _ in 0..32 {
        let mut row = Vec::new();
        session.last_logits(&mut row).await.unwrap();
        let id = sampler.choose(&row).unwrap();
        if tokenizer.is_stop(id) {
            break;
        }
        ids.push(id);
        session.feed(&[id]);
    }
    tokenizer.decode(&ids)
}

/// A case of the evaluation set that the model gets right.
const PROMPT: &str = "Keywords: The lecture on film sound was filmed in Dublin.";
const ANSWER: &str = r#"{"topic":"film sound","place":"Dublin"}"#;

#[wasm_bindgen_test]
async fn simd128_kernels_give_the_right_answer() {
    assert!(cfg!(target_feature = "simd128"), "built without SIMD");
    assert_eq!(answer(Cpu::default(), PROMPT).await, ANSWER);
}

/// To the bit what the portable lanes give: four sums side by side.
#[wasm_bindgen_test]
async fn simd128_sums_in_the_order_of_the_portable_lanes() {
    let canary = canary::run(&mut Cpu::default()).await.unwrap();
    assert_eq!(Some(canary.bits), canary::expected(BackendName::Wasm));
    assert_ne!(Some(canary.bits), canary::expected(BackendName::Reference));
}

#[wasm_bindgen_test]
async fn scalar_loops_give_the_right_answer() {
    assert_eq!(answer(Reference::default(), PROMPT).await, ANSWER);
}
