//! The cost of weight types: the distance of quantized forms of a model from its floats.
//!
//! The mean Kullback–Leibler divergence, `KL(floats ‖ quantized)` in nats, and how often both rank
//! the same token first, over the prompts and answers of `vectors/scribe-low.json`. Both sides run
//! on the kernels. The files come from `fixtures/reference/weight_types.py`.

use std::collections::BTreeMap;

use futures::executor::block_on;
use inference_wasm::engine::backend::Cpu;
use inference_wasm::engine::model::Gguf;
use inference_wasm::engine::session::{LoadOptions, Session};

/// Logits of a model: `[positions × vocabulary]`.
struct Rows {
    vocabulary: usize,
    logits: Vec<f32>,
}

/// The distance of one model from another.
#[derive(Debug)]
struct Distance {
    mean_kld: f64,
    max_kld: f64,
    /// The share of rows on which both rank the same token first.
    agreement: f64,
}

/// Prompts with their answers. All scribe models share one tokenizer.
fn texts() -> Vec<Vec<u32>> {
    #[derive(serde::Deserialize)]
    struct Answer {
        prompt_ids: Vec<u32>,
        generated: Vec<u32>,
    }
    let answers: BTreeMap<String, Vec<Answer>> =
        serde_json::from_str(include_str!("vectors/scribe-low.json")).unwrap();
    let answers = answers.into_values().next().unwrap();
    answers.into_iter().map(|answer| [answer.prompt_ids, answer.generated].concat()).collect()
}

impl Rows {
    /// Feeds every text to a model.
    fn of(file: Vec<u8>) -> Self {
        let mut session = Session::load(Cpu::default(), file, LoadOptions::default()).unwrap();
        let mut logits = Vec::new();
        for ids in texts() {
            session.clear();
            session.begin(&ids, 0).unwrap();
            let mut fed = 0;
            while fed < ids.len() {
                let rows = session.feed(&ids[fed..]);
                block_on(session.logits(0..rows, &mut logits)).unwrap();
                fed += rows;
            }
        }
        Self { vocabulary: session.hyper().vocabulary, logits }
    }

    fn distance(&self, other: &Self) -> Distance {
        let rows = self.logits.chunks(self.vocabulary).zip(other.logits.chunks(self.vocabulary));
        let (mut sum, mut greatest, mut agreed, mut count) = (0.0, 0.0_f64, 0.0, 0.0);
        for (row, other) in rows {
            let (p, q) = (log_probabilities(row), log_probabilities(other));
            let kld: f64 = p.iter().zip(&q).map(|(p, q)| p.exp() * (p - q)).sum();
            sum += kld;
            greatest = greatest.max(kld);
            agreed += f64::from(top(row) == top(other));
            count += 1.0;
        }
        Distance { mean_kld: sum / count, max_kld: greatest, agreement: agreed / count }
    }
}

fn log_probabilities(row: &[f32]) -> Vec<f64> {
    let greatest = row.iter().fold(f64::NEG_INFINITY, |greatest, &x| greatest.max(x.into()));
    let sum: f64 = row.iter().map(|&x| (f64::from(x) - greatest).exp()).sum();
    row.iter().map(|&x| f64::from(x) - greatest - sum.ln()).collect()
}

fn top(row: &[f32]) -> usize {
    (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b]).then(b.cmp(&a))).unwrap()
}

/// scribe-mid with one matrix in another weight type, which is appended to the file.
fn with_rung(rung: &str) -> Vec<u8> {
    const TENSOR: &str = "blk.1.attn_v.weight";
    let models = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/models");
    let mut file = fs_err::read(format!("{models}/scribe-mid-Q8_0.gguf")).unwrap();
    let rungs = include_bytes!("vectors/rungs.gguf");
    let rung = Gguf::open(rungs).unwrap().tensors.remove(rung).unwrap();

    let gguf = Gguf::open(&file).unwrap();
    let entry = gguf.tensors[TENSOR].clone();
    assert_eq!(rung.dimensions, entry.dimensions);
    let data_start = gguf.tensors.values().map(|tensor| tensor.bytes.start).min().unwrap();
    file.resize(file.len().next_multiple_of(32), 0);
    let offset = (file.len() - data_start) as u64;
    file.extend_from_slice(&rungs[rung.bytes]);
    // Name with its length, number of dimensions, two of them; then type and offset.
    let at = entry.entry_offset as usize + 8 + TENSOR.len() + 4 + 2 * 8;
    file[at..at + 4].copy_from_slice(&rung.format.id.to_le_bytes());
    file[at + 4..at + 12].copy_from_slice(&offset.to_le_bytes());
    file
}

/// One matrix of scribe-mid in each type, quantized by ggml: every bit less costs more.
///
/// A step is twice as wide with each bit less, and the divergence grows with its square, so by a
/// factor of 4 per bit: over the six bits from `Q8_0` to `Q2_K` it must reach that within a
/// quarter. Types with the same number of bits differ in how well they use them: all must be
/// between those with one bit more and one bit less.
#[test]
fn every_bit_less_costs_more() {
    let floats = Rows::of(with_rung("F16"));
    let kld = |rung: &str| floats.distance(&Rows::of(with_rung(rung))).mean_kld;
    let falling = ["Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "Q8_0"];
    let costs = BTreeMap::from(falling.map(|rung| (rung, kld(rung))));
    assert!(falling.is_sorted_by(|a, b| costs[a] > costs[b]), "{costs:?}");
    let each_bit = (costs["Q2_K"] / costs["Q8_0"]).powf(1.0 / 6.0);
    assert!((3.0..5.0).contains(&each_bit), "a factor of {each_bit} a bit: {costs:?}");

    for (rung, finer, coarser) in [
        ("Q4_0", "Q5_K", "Q3_K"),
        ("Q4_1", "Q5_K", "Q3_K"),
        ("IQ4_NL", "Q5_K", "Q3_K"),
        ("Q5_0", "Q6_K", "Q4_K"),
        ("Q5_1", "Q6_K", "Q4_K"),
    ] {
        let (cost, bounds) = (kld(rung), costs[finer]..costs[coarser]);
        assert!(bounds.contains(&cost), "{rung} {cost:e}, expected {bounds:?}");
    }
}

/// Prints the costs of the files in the folder `LADDER`: `F32.gguf`, and others named by type.
#[test]
#[ignore = "needs the files that weight_types.py makes"]
#[expect(clippy::print_stdout, reason = "it prints a table")]
fn print_the_ladder() {
    let folder = std::env::var("LADDER").expect("LADDER: the folder with the files");
    let mut files: Vec<_> = fs_err::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "gguf"))
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), path))
        .map(|(name, path)| (name, fs_err::read(path).unwrap()))
        .collect();
    let floats = files.iter().find(|(name, _)| name == "F32").expect("F32.gguf").1.clone();
    let floats = Rows::of(floats);
    files.sort_by_key(|(_, file)| std::cmp::Reverse(file.len()));
    println!("| type | bytes a weight | mean KLD | max KLD | same token on top |");
    println!("|---|---|---|---|---|");
    for (name, file) in files {
        let gguf = Gguf::open(&file).unwrap();
        let tensors = gguf.tensors.values().filter(|tensor| tensor.dimensions.len() > 1);
        let (bytes, weights) = tensors.fold((0, 0), |(bytes, weights), tensor| {
            (bytes + tensor.bytes.len(), weights + tensor.weights())
        });
        let each = bytes as f64 / weights as f64;
        let Distance { mean_kld, max_kld, agreement } = floats.distance(&Rows::of(file));
        let agreement = 100.0 * agreement;
        println!("| {name} | {each:.3} | {mean_kld:.2e} | {max_kld:.2e} | {agreement:.1} % |");
    }
}
