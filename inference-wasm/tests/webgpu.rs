//! Backend `webgpu` on the system's adapter, lavapipe if there is no card: every kernel compared with
//! formulas in `f64` and with the reference backend, answers compared with a reference that shares no
//! code with the engine, and failures of the device.
//!
//! `cargo test -p inference-wasm --features native-gpu --test webgpu`; `tests/architectures.rs` has
//! the models of all architectures with the same feature.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::executor::block_on;
use inference_wasm::engine::backend::{
    Backend, Candidate, Heads, Reference, Rotary, Webgpu, WebgpuOptions,
};
use inference_wasm::engine::canary;
use inference_wasm::engine::model::{Activation, RotaryPairs, TensorInfo};
use inference_wasm::engine::quant::{FORMATS, Format};
use inference_wasm::engine::session::{LoadOptions, Session};
use inference_wasm::protocol::{BackendName, CacheType, EngineErrorKind};

/// One invocation per output, or several that share an output.
const STRATEGIES: [WebgpuOptions; 2] = [
    WebgpuOptions { least_limits: false, binding_bytes: None, split: Some(false), fault: None },
    WebgpuOptions { least_limits: true, binding_bytes: None, split: Some(true), fault: None },
];

fn backend(options: WebgpuOptions) -> Webgpu {
    block_on(Webgpu::with(options)).unwrap()
}

/// Numbers from -1 to 1 that are the same in every run.
struct Numbers(u32);

impl Numbers {
    fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        (self.0 >> 8) as f32 / 8_388_608.0 - 1.0
    }

    fn many(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.next()).collect()
    }
}

/// A matrix of blocks as ggml's quantizers make them: those of `vectors/quant.json`, repeated.
fn matrix(format: &'static Format, rows: usize, columns: usize) -> (Arc<Vec<u8>>, TensorInfo) {
    #[derive(serde::Deserialize)]
    struct Vector {
        bytes: String,
        weights: String,
    }
    let vectors: BTreeMap<String, Vec<Vector>> =
        serde_json::from_str(include_str!("vectors/quant.json")).unwrap();
    // Some hold the greatest halves and more, where sums overflow.
    let is_small = |vector: &&Vector| {
        let weights = hex::decode(&vector.weights).unwrap();
        let mut weights = weights.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
        weights.all(|weight| weight.abs() < 1e6)
    };
    let blocks: Vec<u8> = vectors[format.name]
        .iter()
        .filter(is_small)
        .flat_map(|vector| hex::decode(&vector.bytes).unwrap())
        .collect();
    assert!(blocks.len() >= 2 * format.block_bytes, "{}", format.name);
    let count = rows * columns / format.block_weights * format.block_bytes;
    let bytes: Vec<u8> = blocks.into_iter().cycle().take(count).collect();
    let tensor = TensorInfo {
        name: "weights".into(),
        dimensions: vec![columns, rows],
        format,
        bytes: 0..bytes.len(),
        entry_offset: 0,
    };
    (Arc::new(bytes), tensor)
}

fn vector(values: &[f32]) -> (Arc<Vec<u8>>, TensorInfo) {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let tensor = TensorInfo {
        name: "vector".into(),
        dimensions: vec![values.len()],
        format: FORMATS[0],
        bytes: 0..bytes.len(),
        entry_offset: 0,
    };
    (Arc::new(bytes), tensor)
}

fn read<B: Backend>(backend: &mut B, x: &B::Tensor) -> Vec<f32> {
    let mut values = Vec::new();
    block_on(backend.read(x, &mut values)).unwrap();
    values
}

/// Fails unless all values are as close as `roundings` roundings of a value of size `size` allow.
#[track_caller]
fn assert_close(found: &[f32], expected: &[f32], roundings: f32, size: f32) {
    assert_eq!(found.len(), expected.len());
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let bound = roundings * f32::EPSILON * expected.abs().max(size);
        let distance = (found - expected).abs();
        assert!(distance <= bound, "value {i}: {found}, expected {expected} within {bound:e}");
    }
}

/// The bound is that of any order of summation, `columns · ε/2 · Σ|w·x|`, plus subnormal products
/// flushed to zero, which WGSL allows.
fn check_product(
    gpu: &mut Webgpu,
    format: &'static Format,
    rows: usize,
    outputs: usize,
    columns: usize,
) {
    let what = format!("{}, {rows} rows by {outputs} × {columns}", format.name);
    let (file, tensor) = matrix(format, outputs, columns);
    let mut weights = vec![0.0; outputs * columns];
    (format.dequantize)(&file, &mut weights);
    let values = Numbers(7).many(rows * columns);

    let weight = gpu.weight(&file, &tensor).unwrap();
    let x = gpu.constant(columns, &values).unwrap();
    let mut out = gpu.constant(outputs, &vec![f32::NAN; outputs * (rows + 2)]).unwrap();
    gpu.matmul(&weight, &x, &mut out);
    let found = read(gpu, &out);
    assert_eq!(found.len(), rows * outputs, "{what}");
    for (i, found) in found.iter().enumerate() {
        let weights = &weights[i % outputs * columns..][..columns];
        let x = &values[i / outputs * columns..][..columns];
        let products = weights.iter().zip(x).map(|(w, x)| f64::from(*w) * f64::from(*x));
        let (exact, size) = products.fold((0.0, 0.0), |(s, a), p| (s + p, a + p.abs()));
        let bound =
            columns as f64 * (f64::from(f32::EPSILON) / 2.0 * size + f64::from(f32::MIN_POSITIVE));
        let distance = (f64::from(*found) - exact).abs();
        assert!(distance <= bound, "{what}: output {i} is {found}, expected {exact} ± {bound:e}");
    }
    let mut room = Vec::new();
    block_on(gpu.read_room(&out, &mut room)).unwrap();
    assert_eq!(room.len(), outputs * (rows + 2), "{what}");
    assert!(room[rows * outputs..].iter().all(|x| x.is_nan()), "{what}: wrote beyond the rows");
}

#[test]
fn products_are_within_rounding() {
    for options in STRATEGIES {
        let mut gpu = backend(options);
        for format in FORMATS {
            let blocks: &[usize] = match format.block_weights {
                1 => &[1, 31, 64, 97],
                32 => &[32, 96, 160],
                _ => &[256, 768],
            };
            for &columns in blocks {
                for (rows, outputs) in [(1, 1), (1, 67), (2, 5), (5, 130), (32, 33)] {
                    check_product(&mut gpu, format, rows, outputs, columns);
                }
            }
        }
    }
}

#[test]
fn a_matrix_larger_than_a_binding_is_split() {
    for mut options in STRATEGIES {
        options.binding_bytes = Some(1024);
        let mut gpu = backend(options);
        let q8_0 = FORMATS[6];
        // Seven rows of 144 bytes fit.
        check_product(&mut gpu, q8_0, 1, 61, 128);
        check_product(&mut gpu, q8_0, 2, 61, 128);

        let (file, tensor) = matrix(q8_0, 61, 128);
        let ids = [0, 60, 6, 7, 8, 33];
        let mut weights = vec![0.0; 61 * 128];
        (q8_0.dequantize)(&file, &mut weights);
        let expected = ids.map(|id| &weights[id as usize * 128..][..128]).concat();
        let table = gpu.weight(&file, &tensor).unwrap();
        let mut parts = Vec::new();
        // One row at a time.
        for id in ids {
            let mut out = gpu.tensor(1, 128).unwrap();
            gpu.embed(&table, &[id], &mut out);
            parts.extend(read(&mut gpu, &out));
        }
        assert_eq!(parts, expected);

        // A single row that does not fit is refused.
        let (file, tensor) = matrix(q8_0, 2, 1024);
        assert_eq!(gpu.weight(&file, &tensor).unwrap_err().kind, EngineErrorKind::OutOfMemory);
    }
}

#[test]
fn tables_of_every_type_are_read_exactly() {
    let mut gpu = backend(WebgpuOptions::default());
    for format in FORMATS {
        let columns = if format.block_weights == 1 { 41 } else { 256 };
        let (file, tensor) = matrix(format, 9, columns);
        let mut weights = vec![0.0; 9 * columns];
        (format.dequantize)(&file, &mut weights);
        let ids: Vec<u32> = (0..40).map(|i| i * 5 % 9).collect();
        let rows: Vec<&[f32]> =
            ids.iter().map(|&id| &weights[id as usize * columns..][..columns]).collect();
        let table = gpu.weight(&file, &tensor).unwrap();
        let mut out = gpu.tensor(40, columns).unwrap();
        gpu.embed(&table, &ids, &mut out);
        // One rounding, where a least value is subtracted.
        assert_close(&read(&mut gpu, &out), &rows.concat(), 1.0, 0.0);
    }
}

/// Halves over their whole range, since drivers flush small ones.
#[test]
fn halves_are_exact_and_rounded_to_even() {
    let mut gpu = backend(WebgpuOptions::default());
    let f16 = FORMATS[1];
    let finite: Vec<u16> = (0..=u16::MAX).filter(|bits| bits & 0x7c00 != 0x7c00).collect();
    let bytes: Vec<u8> = finite.iter().flat_map(|bits| bits.to_le_bytes()).collect();
    let mut expected = vec![0.0; finite.len()];
    (f16.dequantize)(&bytes, &mut expected);
    let tensor = TensorInfo {
        name: "halves".into(),
        dimensions: vec![finite.len() / 2, 2],
        format: f16,
        bytes: 0..bytes.len(),
        entry_offset: 0,
    };
    let table = gpu.weight(&Arc::new(bytes), &tensor).unwrap();
    let mut out = gpu.tensor(2, finite.len() / 2).unwrap();
    gpu.embed(&table, &[0, 1], &mut out);
    let found = read(&mut gpu, &out);
    assert!(found.iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits()));

    // Through the cache, with one visible position: the value itself, as a half.
    let mut values = Numbers(3).many(60);
    values.extend([65519.0, 1e-8, 5.96e-8, 6.1e-5, 2049.0, 2051.0, -0.3, 0.1]);
    let size = values.len();
    let heads =
        Heads { queries: 1, kv: 1, size, first: 0, scale: 1.0, window: None, soft_cap: None };
    let mut cache = gpu.cache(1, size, CacheType::F16).unwrap();
    let x = gpu.constant(size, &values).unwrap();
    gpu.append(&mut cache, &x, &x, 0);
    let mut out = gpu.tensor(1, size).unwrap();
    let query = gpu.constant(size, &vec![0.0; size]).unwrap();
    gpu.attention(&query, &cache, heads, &mut out);
    let halves: Vec<f32> =
        values.iter().map(|&value| half::f16::from_f32(value).to_f32()).collect();
    assert_eq!(read(&mut gpu, &out), halves);
}

#[test]
fn ops_agree_with_the_reference() {
    // In this order on one tensor, so that an error anywhere shows.
    fn run<B: Backend>(
        backend: &mut B,
        [x, y]: [&[f32]; 2],
        columns: usize,
        [norm, head]: [(&Arc<Vec<u8>>, &TensorInfo); 2],
    ) -> Vec<Vec<f32>> {
        let mut seen = Vec::new();
        let norm = backend.weight(norm.0, norm.1).unwrap();
        let head = backend.weight(head.0, head.1).unwrap();
        let x = backend.constant(columns, x).unwrap();
        let mut y = backend.constant(columns, y).unwrap();
        let mut out = backend.tensor(8, columns).unwrap();
        backend.rms_norm(&x, &norm, 1e-5, &mut out);
        seen.push(read(backend, &out));
        backend.rms_norm_in_place(&mut out, &head, 1e-6);
        seen.push(read(backend, &out));
        backend.add_bias(&mut out, &norm);
        backend.add(&mut out, &x);
        backend.scale(&mut out, 3.0);
        seen.push(read(backend, &out));
        backend.gated(&mut y, &x, Activation::Silu);
        seen.push(read(backend, &y));
        backend.gated(&mut y, &x, Activation::GeluTanh);
        seen.push(read(backend, &y));
        backend.soft_cap(&mut y, 5.0);
        seen.push(read(backend, &y));
        backend.rows(&y, 1..4, &mut out);
        seen.push(read(backend, &out));
        for (pairs, rotated) in [(RotaryPairs::Interleaved, 32), (RotaryPairs::Halves, 12)] {
            let angles: Vec<f32> = (0..16 * rotated / 2)
                .flat_map(|i| [(i as f32 * 0.3).cos(), (i as f32 * 0.3).sin()])
                .collect();
            let angles = backend.constant(rotated, &angles).unwrap();
            backend.rope(&mut out, &angles, Rotary { head_size: 33, pairs }, 7);
            seen.push(read(backend, &out));
        }
        seen
    }

    let mut gpu = backend(WebgpuOptions::default());
    let mut reference = Reference::default();
    let (rows, columns) = (5, 99);
    let x = Numbers(1).many(rows * columns);
    let y: Vec<f32> = Numbers(2).many(rows * columns).iter().map(|y| y * 30.0).collect();
    let (file, info) = vector(&Numbers(4).many(columns));
    let (head_file, head_info) = vector(&Numbers(5).many(33));
    let norms = [(&file, &info), (&head_file, &head_info)];
    let found = run(&mut gpu, [&x, &y], columns, norms);
    let expected = run(&mut reference, [&x, &y], columns, norms);
    for (found, expected) in found.iter().zip(&expected) {
        // A norm sums a hundred squares; everything after it inherits that.
        assert_close(found, expected, 100.0, 1.0);
    }
}

#[test]
fn nothing_overflows() {
    let mut gpu = backend(WebgpuOptions::default());
    let values = [-1e30, -1e4, -90.0, -20.0, 0.0, 20.0, 90.0, 1e4, 1e30_f32];
    let one = [1.0; 9];
    for activation in [Activation::Silu, Activation::GeluTanh] {
        let mut x = gpu.constant(9, &values).unwrap();
        let up = gpu.constant(9, &one).unwrap();
        gpu.gated(&mut x, &up, activation);
        let expected = values.map(|x| if x < -1.0 { 0.0 } else { x });
        assert_close(&read(&mut gpu, &x), &expected, 1.0, 1.0);
    }
    let mut x = gpu.constant(9, &values).unwrap();
    gpu.soft_cap(&mut x, 2.0);
    assert_close(&read(&mut gpu, &x), &values.map(|x| 2.0 * (x / 2.0).tanh()), 2.0, 0.0);
}

#[test]
fn attention_agrees_with_the_reference() {
    fn run<B: Backend>(backend: &mut B, heads: Heads, kind: CacheType, rows: usize) -> Vec<f32> {
        let (width, kv_width) = (heads.queries * heads.size, heads.kv * heads.size);
        let mut numbers = Numbers(11);
        let mut cache = backend.cache(heads.first + rows + 3, kv_width, kind).unwrap();
        let count = (heads.first + rows) * kv_width;
        let keys = backend.constant(kv_width, &numbers.many(count)).unwrap();
        let values = backend.constant(kv_width, &numbers.many(count)).unwrap();
        backend.append(&mut cache, &keys, &values, 0);
        let queries = backend.constant(width, &numbers.many(rows * width)).unwrap();
        let mut out = backend.tensor(rows, width).unwrap();
        backend.attention(&queries, &cache, heads, &mut out);
        read(backend, &out)
    }
    let mut gpu = backend(WebgpuOptions::default());
    let mut reference = Reference::default();
    let heads = |queries, kv, size, first| Heads {
        queries,
        kv,
        size,
        first,
        scale: 0.7,
        window: None,
        soft_cap: None,
    };
    for heads in [
        heads(4, 2, 32, 0),
        heads(3, 1, 33, 63),
        heads(2, 2, 130, 64),
        heads(6, 3, 64, 300),
        Heads { window: Some(7), ..heads(2, 1, 16, 150) },
        Heads { window: Some(70), soft_cap: Some(1.5), ..heads(2, 1, 16, 150) },
    ] {
        for kind in [CacheType::F32, CacheType::F16] {
            for rows in [1, 5] {
                let found = run(&mut gpu, heads, kind, rows);
                let expected = run(&mut reference, heads, kind, rows);
                // Scores are sums of up to 130 products, and the exponential propagates their
                // rounding.
                assert_close(&found, &expected, 300.0, 1.0);
            }
        }
    }
}

#[test]
fn the_best_are_found_in_their_order() {
    let mut gpu = backend(WebgpuOptions::default());
    let mut values = Numbers(9).many(5003);
    let (inf, nan) = (f32::INFINITY, f32::NAN);
    for (at, value) in [(17, 2.0), (4000, 2.0), (1024, 2.0), (5002, 3.0), (5, -inf), (6, inf)] {
        values[at] = value;
    }
    for is_broken in [false, true] {
        if is_broken {
            (values[4999], values[88]) = (nan, -nan);
        }
        let mut expected: Vec<Candidate> =
            (0..).zip(&values).map(|(id, &logit)| Candidate { id, logit }).collect();
        expected.sort_by(Candidate::order);
        let x = gpu.constant(values.len(), &values).unwrap();
        for count in [1, 2, 7, 64] {
            let found = block_on(gpu.best(&x, count)).unwrap().unwrap();
            let ids = |of: &[Candidate]| of.iter().map(|c| c.id).collect::<Vec<_>>();
            assert_eq!(ids(&found), ids(&expected[..count]));
        }
    }
    // Fewer than requested, with zeros of both signs.
    let x = gpu.constant(3, &[-0.0, -1.0, 0.0]).unwrap();
    let found = block_on(gpu.best(&x, 5)).unwrap().unwrap();
    assert_eq!(found.iter().map(|c| c.id).collect::<Vec<_>>(), [0, 2, 1]);
}

#[test]
fn the_canary_matches_its_order_of_summation() {
    for options in STRATEGIES {
        let found = block_on(canary::run(&mut backend(options))).unwrap();
        assert_eq!(Some(found.bits), canary::expected(BackendName::Webgpu));
    }
}

/// Greedy answers of the small model in three weight types, searched on the device, compared with
/// numpy's.
#[test]
fn answers_agree_with_the_oracle() {
    #[derive(serde::Deserialize)]
    struct Answer {
        id: String,
        prompt_ids: Vec<u32>,
        generated: Vec<u32>,
    }
    let exact: BTreeMap<String, Vec<Answer>> =
        serde_json::from_str(include_str!("vectors/scribe-low.json")).unwrap();
    for (model, answers) in exact {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/models");
        let file = fs_err::read(format!("{root}/{model}.gguf")).unwrap();
        let gpu = backend(WebgpuOptions::default());
        let mut session = Session::load(gpu, file, LoadOptions::default()).unwrap();
        for Answer { id, prompt_ids, generated } in answers {
            session.clear();
            session.begin(&prompt_ids, generated.len() as u32).unwrap();
            for ids in prompt_ids.chunks(32) {
                session.feed(ids);
            }
            for (step, &expected) in generated.iter().enumerate() {
                let mut row = Vec::new();
                block_on(session.last_logits(&mut row)).unwrap();
                let best = (0..row.len()).rev().max_by(|&a, &b| row[a].total_cmp(&row[b]));
                assert_eq!(best, Some(expected as usize), "{model}, {id}, step {step}");
                session.feed(&[expected]);
            }
        }
    }
}

#[test]
fn a_lost_device_is_reported() {
    let mut gpu = backend(WebgpuOptions::default());
    let mut x = gpu.constant(4, &[1.0; 4]).unwrap();
    block_on(gpu.settle()).unwrap();
    gpu.destroy_device();
    gpu.scale(&mut x, 2.0);
    let mut values = Vec::new();
    let error = block_on(gpu.read(&x, &mut values)).unwrap_err();
    assert_eq!((error.kind, values.len()), (EngineErrorKind::DeviceLost, 0), "{error}");
    let error = block_on(gpu.best(&x, 1)).unwrap_err();
    assert_eq!(error.kind, EngineErrorKind::DeviceLost, "{error}");
    let error = block_on(gpu.settle()).unwrap_err();
    assert_eq!(error.kind, EngineErrorKind::DeviceLost, "{error}");
}

#[test]
fn a_cache_that_does_not_fit_is_out_of_memory() {
    let mut gpu = backend(WebgpuOptions { least_limits: true, ..WebgpuOptions::default() });
    let error = gpu.cache(1 << 20, 1024, CacheType::F32).unwrap_err();
    assert_eq!(error.kind, EngineErrorKind::OutOfMemory, "{error}");
    assert!(error.message.contains("4294967296 bytes, expected at most 134217728"), "{error}");
    // The device itself is fine.
    block_on(gpu.settle()).unwrap();
}

#[test]
fn an_invalid_command_fails_every_later_read() {
    let mut gpu = backend(WebgpuOptions::default());
    let x = gpu.constant(4, &[1.0; 8]).unwrap();
    let mut small = gpu.tensor(1, 4).unwrap();
    gpu.rows(&x, 0..2, &mut small);
    let mut values = Vec::new();
    let error = block_on(gpu.read(&small, &mut values)).unwrap_err();
    assert_eq!((error.kind, values.len()), (EngineErrorKind::GpuError, 0));
    let error = block_on(gpu.read(&x, &mut values)).unwrap_err();
    assert_eq!((error.kind, values.len()), (EngineErrorKind::GpuError, 0));
}

/// Each kernel mutant, compared with the sums and norms that it affects.
#[cfg(feature = "seeded-faults")]
#[test]
fn kernel_mutants_give_wrong_numbers() {
    use inference_wasm::protocol::SeededFault;

    let with = |fault| backend(WebgpuOptions { fault: Some(fault), ..WebgpuOptions::default() });
    let product = |gpu: &mut Webgpu, columns: usize, x: f32| {
        let (file, tensor) = matrix(FORMATS[0], 2, columns);
        let mut weights = vec![0.0; 2 * columns];
        (FORMATS[0].dequantize)(&file, &mut weights);
        let weight = gpu.weight(&file, &tensor).unwrap();
        let x = gpu.constant(columns, &vec![x; columns]).unwrap();
        let mut out = gpu.tensor(1, 2).unwrap();
        gpu.matmul(&weight, &x, &mut out);
        let sum: f32 = weights[..columns].iter().sum();
        (read(gpu, &out)[0], sum)
    };
    // Of three groups of 32 the last one is missing; of four, none.
    let (found, sum) = product(&mut with(SeededFault::OffByOneTail), 96, 1.0);
    assert!((found - sum).abs() > 1e-3, "{found}, {sum}");
    let (found, sum) = product(&mut with(SeededFault::OffByOneTail), 128, 1.0);
    assert!((found - sum).abs() < 1e-4, "{found}, {sum}");
    let (found, _) = product(&mut with(SeededFault::F16Overflow), 96, 1e7);
    assert!(found.is_infinite(), "{found}");

    let mut gpu = with(SeededFault::MissingBarrier);
    let values = Numbers(1).many(64);
    let (file, info) = vector(&[1.0; 64]);
    let scale = gpu.weight(&file, &info).unwrap();
    let x = gpu.constant(64, &values).unwrap();
    let mut out = gpu.tensor(1, 64).unwrap();
    gpu.rms_norm(&x, &scale, 1e-6, &mut out);
    let root = (values.iter().map(|x| x * x).sum::<f32>() / 64.0).sqrt();
    let wrong = read(&mut gpu, &out);
    let wrong = wrong.iter().zip(&values).filter(|(found, x)| (*found - *x / root).abs() > 0.1);
    assert!(wrong.count() > 8);
}
