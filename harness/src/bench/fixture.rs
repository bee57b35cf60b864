//! A record for tests: engines with round figures.

use inference_wasm::protocol::GpuTime;

use super::comparison::comparisons;
use super::record::{
    BenchRecord, Engine, FORMAT, Load, Machine, Memory, Model, Sample, Series, Settings,
};

/// A sample of an engine that needs `slowness` times 100 ms to the first token and `slowness`
/// times 150 ms for the other 15; the warm-up is ten times slower.
pub(super) fn sample(context: u32, round: u32, slowness: f64) -> Sample {
    let slowness = if round == 0 { slowness * 10.0 } else { slowness };
    Sample {
        context,
        round,
        prompt_tokens: context,
        new_tokens: 16,
        first_token_ms: 100.0 * slowness,
        decode_ms: 150.0 * slowness,
        reported_prefill_ms: 99.0 * slowness,
        reported_decode_ms: 149.0 * slowness,
        decode_gpu: None,
        decode_dispatches: 0,
        busy_cores: 0.01,
        ids: Vec::new(),
        text: "an answer".to_owned(),
    }
}

fn engine(name: &str, version: &str, samples: Vec<Sample>) -> Engine {
    let backend = name.split_once('@').map_or("cpu", |(_, backend)| backend);
    Engine {
        name: name.to_owned(),
        backend: backend.to_owned(),
        adapter: None,
        adapter_is_software: None,
        version: version.to_owned(),
        unsupported: None,
        build: "base, simd128".to_owned(),
        effective_threads: 1,
        load: Load { cold_ms: Some(812.5), warm_ms: Some(640.0) },
        memory: Memory {
            wasm_bytes: Some(120 << 20),
            rss_before_bytes: 300 << 20,
            rss_most_bytes: 500 << 20,
        },
        samples,
    }
}

/// The subject on software WebGL: 5 times the time, 750 ms for 15 tokens, with the GPU's parts.
fn on_webgl() -> Engine {
    let samples = (0..=7).map(|round| {
        let decode_gpu = GpuTime { encode_ms: 75.0, compute_ms: 600.0, readback_ms: 30.0 };
        let decode_gpu = Some(decode_gpu);
        Sample { decode_gpu, decode_dispatches: 15 * 40, ..sample(32, round, 5.0) }
    });
    Engine {
        adapter: Some("Example Rasterizer".to_owned()),
        adapter_is_software: Some(true),
        ..engine("tierproof@webgl", "0.1.0", samples.collect())
    }
}

/// A subject, a peer that prefills in 4 times and decodes in 2 times the time, an unsupported one,
/// and the subject on another backend.
pub(super) fn record() -> BenchRecord {
    let ours = (0..=7).map(|round| sample(32, round, 1.0)).collect();
    let theirs = (0..=7)
        .map(|round| {
            let slow = sample(32, round, 2.0);
            Sample { first_token_ms: slow.first_token_ms * 2.0, ..slow }
        })
        .collect();
    let unsupported = Some("there is no ONNX export of `tiny`".to_owned());
    let engines = vec![
        engine("tierproof@wasm", "0.1.0", ours),
        engine("wllama@wasm", "3.8.1", theirs),
        Engine { unsupported, ..engine("transformers-js@webgpu", "4.3.1", Vec::new()) },
        on_webgl(),
    ];
    let series = Series {
        browser: "chrome".to_owned(),
        browser_version: "156.0".to_owned(),
        model: Model {
            name: "tiny".to_owned(),
            bytes: 1_000_000,
            sha256: "ab".repeat(32),
            read_bytes: 800_000,
        },
        left_out: vec!["1024: the model was made for 512 positions".to_owned()],
        comparisons: comparisons(&engines),
        engines,
    };
    BenchRecord {
        format: FORMAT,
        tierproof: "0.1.0".to_owned(),
        began: "2026-11-24T03:00:00+00:00[UTC]".to_owned(),
        machine: Machine {
            cpu: "Example 9000".to_owned(),
            cores: 2,
            memory_bytes: 8 << 30,
            system: "Example Linux 12".to_owned(),
            load_average: 0.08,
            busy_cores: 0.02,
            was_busy: false,
        },
        settings: Settings {
            pairs: 7,
            tokens: 16,
            threads: 1,
            other_threads: Vec::new(),
            allow_busy: false,
            bandwidth_gb_s: None,
        },
        series: vec![series],
    }
}
