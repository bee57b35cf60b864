//! The engine in a real browser's worker: the checks of the native tests, on the code that a page
//! runs.
//!
//! Run with `tierproof wasm-test`.

#![cfg(target_arch = "wasm32")]

use std::collections::BTreeMap;

use inference_wasm::engine::backend::{Backend, Cpu, Heads, ModelBytes, Reference, Rotary, Webgl};
use inference_wasm::engine::canary;
use inference_wasm::engine::model::{Gguf, RotaryPairs, TensorInfo};
use inference_wasm::engine::quant::FORMATS;
use inference_wasm::engine::sampler::Sampler;
use inference_wasm::engine::session::{LoadOptions, Session};
use inference_wasm::engine::tokenizer::Tokenizer;
use inference_wasm::protocol::{BackendName, CacheType, Prompt, Sampling};
use serde::Deserialize;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_dedicated_worker);

static MODEL: &[u8] = include_bytes!("../../fixtures/models/scribe-low-Q4_0.gguf");

#[derive(Deserialize)]
struct Expected {
    scribe: Vec<(String, Vec<u32>)>,
}

/// The regex engine, the hash maps and the tables are the same crates, compiled for another
/// machine, and must give the same ids.
#[wasm_bindgen_test]
fn token_ids_are_those_of_other_implementations() {
    let tokenizer = Tokenizer::from_gguf(&Gguf::open(MODEL).unwrap().metadata).unwrap();
    let expected: Expected = serde_json::from_str(include_str!("data/token_ids.json")).unwrap();
    assert!(expected.scribe.len() > 250);
    for (text, ids) in &expected.scribe {
        assert_eq!(&tokenizer.encode(text, true), ids, "{text:?}");
    }
}

/// The model's greedy answer to a prompt.
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
    let has_simd = cfg!(target_feature = "simd128");
    assert!(has_simd, "built without SIMD");
    assert_eq!(answer(Cpu::default(), PROMPT).await, ANSWER);
}

/// The same bits as the portable lanes: four sums side by side.
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

#[wasm_bindgen_test]
async fn fragment_passes_give_the_right_answer() {
    let webgl = Webgl::new().unwrap();
    assert_eq!(answer(webgl, PROMPT).await, ANSWER);
}

/// Eight sums side by side, unlike any other backend.
#[wasm_bindgen_test]
async fn fragment_passes_sum_in_an_order_of_their_own() {
    let canary = canary::run(&mut Webgl::new().unwrap()).await.unwrap();
    assert_eq!(Some(canary.bits), canary::expected(BackendName::Webgl));
}

#[derive(Deserialize)]
struct Vector {
    case: String,
    bytes: String,
    weights: String,
}

/// Every format through its shader, compared with what ggml and the package `gguf` agree on: see
/// `engine::quant`. A shader may round a product and a sum at once, hence the unit in the last
/// place of the largest weight of a block.
#[wasm_bindgen_test]
async fn shaders_unpack_what_ggml_packs() {
    let vectors = include_str!("vectors/quant.json");
    let vectors: BTreeMap<String, Vec<Vector>> = serde_json::from_str(vectors).unwrap();
    assert_eq!(vectors.len(), FORMATS.len());
    let mut webgl = Webgl::new().unwrap();
    for (name, vectors) in vectors {
        let format = FORMATS.iter().find(|format| format.name == name).copied().unwrap();
        for Vector { case, bytes, weights } in vectors {
            let bytes = hex::decode(bytes).unwrap();
            let expected: Vec<f32> = hex::decode(weights)
                .unwrap()
                .chunks_exact(4)
                .map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()))
                .collect();
            let tensor = TensorInfo {
                name: name.clone(),
                dimensions: vec![expected.len(), 1],
                format,
                bytes: 0..bytes.len(),
                entry_offset: 0,
            };
            let table = webgl.weight(&ModelBytes::new(bytes), &tensor).unwrap();
            let mut out = webgl.tensor(1, expected.len()).unwrap();
            webgl.embed(&table, &[0], &mut out);
            let mut found = Vec::new();
            webgl.read(&out, &mut found).await.unwrap();
            assert_eq!(found.len(), expected.len());
            let largest =
                expected.iter().filter(|w| w.is_finite()).fold(0.0, |a: f32, b| a.max(b.abs()));
            for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
                // Shaders are reliable only for finite and normal numbers.
                if !expected.is_finite() || !largest.is_finite() {
                    continue;
                }
                let bound = largest * f32::EPSILON;
                let bound = bound.max(f32::MIN_POSITIVE);
                assert!(
                    (found - expected).abs() <= bound,
                    "{name}, {case}, weight {i}: expected {expected:e}, found {found:e}"
                );
            }
        }
    }
}

/// Pseudorandom numbers between -1 and 1.
fn noise(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    };
    (0..count).map(|_| next() as f32 / 2_147_483_648.0 - 1.0).collect()
}

/// A cache filled in two steps, and three rows that attend to it: rotated, in a window, capped.
async fn attended<B: Backend>(
    backend: &mut B,
    (size, pairs, cache_type): (usize, RotaryPairs, CacheType),
    window: Option<usize>,
) -> Vec<f32> {
    let (queries, kv, first, rows) = (6, 2, 9, 3);
    let (width, kv_width) = (queries * size, kv * size);
    let rotated = size / 2 * 2;
    let angles = backend.constant(rotated, &noise(16 * rotated, 1)).unwrap();
    let mut cache = backend.cache(16, kv_width, cache_type).unwrap();
    for (start, count) in [(0, first), (first, rows)] {
        let mut keys =
            backend.constant(kv_width, &noise(count * kv_width, 2 + start as u32)).unwrap();
        let values =
            backend.constant(kv_width, &noise(count * kv_width, 7 + start as u32)).unwrap();
        backend.rope(&mut keys, &angles, Rotary { head_size: size, pairs }, start);
        backend.append(&mut cache, &keys, &values, start);
    }
    let x = backend.constant(width, &noise(rows * width, 5)).unwrap();
    let mut out = backend.tensor(rows, width).unwrap();
    let heads =
        Heads { queries, kv, size, first, scale: 0.7, window, soft_cap: window.map(|_| 2.0) };
    backend.attention(&x, &cache, heads, &mut out);
    let mut found = Vec::new();
    backend.read(&out, &mut found).await.unwrap();
    found
}

/// Includes heads that are not multiples of four, which lie across texels.
#[wasm_bindgen_test]
async fn attention_is_that_of_the_reference() {
    let mut webgl = Webgl::new().unwrap();
    for size in [8, 6, 3] {
        for pairs in [RotaryPairs::Interleaved, RotaryPairs::Halves] {
            for cache_type in [CacheType::F32, CacheType::F16] {
                for window in [None, Some(5)] {
                    let what = (size, pairs, cache_type);
                    let expected = attended(&mut Reference::default(), what, window).await;
                    let found = attended(&mut webgl, what, window).await;
                    assert_eq!(found.len(), expected.len());
                    for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
                        assert!(
                            (found - expected).abs() < 4e-6,
                            "{what:?}, window {window:?}, column {i}: expected {expected}, found {found}"
                        );
                    }
                }
            }
        }
    }
}
