//! `bench.json`: all measurements of a run, and the machine they were made on.
//!
//! [`FORMAT`] is the version. Fields may be added; a field that changes its meaning raises it. In
//! format 1, which is still read, the settings had the one backend of a run; now each engine has its
//! own, as a part of its name. Comparisons are computed from the samples, and stored for readers
//! without statistics of their own.

use std::collections::BTreeSet;

use inference_wasm::protocol::GpuTime;
use serde::{Deserialize, Serialize};

use super::statistics::Estimate;
use crate::engines;

/// The version of `bench.json` that is written; this and format 1 are read.
pub const FORMAT: u32 = 2;

/// One run of `tierproof bench`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BenchRecord {
    /// [`FORMAT`] of the writer.
    pub format: u32,
    /// Version of tierproof.
    pub tierproof: String,
    /// When it began, with the time zone.
    pub began: String,
    /// The machine.
    pub machine: Machine,
    /// The arguments.
    pub settings: Settings,
    /// The measurements, by browser and model.
    pub series: Vec<Series>,
}

/// The machine, and how quiet it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Name of the processor.
    pub cpu: String,
    /// Logical cores.
    pub cores: u32,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Name and version of the system.
    pub system: String,
    /// Average number of runnable processes over the last minute, before the first series.
    pub load_average: f64,
    /// Cores that were busy before the first series, over [`super::quiet::LONG_LOOK`].
    pub busy_cores: f64,
    /// The machine was busy and `--allow-busy` was given: don't trust the figures.
    pub was_busy: bool,
}

/// The arguments that decide what the figures mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Interleaved runs of each engine, the warm-up not counted.
    pub pairs: u32,
    /// Tokens that every run generates.
    pub tokens: u32,
    /// Threads that engines were asked to use.
    pub threads: u32,
    /// The other numbers of threads that were measured, each a part of an engine's name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_threads: Vec<u32>,
    /// A busy machine was allowed.
    pub allow_busy: bool,
    /// Bandwidth of the GPU's memory in gigabytes (10⁹) a second, as the user stated it; it is never
    /// measured.
    #[serde(default)]
    pub bandwidth_gb_s: Option<f64>,
}

/// One model in one browser (or natively): all engines side by side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// `chrome`, `firefox`, `webkit`, `safari`, or `native` where no engine needs a browser.
    pub browser: String,
    /// Version of the browser, as its driver reports it; empty natively.
    pub browser_version: String,
    /// The model.
    pub model: Model,
    /// Prompt lengths that did not fit, and why.
    pub left_out: Vec<String>,
    /// The engines, the subject first.
    pub engines: Vec<Engine>,
    /// Comparisons of the subject with the others.
    pub comparisons: Vec<Comparison>,
}

/// A model file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    /// Name in the catalogue, or the file's stem.
    pub name: String,
    /// Bytes of the GGUF.
    pub bytes: u64,
    /// SHA-256 of the GGUF, in hex.
    pub sha256: String,
    /// Bytes of weights that each token has to read, as they are stored: all of them, less the
    /// token embeddings where the output has a matrix of its own. The key-value cache is not in it.
    /// 0 in records of format 1.
    #[serde(default)]
    pub read_bytes: u64,
}

/// The measurements of one engine in a series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Engine {
    /// Its name on the command line, with the backend in a browser, and with the threads where
    /// several numbers were measured: `tierproof@webgpu`, `tierproof@wasm@2`.
    pub name: String,
    /// The backend.
    pub backend: String,
    /// The GPU's adapter or renderer, as the browser reports it; `None` on a CPU.
    #[serde(default)]
    pub adapter: Option<String>,
    /// That adapter computes on the CPU.
    #[serde(default)]
    pub adapter_is_software: Option<bool>,
    /// Its version.
    pub version: String,
    /// Why it was not measured to the end; earlier samples are kept.
    pub unsupported: Option<String>,
    /// How it computed, as it reports it: bundle, SIMD.
    pub build: String,
    /// Threads that worked, by its own count; the requested number if it does not count.
    pub effective_threads: u32,
    /// How long loading took.
    pub load: Load,
    /// Memory that it needed.
    pub memory: Memory,
    /// Every run, the warm-up included.
    pub samples: Vec<Sample>,
}

/// How long loading took, from opening the page (or starting the process) to a model that can run.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Load {
    /// Milliseconds in a new profile, in which nothing was loaded or compiled before.
    pub cold_ms: Option<f64>,
    /// Milliseconds in a second page of the same browser; HTTP caches nothing.
    pub warm_ms: Option<f64>,
}

/// Memory that an engine needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Memory {
    /// Bytes of the module's linear memory at the end, if the engine reports it; it never shrinks.
    pub wasm_bytes: Option<u64>,
    /// Resident bytes of the whole process tree before the engine was loaded.
    pub rss_before_bytes: u64,
    /// The maximum after each run. Pages that processes share count for each of them.
    pub rss_most_bytes: u64,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Tokens of the prompt that was asked for.
    pub context: u32,
    /// 0 is the warm-up, which counts for nothing.
    pub round: u32,
    /// Prompt tokens that the engine reports it processed; none may come from a cache.
    pub prompt_tokens: u32,
    /// Tokens that it generated.
    pub new_tokens: u32,
    /// Milliseconds from the call to the first token, on the page's clock.
    pub first_token_ms: f64,
    /// Milliseconds from the first token to the last, on the page's clock.
    pub decode_ms: f64,
    /// The engine's own time for the prompt, in milliseconds.
    pub reported_prefill_ms: f64,
    /// The engine's own time for the other tokens, in milliseconds.
    pub reported_decode_ms: f64,
    /// The parts of the time after the first token on a GPU, by the engine's own account; `None` if
    /// it has none.
    #[serde(default)]
    pub decode_gpu: Option<GpuTime>,
    /// Dispatches or draws after the first token; 0 on a CPU.
    #[serde(default)]
    pub decode_dispatches: u64,
    /// Cores that were busy just before, while all engines were idle.
    pub busy_cores: f64,
    /// Ids of the answer; empty if the engine reports only text.
    pub ids: Vec<u32>,
    /// Text of the answer.
    pub text: String,
}

impl Sample {
    /// It is not the warm-up.
    pub fn counts(&self) -> bool {
        self.round > 0
    }

    /// Prompt tokens a second, over the time to the first token.
    pub fn prefill_rate(&self) -> Option<f64> {
        rate(self.prompt_tokens, self.first_token_ms)
    }

    /// Generated tokens a second after the first one.
    pub fn decode_rate(&self) -> Option<f64> {
        rate(self.new_tokens.saturating_sub(1), self.decode_ms)
    }
}

fn rate(tokens: u32, ms: f64) -> Option<f64> {
    (tokens > 0 && ms > 0.0).then(|| f64::from(tokens) * 1000.0 / ms)
}

impl Settings {
    /// The requested numbers of threads: `1 thread`, or `2, 1 threads`.
    pub fn threads_text(&self) -> String {
        let numbers = [&[self.threads], &self.other_threads[..]].concat();
        let word = if numbers == [1] { "thread" } else { "threads" };
        let numbers: Vec<_> = numbers.iter().map(u32::to_string).collect();
        format!("{} {word}", numbers.join(", "))
    }
}

impl Engine {
    /// It is our engine, in a browser.
    pub fn is_ours(&self) -> bool {
        let (engine, _) = self.name.split_once('@').unwrap_or((&self.name, ""));
        engine == engines::TIERPROOF.name
    }

    /// The runs that count with a prompt of `context` tokens.
    pub fn counted(&self, context: u32) -> impl Iterator<Item = &Sample> {
        self.samples.iter().filter(move |sample| sample.counts() && sample.context == context)
    }
}

impl Series {
    /// Prompt lengths that were measured, in order.
    pub fn contexts(&self) -> Vec<u32> {
        contexts(&self.engines)
    }
}

/// Prompt lengths that engines were measured with, in order.
pub(super) fn contexts(engines: &[Engine]) -> Vec<u32> {
    let samples = engines.iter().flat_map(|engine| &engine.samples);
    samples.map(|sample| sample.context).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The speed that is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// Prompt tokens a second, over the time to the first token.
    Prefill,
    /// Generated tokens a second after the first.
    Decode,
}

impl Metric {
    /// Every metric.
    pub const ALL: [Self; 2] = [Self::Prefill, Self::Decode];

    /// The name on the command line and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prefill => "prefill",
            Self::Decode => "decode",
        }
    }

    /// The rate of a sample, in tokens a second.
    pub fn of(self, sample: &Sample) -> Option<f64> {
        match self {
            Self::Prefill => sample.prefill_rate(),
            Self::Decode => sample.decode_rate(),
        }
    }

    /// The rates of an engine's counted samples.
    pub fn rates(self, engine: &Engine, context: u32) -> Vec<f64> {
        engine.counted(context).filter_map(|sample| self.of(sample)).collect()
    }
}

/// The subject compared with one other engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The engine whose speed is the numerator.
    pub subject: String,
    /// The other engine.
    pub peer: String,
    /// Tokens of the prompt.
    pub context: u32,
    /// The speed that is compared.
    pub metric: Metric,
    /// The subject's rate over the peer's, for each pair in order of time.
    pub ratios: Vec<f64>,
    /// Their median.
    pub estimate: Estimate,
}
