//! The parts of a token's time on a GPU, and the share of the memory's bandwidth that it uses.
//!
//! The total is the page's clock, as everywhere in a bench; the parts are the engine's own account.
//! Everything that it does not account for is reported as the rest: choosing the token, text,
//! messages, waiting. The user states the bandwidth; it is never measured.

use inference_wasm::engine::model::{Gguf, HyperParameters, ModelError, Weights};

use super::record::{Engine, Model, Sample};
use super::statistics::Estimate;

/// Medians over the counted runs with one prompt length, for one token after the first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct TokenTime {
    /// Milliseconds in all, on the page's clock.
    pub(super) total_ms: f64,
    /// Milliseconds in parts, by the engine's account; `None` if it has none.
    pub(super) parts: Option<Parts>,
    /// Dispatches or draws.
    pub(super) dispatches: f64,
}

/// The parts of a token's time, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(clippy::struct_field_names, reason = "the unit stands in every name, as everywhere")]
pub(super) struct Parts {
    pub(super) encode_ms: f64,
    pub(super) compute_ms: f64,
    pub(super) readback_ms: f64,
    /// The remainder of the total.
    pub(super) rest_ms: f64,
}

/// The time of an engine on a GPU; `None` on a CPU, or without samples.
pub(super) fn token_time(engine: &Engine, context: u32) -> Option<TokenTime> {
    engine.adapter.as_ref()?;
    let each = |of: &dyn Fn(&Sample) -> Option<f64>| {
        let values = engine.counted(context).filter_map(|sample| {
            let steps = sample.new_tokens.checked_sub(1).filter(|steps| *steps > 0)?;
            Some(of(sample)? / f64::from(steps))
        });
        Some(Estimate::of(&values.collect::<Vec<_>>())?.median)
    };
    let parts = || {
        Some(Parts {
            encode_ms: each(&|sample| Some(sample.decode_gpu?.encode_ms))?,
            compute_ms: each(&|sample| Some(sample.decode_gpu?.compute_ms))?,
            readback_ms: each(&|sample| Some(sample.decode_gpu?.readback_ms))?,
            rest_ms: each(&|sample| {
                let gpu = sample.decode_gpu?;
                Some(sample.decode_ms - gpu.encode_ms - gpu.compute_ms - gpu.readback_ms)
            })?,
        })
    };
    Some(TokenTime {
        total_ms: each(&|sample| Some(sample.decode_ms))?,
        parts: parts(),
        dispatches: each(&|sample| Some(sample.decode_dispatches as f64))?,
    })
}

/// Bytes of weights that each token has to read, as they are stored: all of them, less the token
/// embeddings if the output has a matrix of its own, since then only one row is looked up.
///
/// # Errors
/// It is not a model that our engine reads.
pub fn read_bytes(gguf: &[u8]) -> Result<u64, ModelError> {
    let gguf = Gguf::open(gguf)?;
    let weights = Weights::find(&gguf, &HyperParameters::read(&gguf)?)?;
    let mut bytes = 0;
    weights.each(&mut |tensor| bytes += tensor.bytes.len() as u64);
    if weights.output.is_some() {
        bytes -= weights.token_embedding.bytes.len() as u64;
    }
    Ok(bytes)
}

/// Tokens a second that a bandwidth in gigabytes (10⁹) a second allows if each token reads the
/// weights once and nothing else takes time. `None` if the bytes are unknown.
pub(super) fn bandwidth_bound(model: &Model, gb_s: f64) -> Option<f64> {
    (model.read_bytes > 0).then(|| gb_s * 1e9 / model.read_bytes as f64)
}

/// The adapter's name and kind: `Example GPU, software`.
pub(super) fn adapter(engine: &Engine) -> Option<String> {
    let name = engine.adapter.as_deref()?.trim();
    let name = if name.is_empty() { "not reported by the browser" } else { name };
    let kind = match engine.adapter_is_software {
        Some(true) => ", software",
        Some(false) => ", hardware",
        None => "",
    };
    Some(format!("{name}{kind}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::fixture;

    #[test]
    fn a_tokens_time_is_that_of_one_step() {
        let record = fixture::record();
        let [wasm, .., webgl] = &record.series[0].engines[..] else { panic!() };
        assert_eq!(token_time(wasm, 32), None);
        assert_eq!(token_time(webgl, 64), None);
        // 750 ms for 15 steps, of which 75, 600 and 30 are accounted for.
        let parts = Parts { encode_ms: 5.0, compute_ms: 40.0, readback_ms: 2.0, rest_ms: 3.0 };
        let expected = TokenTime { total_ms: 50.0, parts: Some(parts), dispatches: 40.0 };
        assert_eq!(token_time(webgl, 32), Some(expected));
    }

    #[test]
    fn an_engine_that_reports_no_parts_has_a_total() {
        let mut record = fixture::record();
        let webgl = &mut record.series[0].engines[3];
        for sample in &mut webgl.samples {
            sample.decode_gpu = None;
        }
        let expected = TokenTime { total_ms: 50.0, parts: None, dispatches: 40.0 };
        assert_eq!(token_time(webgl, 32), Some(expected));
    }

    #[test]
    fn a_tied_output_is_read_whole() {
        // Its header says that 2,755,424 bytes hold the weights and little more; the output is the
        // token embedding.
        let gguf = include_bytes!("../../../fixtures/models/scribe-low-F16.gguf");
        let bytes = read_bytes(gguf).unwrap();
        let tensors = Gguf::open(gguf).unwrap().tensors;
        assert!(!tensors.contains_key("output.weight"));
        assert_eq!(bytes, tensors.values().map(|tensor| tensor.bytes.len() as u64).sum::<u64>());
        assert!(read_bytes(b"GGUF").is_err());
    }

    #[test]
    fn the_bound_is_the_bandwidth_over_the_bytes() {
        let model = fixture::record().series[0].model.clone();
        // 800 kB a token at 4 GB/s.
        assert_eq!(bandwidth_bound(&model, 4.0), Some(5000.0));
        assert_eq!(bandwidth_bound(&Model { read_bytes: 0, ..model }, 4.0), None);
    }

    #[test]
    fn software_is_called_software() {
        let mut record = fixture::record();
        let webgl = &mut record.series[0].engines[3];
        assert_eq!(adapter(webgl).unwrap(), "Example Rasterizer, software");
        webgl.adapter = Some(String::new());
        webgl.adapter_is_software = Some(false);
        assert_eq!(adapter(webgl).unwrap(), "not reported by the browser, hardware");
    }
}
