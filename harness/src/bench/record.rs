//! `bench.json`: everything that was measured, and what it was measured on.
//!
//! The format is versioned by [`FORMAT`]. Fields may be added; one that changes its meaning raises
//! the version. Format 1, of releases that measured one backend in a run, is still read: there the
//! backend stood in the settings, here it is each engine's own and a part of its name. Comparisons
//! are computed from the samples and repeated here for readers that want no statistics of their
//! own.

use std::path::Path;

use inference_wasm::protocol::GpuTime;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::comparison::Comparison;
use super::engine::EngineName;

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
    /// What it ran on.
    pub machine: Machine,
    /// What was asked for.
    pub settings: Settings,
    /// What was measured, by browser and model.
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
    /// Cores that were busy before the first series, over [`super::busy::LONG_LOOK`].
    pub busy_cores: f64,
    /// Somebody else was at work and `--allow-busy` let it pass: the figures are worth little.
    pub was_busy: bool,
}

/// The arguments that decide what the figures mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Interleaved runs of each engine, the warm-up not counted.
    pub pairs: u32,
    /// Tokens that every run generates.
    pub tokens: u32,
    /// Threads that engines were told to use.
    pub threads: u32,
    /// Other numbers of threads that were measured beside, each a part of an engine's name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_threads: Vec<u32>,
    /// A busy machine was allowed.
    pub allow_busy: bool,
    /// Gigabytes (10⁹) a second that the GPU's memory can be read with, as the user told; nothing
    /// here has measured it.
    #[serde(default)]
    pub bandwidth_gb_s: Option<f64>,
}

/// One model in one browser (or natively): all engines side by side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// `chrome`, `firefox`, `webkit`, `safari`, or `native` where no engine needs a browser.
    pub browser: String,
    /// Version of the browser, as its driver tells it; empty natively.
    pub browser_version: String,
    /// The model.
    pub model: Model,
    /// Prompt lengths that did not fit, and why.
    pub left_out: Vec<String>,
    /// The engines, the subject first.
    pub engines: Vec<Engine>,
    /// The subject against each of the others.
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

/// What one engine did in a series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Engine {
    /// Its name on the command line, with the backend where there is a choice, and the threads where
    /// there are several numbers of them: `tierproof@webgpu`, `tierproof@wasm@2`.
    pub name: String,
    /// What it computes on.
    pub backend: String,
    /// The GPU's adapter or renderer, as the browser tells it; `None` on a CPU.
    #[serde(default)]
    pub adapter: Option<String>,
    /// That adapter computes on the CPU.
    #[serde(default)]
    pub adapter_is_software: Option<bool>,
    /// Its version, and that of what it stands on.
    pub version: String,
    /// Why it was not measured to the end; what came before is kept.
    pub unsupported: Option<String>,
    /// How it computed, in its own words: bundle, SIMD.
    pub build: String,
    /// Threads that did work, by its own count; what it was told where it doesn't count.
    pub effective_threads: u32,
    /// How long loading took.
    pub load: Load,
    /// What it needed.
    pub memory: Memory,
    /// Every run, the warm-up included.
    pub samples: Vec<Sample>,
}

/// How long loading took, from opening the page (or starting the process) to a model that can run.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Load {
    /// Milliseconds in a new profile: nothing was ever loaded or compiled.
    pub cold_ms: Option<f64>,
    /// Milliseconds in a page opened anew in the same browser; nothing is kept by HTTP.
    pub warm_ms: Option<f64>,
}

/// What an engine needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Memory {
    /// Bytes of the module's linear memory at the end, where the engine tells; it never shrinks.
    pub wasm_bytes: Option<u64>,
    /// Resident bytes of the whole process tree before the engine was loaded.
    pub rss_before_bytes: u64,
    /// The most that was seen after loading and after each run. Pages that processes share are
    /// counted for each of them.
    pub rss_most_bytes: u64,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Tokens of the prompt that was asked for.
    pub context: u32,
    /// 0 is the warm-up, which counts for nothing.
    pub round: u32,
    /// Prompt tokens that the engine says it worked through; none may come from a cache.
    pub prompt_tokens: u32,
    /// Tokens that it generated.
    pub new_tokens: u32,
    /// Milliseconds from the call to the first token, on the page's clock.
    pub first_token_ms: f64,
    /// Milliseconds from the first token to the last, on the page's clock.
    pub decode_ms: f64,
    /// What the engine itself reports for the prompt, in milliseconds.
    pub reported_prefill_ms: f64,
    /// What the engine itself reports for the other tokens, in milliseconds.
    pub reported_decode_ms: f64,
    /// Where the time after the first token went on a GPU, by the engine's own account; `None`
    /// where it tells none.
    #[serde(default)]
    pub decode_gpu: Option<GpuTime>,
    /// Dispatches or draws after the first token; 0 on a CPU.
    #[serde(default)]
    pub decode_dispatches: u64,
    /// Cores that were busy in the moment before, while all engines were idle.
    pub busy_cores: f64,
    /// Ids of the answer; empty where the engine tells only text.
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
    /// The numbers of threads, as they were asked for: `1 thread`, or `2, 1 threads`.
    pub fn threads_told(&self) -> String {
        let numbers = [&[self.threads], &self.other_threads[..]].concat();
        let word = if numbers == [1] { "thread" } else { "threads" };
        let numbers: Vec<_> = numbers.iter().map(u32::to_string).collect();
        format!("{} {word}", numbers.join(", "))
    }
}

impl Engine {
    /// It is ours, in a browser.
    pub fn is_ours(&self) -> bool {
        let (engine, _) = self.name.split_once('@').unwrap_or((&self.name, ""));
        engine == EngineName::Tierproof.as_str()
    }

    /// The runs with a prompt of `context` tokens that count.
    pub fn counted(&self, context: u32) -> impl Iterator<Item = &Sample> {
        self.samples.iter().filter(move |sample| sample.counts() && sample.context == context)
    }
}

impl Series {
    /// Prompt lengths that were measured, in order.
    pub fn contexts(&self) -> Vec<u32> {
        let samples = self.engines.iter().flat_map(|engine| &engine.samples);
        let mut contexts: Vec<u32> = samples.map(|sample| sample.context).collect();
        contexts.sort_unstable();
        contexts.dedup();
        contexts
    }
}

/// A `bench.json` that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// It can't be read or written; the message names it.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// It is no record of ours.
    #[error("`{path}`: expected a record of `tierproof bench` in format {FORMAT}: {message}")]
    Content {
        /// The file.
        path: String,
        /// What is wrong.
        message: String,
    },
}

impl BenchRecord {
    /// Reads a record.
    pub fn load(path: &Path) -> Result<Self, RecordError> {
        Self::parse(&fs_err::read_to_string(path)?, &path.display().to_string())
    }

    fn parse(text: &str, path: &str) -> Result<Self, RecordError> {
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let wrong = |message: String| RecordError::Content { path: path.to_owned(), message };
        let unreadable = |error: serde_json::Error| wrong(error.to_string());
        let head: Head = serde_json::from_str(text).map_err(unreadable)?;
        let mut record: Value = serde_json::from_str(text).map_err(unreadable)?;
        match head.format {
            FORMAT => {}
            1 => upgrade(&mut record),
            other => return Err(wrong(format!("found format {other}"))),
        }
        serde_json::from_value(record).map_err(unreadable)
    }
}

/// Makes format 2 of format 1: the one backend of the settings becomes that of each engine. What
/// is no such record stays as it is, to be refused for what it lacks.
fn upgrade(record: &mut Value) {
    let backend = record["settings"]["backend"].as_str().unwrap_or_default().to_owned();
    let full_name = |name: &str| match name.parse::<EngineName>() {
        Ok(engine) if engine.needs_browser() => format!("{engine}@{backend}"),
        Ok(_) | Err(_) => name.to_owned(),
    };
    if let Some(format) = record.get_mut("format") {
        *format = FORMAT.into();
    }
    for series in objects(record, "series") {
        for engine in objects(series, "engines") {
            let Some(engine) = engine.as_object_mut() else { continue };
            let Some(name) = engine.get("name").and_then(Value::as_str).map(full_name) else {
                continue;
            };
            let backend = if name.contains('@') { &backend } else { "cpu" };
            engine.insert("backend".to_owned(), backend.into());
            engine.insert("name".to_owned(), name.into());
        }
        for comparison in objects(series, "comparisons") {
            for side in ["subject", "peer"] {
                if let Some(name) = comparison.get_mut(side)
                    && let Some(full) = name.as_str().map(full_name)
                {
                    *name = full.into();
                }
            }
        }
    }
}

/// The elements of an array in an object; none where there is no such array.
fn objects<'v>(object: &'v mut Value, key: &str) -> impl Iterator<Item = &'v mut Value> {
    object.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_another_format_is_refused_by_its_number() {
        let error = BenchRecord::parse(r#"{"format":3,"anything":[]}"#, "b.json").unwrap_err();
        assert_eq!(
            error.to_string(),
            "`b.json`: expected a record of `tierproof bench` in format 2: found format 3"
        );
        for text in ["[]", "{}", r#"{"format":1}"#, r#"{"format":1,"series":[3]}"#, "[1]"] {
            assert!(BenchRecord::parse(text, "b.json").is_err(), "{text}");
        }
    }

    /// Releases are compared with their forerunners, whose records are never changed.
    #[test]
    fn a_record_of_the_first_format_names_backends_like_one_of_today() {
        let text = include_str!("../../../bench/0.1.0.json");
        assert!(text.contains("\"format\": 1"));
        let record = BenchRecord::parse(text, "0.1.0.json").unwrap();
        assert_eq!(record.format, FORMAT);
        let engines = &record.series[0].engines;
        let told: Vec<_> =
            engines.iter().map(|engine| (&engine.name[..], &engine.backend[..])).collect();
        assert_eq!(
            told,
            [("tierproof@wasm", "wasm"), ("wllama@wasm", "wasm"), ("llama.cpp", "cpu")]
        );
        let comparison = &record.series[0].comparisons[0];
        assert_eq!(
            (&comparison.subject[..], &comparison.peer[..]),
            ("tierproof@wasm", "wllama@wasm")
        );
    }
}
