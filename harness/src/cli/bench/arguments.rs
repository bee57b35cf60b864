//! The arguments of `tierproof bench`, checked before anything is measured.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use inference_wasm::protocol::BackendName;

use crate::bench::entry::{EngineWord, Entry, entries};
use crate::bench::floor::Floors;
use crate::bench::{self, Method};
use crate::cli::arguments::{GpuArgs, LaunchArgs, backend, browser};
use crate::cli::failure::Failure;
use crate::spec::bundle::BundleWord;
use crate::spec::bundle::{AUTO, BundleChoice, MOST_THREADS};
use crate::spec::cell::BrowserName;
use crate::spec::matrix::Timeouts;

const AFTER_HELP: &str = "\
Method:
  All engines of a series are loaded, each in a browser (or process) of its own, and compute one at
  a time. The others are idle, which is checked. Each round gives every engine the same prompt as
  token ids and asks for the same number of tokens, greedily; the next round uses another prompt and
  the reverse order (A B, B A, ...). The first round is a warm-up and does not count. Times are the
  page's clock (performance.now) for every engine: prefill is the prompt over the time to the first
  token, decode the other tokens over the time from the first to the last. An engine's own figures
  are recorded in bench.json and decide nothing. All other settings are each engine's defaults,
  including the type of its key-value cache.

  Each round gives a ratio. The report has the median over the rounds, with the exact interval
  between two order statistics that holds at 95% whatever the noise is like. An interval needs 6
  pairs (7 with a baseline). \"faster\" and \"slower\" mean that the whole interval is on one side
  of 1.

  A machine with more than 0.25 cores in use while the engines are idle is busy, and is refused.

Engines and their backends:
  tierproof         ours, in a browser                                    webgpu, webgl, wasm
  tierproof-native  our kernels, built natively
  wllama            llama.cpp as WebAssembly                              wasm
  llama.cpp         llama.cpp natively (Python)
  transformers-js   ONNX Runtime Web, f32 weights; models that have an
                    export in fixtures/models/onnx                        webgpu, wasm
  Each backend of `--backend` that an engine has is measured as a separate entry, and pairs compare
  backends as they compare engines. `tierproof@webgpu` names an engine with a backend of its own.
  With `--threads 2,1`, each number of threads is an entry of an engine on the CPU, such as
  `tierproof@wasm@2`. The first entry is compared with each of the others, and ours on another
  backend with the peers on that backend. The user's own npm and pip fetch peers into the cache,
  pinned by version and hash.

GPUs:
  The report names the adapter and says if it is software. The time of a token has parts: encode
  (assembling commands), gpu, readback, and the rest, by the engine's own account; dispatches are
  those of one token. `--bandwidth` states how fast the GPU's memory can be read. The report then has
  the tokens a second in percent of the rate that it allows if each token reads the weights once.

Floors:
  `--require [ENGINE/]PEER:METRIC=RATIO[,METRIC=RATIO]` compares the speed of ENGINE (default: the
  first one) with that of PEER, wherever both were measured. Each is a full name (`tierproof@webgl`,
  `tierproof@wasm@2`), a name (`wllama`: on all of its backends), or only a backend (`webgl`,
  `wasm@2`: our engine on it).

Exit codes:
  0  measured          1  slower than a floor of --require     2  wrong arguments
  3  no pair for a floor, or nothing measured     4  busy machine, or set-up trouble

Examples:
  tierproof bench --engine tierproof,wllama --model smollm2-135m --context 32,128,512
  tierproof bench --engine tierproof,wllama,llama.cpp --model smollm2-135m \\
                  --requantize Q8_0,Q4_0 --browser chrome,firefox,webkit --pairs 9
  tierproof bench --engine tierproof,transformers-js --model scribe-low-F16
  tierproof bench --backend webgpu,webgl,wasm --browser chrome,firefox
  tierproof bench --engine tierproof,transformers-js --backend webgpu,webgl --model scribe-low-F16 \\
                  --require webgl/webgpu:decode=0.6 --require webgpu/transformers-js:decode=3
  tierproof bench --backend webgpu,webgl --gpu hardware --model smollm2-135m --bandwidth 3350
  tierproof bench --engine tierproof,wllama --model smollm2-135m \\
                  --require wllama:decode=1.5,prefill=3
  tierproof bench --engine tierproof --model smollm2-135m --bundle threads --threads 2,1 \\
                  --require wasm@2/wasm@1:decode=1.6,prefill=1.6
  tierproof bench --model smollm2-135m --baseline bench/0.1.0.json";

/// Arguments of `tierproof bench`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(in crate::cli) struct BenchArgs {
    /// The engines; the first is compared with each of the others [default: tierproof, and wllama
    /// if `wasm` is among the backends]
    #[arg(long, value_name = "NAME[@BACKEND]", value_delimiter = ',')]
    pub(super) engine: Vec<EngineWord>,
    /// Names in the catalogue, or paths of GGUF files
    #[arg(
        long,
        value_name = "NAME|PATH",
        value_delimiter = ',',
        default_value = "scribe-low-Q8_0"
    )]
    pub(super) model: Vec<String>,
    /// Also measure each model converted to these weight types
    #[arg(long, value_name = "TYPE", value_delimiter = ',', value_parser = clap::builder::PossibleValuesParser::new(bench::TARGETS))]
    pub(super) requantize: Vec<String>,
    /// Browsers for the engines that need one, one after the other
    #[arg(long, value_delimiter = ',', value_parser = browser, default_value = "chrome")]
    pub(super) browser: Vec<BrowserName>,
    /// Backends of the engines in a browser
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = backend, default_value = "wasm")]
    pub(super) backend: Vec<BackendName>,
    /// Prompt lengths
    #[arg(long, value_name = "TOKENS", value_delimiter = ',', default_value = "128", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) context: Vec<u32>,
    /// Tokens to generate in a run
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u32).range(2..))]
    pub(super) tokens: u32,
    /// Rounds that count
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(super) pairs: u32,
    /// Also compare with an earlier bench.json
    #[arg(long, value_name = "FILE")]
    pub(super) baseline: Option<PathBuf>,
    /// Fail unless the median ratio reaches this, as in `wllama:decode=1.5,prefill=3` or
    /// `webgl/webgpu:decode=0.6`; repeatable
    #[arg(long, value_name = "[ENGINE/]PEER:METRIC=RATIO")]
    pub(super) require: Vec<Floors>,
    /// Bandwidth of the GPU's memory, to report the share that decoding uses
    #[arg(long, value_name = "GB/S", value_parser = bandwidth)]
    pub(super) bandwidth: Option<f64>,
    /// Measure on a busy machine, too; the report says so
    #[arg(long)]
    pub(super) allow_busy: bool,
    /// Folder for bench.json, index.html and logs
    #[arg(long, value_name = "DIR", default_value = "report/bench")]
    pub(super) out: PathBuf,
    /// Print bench.json to standard output instead of the table
    #[arg(long)]
    pub(super) json: bool,
    /// Fetch what is missing without asking
    #[arg(long)]
    pub(super) yes: bool,
    /// The only bundle that our page loads: scalar, base, relaxed or threads; with `auto`, each page
    /// loads the best that its browser runs
    #[arg(long, value_name = "NAME", default_value = AUTO)]
    pub(super) bundle: BundleWord,
    /// Threads to compute with, or several numbers to compare; more than one thread needs
    /// `--bundle threads`, or `auto` and a browser with threads
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1", value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_THREADS)))]
    pub(super) threads: Vec<u32>,
    #[command(flatten)]
    pub(super) gpu: GpuArgs,
    #[command(flatten)]
    pub(super) launch: LaunchArgs,
}

impl BenchArgs {
    /// The bundle of an entry without a number of threads of its own. It has the largest number, so
    /// that every bundle that a page needs is built.
    pub(super) fn choice(&self) -> Result<BundleChoice, Failure> {
        let most = self.threads.iter().max().copied().unwrap_or(1);
        BundleChoice::new(self.bundle.0, most).map_err(Failure::invalid)
    }
}

/// The entries, with the checks that clap can't do.
pub(super) fn check(args: &BenchArgs) -> Result<Vec<Entry>, Failure> {
    let entries = entries(&args.engine, &args.backend, &args.threads)
        .map_err(|error| Failure::usage(miette::miette!("{error}")))?;
    let names: Vec<_> = entries.iter().map(Entry::to_string).collect();
    for floors in &args.require {
        let others =
            if floors.subject.is_some() { &names[..] } else { names.get(1..).unwrap_or_default() };
        let missing = [(floors.subject.as_ref(), &names[..]), (Some(&floors.peer), others)]
            .into_iter()
            .find_map(|(side, names)| {
                side.filter(|side| !names.iter().any(|name| side.means(name)))
            });
        if let Some(side) = missing {
            let help = format!(
                "this run measures {}; name it in `--engine`, or its backend in `--backend`",
                names.join(", ")
            );
            return Err(Failure::usage(miette::miette!(
                help = help,
                "`--require {floors}`: `{side}` is not measured"
            )));
        }
    }
    if args.browser.contains(&BrowserName::Native) {
        return Err(Failure::usage(miette::miette!(
            help = "the native engines are `--engine tierproof-native` and `--engine llama.cpp`",
            "`native` is not a browser"
        )));
    }
    Ok(entries)
}

pub(super) fn method(args: &BenchArgs, bundle: BundleChoice) -> Method {
    let longest = args.context.iter().max().map_or(0, |context| u64::from(*context));
    // Slow peers process 10 tokens a second or fewer on slow machines.
    let prompt = Duration::from_secs(120 + longest);
    let timeouts = Timeouts {
        prefill: prompt,
        decode: Duration::from_secs(300 + u64::from(args.tokens)),
        // A page lasts for a whole series; the phases have their own limits.
        attempt: Duration::from_hours(24),
        ..Timeouts::default()
    };
    Method {
        contexts: args.context.clone(),
        pairs: args.pairs,
        tokens: args.tokens,
        bundle,
        allow_busy: args.allow_busy,
        timeouts,
    }
}

/// Parses a bandwidth for clap.
fn bandwidth(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(gb_s) if gb_s.is_finite() && gb_s > 0.0 => Ok(gb_s),
        _ => Err(format!("expected gigabytes a second above 0, found `{text}`")),
    }
}
