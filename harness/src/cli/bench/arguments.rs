//! The arguments of `tierproof bench`, and checks that need nothing else.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use inference_wasm::protocol::BackendName;

use crate::bench::floor::Floors;
use crate::bench::lineup::{EngineWord, Entrant, line_up};
use crate::bench::{self, Method};
use crate::cli::arguments::{GpuArgs, LaunchArgs, backend, browser};
use crate::cli::failure::Failure;
use crate::spec::bundle::BundleWord;
use crate::spec::bundle::{AUTO, BundleChoice, MOST_THREADS};
use crate::spec::cell::BrowserName;
use crate::spec::matrix::Timeouts;

const AFTER_HELP: &str = "\
Method:
  All engines of a series are loaded, each in its own browser or process, and compute one at a time;
  bench checks that the waiting ones are idle. In each round every engine gets the same prompt as
  token ids and generates the same number of tokens greedily; the next round has another prompt and
  the reverse order (A B, B A, ...). A warm-up round is not counted. Times come from the page's clock
  (performance.now) for every engine: prefill is the prompt over the time to the first token, decode
  the other tokens over the time from the first to the last. Figures that an engine reports itself
  are kept in bench.json but not used. All other settings are each engine's defaults, including the
  type of its key-value cache.

  Each round gives a ratio. The report has their median, with the exact interval between two order
  statistics that holds at 95% for any noise. An interval needs 6 pairs (7 against a baseline).
  \"faster\" and \"slower\" mean that the whole interval is on one side of 1.

  If more than 0.25 cores are in use while the engines are idle, the machine is busy, and bench fails.

Engines, and what each computes on:
  tierproof         ours, in a browser                                    webgpu, webgl, wasm
  tierproof-native  our kernels, built natively
  wllama            llama.cpp as WebAssembly                              wasm
  llama.cpp         llama.cpp natively (Python)
  transformers-js   ONNX Runtime Web, f32 weights; models that have an
                    export in fixtures/models/onnx                        webgpu, wasm
  Each backend of `--backend` that an engine supports is measured as a separate entry;
  `tierproof@webgpu` names an entry. With `--threads 2,1` an engine on the CPU has an entry for each
  number, as in `tierproof@wasm@2`. The first entry is compared with each of the others, and our
  entries on further backends with the peers on the same backend. The user's own npm and pip fetch
  peers into the cache, pinned by version and hash.

GPUs:
  Adapters are named, and software is marked. The time of a token has parts, as the engine reports
  them: encode (building commands), gpu, readback, and the rest; dispatches are those of one token.
  `--bandwidth` is the read bandwidth of the GPU's memory: with it, the rate of decoding is also given
  as a percentage of the rate at which each token reads the weights once.

Floors:
  `--require [ENGINE/]PEER:METRIC=RATIO[,METRIC=RATIO]` requires a speed of ENGINE (default: the first
  entry) relative to PEER, wherever both were measured. Each is a full name
  (`tierproof@webgl`, `tierproof@wasm@2`), a name (`wllama`: on all of its backends), or a backend
  alone (`webgl`, `wasm@2`: ours).

Exit codes:
  0  measured          1  slower than a floor of --require     2  wrong arguments
  3  a floor without a measurement, or nothing measured     4  busy, or set-up trouble

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
    /// Also measure each model requantized to these weight types
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
    /// Measure even if the machine is busy; the report notes it
    #[arg(long)]
    pub(super) allow_busy: bool,
    /// The folder of bench.json, index.html and logs
    #[arg(long, value_name = "DIR", default_value = "report/bench")]
    pub(super) out: PathBuf,
    /// Print bench.json to standard output instead of the table
    #[arg(long)]
    pub(super) json: bool,
    /// Fetch what is missing without asking
    #[arg(long)]
    pub(super) yes: bool,
    /// The only bundle that our page loads: scalar, base, relaxed or threads; with `auto` it takes the
    /// best that its browser runs
    #[arg(long, value_name = "NAME", default_value = AUTO)]
    pub(super) bundle: BundleWord,
    /// Threads to compute with, or several numbers to compare; more than one needs
    /// `--bundle threads`, or `auto` and a browser with threads
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1", value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_THREADS)))]
    pub(super) threads: Vec<u32>,
    #[command(flatten)]
    pub(super) gpu: GpuArgs,
    #[command(flatten)]
    pub(super) launch: LaunchArgs,
}

impl BenchArgs {
    /// The bundle with the most threads, which includes all bundles that any page needs.
    pub(super) fn choice(&self) -> Result<BundleChoice, Failure> {
        let most = self.threads.iter().max().copied().unwrap_or(1);
        BundleChoice::new(self.bundle.0, most).map_err(Failure::invalid)
    }
}

/// Checks that clap can't make.
pub(super) fn check(args: &BenchArgs) -> Result<Vec<Entrant>, Failure> {
    let entrants = line_up(&args.engine, &args.backend, &args.threads).map_err(Failure::invalid)?;
    let names: Vec<_> = entrants.iter().map(Entrant::to_string).collect();
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
                "the entries are {}; name the engine in `--engine`, or its backend in `--backend`",
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
    Ok(entrants)
}

pub(super) fn method(args: &BenchArgs, bundle: BundleChoice) -> Method {
    let longest = args.context.iter().max().map_or(0, |context| u64::from(*context));
    // Slow peers process 10 tokens a second on slow machines, or slightly less.
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
