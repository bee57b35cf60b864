//! Every architecture on both CPU backends, and on `webgpu` where it is built, compared with
//! `transformers` in float64.
//!
//! The models are small and random, one for each architecture and each way of scaling rotary
//! embeddings (`fixtures/models/architectures/`); the goldens are the outputs of `transformers`'
//! model classes for the same weights (`fixtures/reference/architectures.py`). Prompts are longer
//! than every window and than a prefill chunk.
//!
//! `cargo test -p inference-wasm --test architectures -- --nocapture` prints the table.

use futures::executor::block_on;
use inference_wasm::engine::backend::{Backend, Cpu, Reference};
use inference_wasm::engine::session::{LoadOptions, Session};
use safetensors::SafeTensors;
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    id: String,
    prompt_ids: Vec<u32>,
    generated_ids: Vec<u32>,
}

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// `float` of `matrices/default.toml`: float32 arithmetic in any order.
const MEAN_KLD: f64 = 1e-9;
/// The same class.
const MAX_ABS: f64 = 1e-3;

/// The models, by their files.
fn models() -> Vec<String> {
    let files = fs_err::read_dir(format!("{ROOT}/fixtures/models/architectures")).unwrap();
    let stem = |path: std::path::PathBuf| Some(path.file_stem()?.to_str()?.to_owned());
    let gguf = files.map(|file| file.unwrap().path()).filter(|path| path.extension().is_some());
    let mut models: Vec<String> = gguf.filter_map(stem).collect();
    models.sort();
    assert!(models.len() >= 13, "{models:?}");
    models
}

fn session<B: Backend>(backend: B, model: &str, positions: Option<u32>) -> Session<B> {
    let path = format!("{ROOT}/fixtures/models/architectures/{model}.gguf");
    let mut options = LoadOptions::default();
    options.positions = positions;
    Session::load(backend, fs_err::read(path).unwrap(), options).unwrap()
}

/// The cases of a golden and their rows, `[generated × vocabulary]`.
fn golden(model: &str) -> Vec<(Case, Vec<f32>)> {
    let path = format!("{ROOT}/golden/random-{model}/logits/teacher-forced");
    let text = fs_err::read_to_string(format!("{path}.json")).unwrap();
    let bytes = fs_err::read(format!("{path}.safetensors")).unwrap();
    let rows = SafeTensors::deserialize(&bytes).unwrap();
    let of_case = |case: Case| {
        let data = rows.tensor(&case.id).unwrap();
        let floats = data.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
        let floats = floats.collect();
        (case, floats)
    };
    serde_json::from_str::<Golden>(&text).unwrap().cases.into_iter().map(of_case).collect()
}

/// The rows of a case: feeds the prompt in chunks of `chunk`, then the golden's own tokens one by
/// one.
fn rows<B: Backend>(session: &mut Session<B>, case: &Case, chunk: usize) -> Vec<f32> {
    session.clear();
    session.begin(&case.prompt_ids, case.generated_ids.len() as u32).unwrap();
    let mut rows = Vec::new();
    for ids in case.prompt_ids.chunks(chunk) {
        assert_eq!(session.feed(ids), ids.len());
    }
    for &id in &case.generated_ids {
        block_on(session.last_logits(&mut rows)).unwrap();
        session.feed(&[id]);
    }
    rows
}

/// Natural logarithms of the probabilities of a row.
fn log_softmax(row: &[f32]) -> Vec<f64> {
    // Logits are small here, far from overflow.
    let sum: f64 = row.iter().map(|&x| f64::from(x).exp()).sum();
    row.iter().map(|&x| f64::from(x) - sum.ln()).collect()
}

/// Mean KL(expected ‖ found) of the rows, and the greatest distance of two logits.
fn distance(expected: &[f32], found: &[f32], columns: usize) -> (f64, f64) {
    assert_eq!(expected.len(), found.len());
    let (mut divergence, mut greatest) = (0.0, 0.0_f64);
    for (expected, found) in expected.chunks(columns).zip(found.chunks(columns)) {
        let (p, q) = (log_softmax(expected), log_softmax(found));
        divergence += p.iter().zip(&q).map(|(p, q)| p.exp() * (p - q)).sum::<f64>();
        for (expected, found) in expected.iter().zip(found) {
            let distance = f64::from((expected - found).abs());
            greatest = if distance.is_nan() { f64::INFINITY } else { greatest.max(distance) };
        }
    }
    (divergence / (expected.len() / columns) as f64, greatest)
}

/// Compares all models on a backend; prints a line for each and returns the differences.
#[expect(clippy::print_stdout, reason = "the table that `--nocapture` shows")]
fn compare<B: Backend>(backend: fn() -> B) -> Vec<String> {
    let mut wrong = Vec::new();
    let name = backend().name();
    for model in models() {
        let mut session = session(backend(), &model, None);
        let columns = session.hyper().vocabulary;
        let (mut worst_kld, mut worst_abs) = (0.0_f64, 0.0_f64);
        for (case, expected) in golden(&model) {
            let found = rows(&mut session, &case, 32);
            let (kld, abs) = distance(&expected, &found, columns);
            (worst_kld, worst_abs) = (worst_kld.max(kld), worst_abs.max(abs));
            for (step, row) in found.chunks(columns).enumerate() {
                let best = (0..columns).rev().max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap();
                if best != case.generated_ids[step] as usize {
                    wrong.push(format!("{model}, case {}, step {step}: token {best}", case.id));
                }
            }
            // The chunk size changes the numbers only by rounding.
            let (_, abs) = distance(&found, &rows(&mut session, &case, 1), columns);
            if abs > 1e-4 {
                wrong.push(format!("{model}, case {}: {abs:e} off token by token", case.id));
            }
        }
        println!("{model:14} {name:?}: mean KLD {worst_kld:8.1e}, max |Δ| {worst_abs:8.1e}");
        if worst_kld > MEAN_KLD || worst_abs > MAX_ABS || worst_kld.is_nan() {
            wrong.push(format!("{model}: mean KLD {worst_kld:e}, max |Δ| {worst_abs:e}"));
        }
    }
    wrong
}

#[test]
fn reference_agrees_with_transformers() {
    assert_eq!(compare(Reference::default), Vec::<String>::new());
}

#[test]
fn kernels_agree_with_transformers() {
    assert_eq!(compare(Cpu::default), Vec::<String>::new());
}

#[cfg(feature = "native-gpu")]
#[test]
fn shaders_agree_with_transformers() {
    use inference_wasm::engine::backend::Webgpu;
    let backend = || block_on(Webgpu::new()).unwrap();
    assert_eq!(compare(backend), Vec::<String>::new());
}

#[derive(Deserialize)]
struct Short {
    ids: Vec<u32>,
    rows: Vec<Vec<f32>>,
}

/// `vectors/phi3-longrope-short.json` is the model class's output for a sequence within the
/// original training's context, where it uses the short factors.
#[test]
fn long_rope_depends_on_the_loaded_context() {
    let short = include_str!("vectors/phi3-longrope-short.json");
    let short: Short = serde_json::from_str(short).unwrap();
    let expected = short.rows.concat();
    let greatest = |positions: Option<u32>| {
        let mut session = session(Reference::default(), "phi3-longrope", positions);
        session.begin(&short.ids, 1).unwrap();
        assert_eq!(session.feed(&short.ids), short.ids.len());
        let mut found = Vec::new();
        block_on(session.logits(0..short.ids.len(), &mut found)).unwrap();
        distance(&expected, &found, session.hyper().vocabulary).1
    };
    assert!(greatest(Some(32)) <= 1e-4, "{:e}", greatest(Some(32)));
    // With room for one more position, the long factors apply: a different model.
    assert!(greatest(Some(33)) > 0.1, "{:e}", greatest(Some(33)));
}
