//! `tierproof bench`; the work is in [`crate::bench`].

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use inference_wasm::protocol::BackendName;

use super::machine::{self, Machine, Stage};
use super::workspace::Workspace;
use super::{Answer, BundleArgs, Failure, LaunchArgs, backend, browser, say};
use crate::bench::busy;
use crate::bench::engine::EngineName;
use crate::bench::floor::{self, Floors};
use crate::bench::record::{BenchRecord, FORMAT, Settings};
use crate::bench::{
    self, Method, Missing, Peers, Prepared, Prompts, Subject, Surroundings, html, table,
};
use crate::browser::LaunchProfile;
use crate::browser::supervise::Supervisor;
use crate::bundle::BundleChoice;
use crate::cell::BrowserName;
use crate::matrix::Timeouts;
use crate::models::{self, FetchProgress, Model};
use crate::run::exit::Exit;
use crate::server::{DEFAULT_SHARD_BYTES, ServedModel};

const AFTER_HELP: &str = "\
Method:
  All engines of a series are loaded, each in a browser (or process) of its own, and compute one at
  a time: those that wait are idle, which is checked. Each round gives every engine the same prompt
  as token ids and asks for the same number of tokens, greedily; the next round has another prompt
  and the reverse order (A B, B A, ...). One round first warms up and does not count. Times are the
  page's clock (performance.now) for every engine: prefill is the prompt over the time to the first
  token, decode the other tokens over the time from the first to the last. What an engine says of
  itself is kept in bench.json and decides nothing. Whatever is not named here is each engine's own
  default, the type of its key-value cache included.

  A ratio belongs to one round; the median over the rounds is told, with the exact interval between
  two order statistics that holds at 95% whatever the noise is like. It takes 6 pairs to have one
  (7 against a baseline). \"faster\" and \"slower\" mean that the whole interval is on one side of 1.

  More than 0.25 cores in use while the engines are idle is a busy machine, and refused.

Engines:
  tierproof         ours, in a browser        tierproof-native  our kernels, built natively
  wllama            llama.cpp as WebAssembly  llama.cpp         llama.cpp natively (Python)
  transformers-js   ONNX Runtime Web; models that have an export in fixtures/models/onnx
  The first one named is compared with each of the others. Peers are fetched from npm and PyPI by
  the user's own npm and pip, pinned by version and hash, into the cache.

Exit codes:
  0  measured          1  slower than a floor of --require     2  wrong arguments
  3  a floor that nothing was held against, or nothing measured     4  busy, or set-up trouble

Examples:
  tierproof bench --engine tierproof,wllama --model smollm2-135m --context 32,128,512
  tierproof bench --engine tierproof,wllama,llama.cpp --model smollm2-135m \\
                  --requantize Q8_0,Q4_0 --browser chrome,firefox,webkit --pairs 9
  tierproof bench --engine tierproof,transformers-js --model scribe-low-F16
  tierproof bench --engine tierproof,wllama --model smollm2-135m \\
                  --require wllama:decode=1.5,prefill=3
  tierproof bench --model smollm2-135m --baseline bench/0.1.0.json";

/// Arguments of `tierproof bench`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct BenchArgs {
    /// The engines; the first is compared with each of the others
    #[arg(long, value_name = "NAME", value_delimiter = ',', default_value = "tierproof,wllama")]
    engine: Vec<EngineName>,
    /// Names in the catalogue, or paths of GGUF files
    #[arg(
        long,
        value_name = "NAME|PATH",
        value_delimiter = ',',
        default_value = "scribe-low-Q8_0"
    )]
    model: Vec<String>,
    /// Measure each model at these weight types too, made from it
    #[arg(long, value_name = "TYPE", value_delimiter = ',', value_parser = clap::builder::PossibleValuesParser::new(bench::TARGETS))]
    requantize: Vec<String>,
    /// Browsers for the engines that need one, one after the other
    #[arg(long, value_delimiter = ',', value_parser = browser, default_value = "chrome")]
    browser: Vec<BrowserName>,
    /// Backend of our engine in a browser
    #[arg(long, value_parser = backend, default_value = "wasm")]
    backend: BackendName,
    /// Prompt lengths
    #[arg(long, value_name = "TOKENS", value_delimiter = ',', default_value = "128", value_parser = clap::value_parser!(u32).range(1..))]
    context: Vec<u32>,
    /// Tokens to generate in a run
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u32).range(2..))]
    tokens: u32,
    /// Rounds that count
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pairs: u32,
    /// Compare with an earlier bench.json, too
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Fail unless the median ratio reaches this, as in `wllama:decode=1.5,prefill=3`; may be
    /// repeated
    #[arg(long, value_name = "PEER:METRIC=RATIO")]
    require: Vec<Floors>,
    /// Measure although the machine is busy; the report says so
    #[arg(long)]
    allow_busy: bool,
    /// Where bench.json, index.html and logs go
    #[arg(long, value_name = "DIR", default_value = "report/bench")]
    out: PathBuf,
    /// Print bench.json to standard output instead of the table
    #[arg(long)]
    json: bool,
    /// Fetch what is missing without asking
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    bundle: BundleArgs,
    #[command(flatten)]
    launch: LaunchArgs,
}

pub(crate) fn run(workspace: &Workspace, args: &BenchArgs) -> Answer {
    let baseline = args.baseline.as_deref().map(BenchRecord::load).transpose();
    let baseline = baseline.map_err(|error| Failure::usage(miette::miette!("{error}")))?;
    check(args)?;
    let choice = args.bundle.choice(BundleChoice::default())?;
    let machine = Machine::look(workspace, &args.launch)?;
    let cache = models::cache_folder().map_err(Failure::setup)?;
    let bar = progress_bar();
    let mut step = |step: String| show(&bar, &step);
    let chosen = chosen_models(workspace, args, &cache, &mut step)?;

    let bundle = if args.engine.contains(&EngineName::Tierproof) {
        Some(machine::page_bundle(workspace, &args.launch, choice, None)?)
    } else {
        None
    };
    let peers =
        Peers { cache: cache.join("bench"), onnx: workspace.join("fixtures/models/onnx"), bundle };
    consent(args, &peers)?;
    let prepared = prepare(args, &peers, &bar)?;
    let eval = fs_err::read_to_string(workspace.join("fixtures/models/eval.jsonl"))
        .map_err(Failure::setup)?;

    fs_err::create_dir_all(&args.out).map_err(Failure::setup)?;
    let method = method(args, choice);
    let measured = machine::on_runtime(async {
        let stage = Stage::set(&machine, None, &args.out, &method.timeouts).await?;
        let measured = tokio::select! {
            measured = measure(args, &method, &stage, &prepared, &chosen, &peers, &eval, &bar) => {
                measured.map(Some)
            }
            () = machine::interrupted() => Ok(None),
        };
        stage.strike().await;
        measured
    });
    bar.finish_and_clear();
    let Some(record) = measured? else { return Ok(Exit::Interrupted) };
    tell(args, &record, baseline.as_ref())?;
    Ok(judge(&record, &args.require))
}

/// What clap can't see.
fn check(args: &BenchArgs) -> Result<(), Failure> {
    for (at, engine) in args.engine.iter().enumerate() {
        if args.engine[..at].contains(engine) {
            return Err(Failure::usage(miette::miette!("engine `{engine}` is there twice")));
        }
    }
    let peers = args.engine.get(1..).unwrap_or_default();
    for floors in &args.require {
        if !peers.iter().any(|peer| peer.as_str() == floors.peer) {
            return Err(Failure::usage(miette::miette!(
                help = "name it in `--engine`, after the first",
                "`--require {floors}`: `{}` is not measured",
                floors.peer
            )));
        }
    }
    if args.browser.contains(&BrowserName::Native) {
        return Err(Failure::usage(miette::miette!(
            help = "the native engines are `--engine tierproof-native` and `--engine llama.cpp`",
            "`native` is no browser"
        )));
    }
    Ok(())
}

fn method(args: &BenchArgs, bundle: BundleChoice) -> Method {
    let longest = args.context.iter().max().map_or(0, |context| u64::from(*context));
    // Slow peers work through 10 tokens a second on slow machines, or a little less.
    let prompt = Duration::from_secs(120 + longest);
    let timeouts = Timeouts {
        prefill: prompt,
        decode: Duration::from_secs(300 + u64::from(args.tokens)),
        // A page stays for a whole series; the phases have their own limits.
        attempt: Duration::from_hours(24),
        ..Timeouts::default()
    };
    Method {
        contexts: args.context.clone(),
        pairs: args.pairs,
        tokens: args.tokens,
        bundle,
        backend: args.backend,
        allow_busy: args.allow_busy,
        timeouts,
    }
}

/// A model, and what is not to be found in its file.
struct Chosen {
    /// The GGUF.
    file: PathBuf,
    name: String,
}

/// The models, each with what is made from it.
fn chosen_models(
    workspace: &Workspace,
    args: &BenchArgs,
    cache: &Path,
    progress: &mut dyn FnMut(String),
) -> Result<Vec<Chosen>, Failure> {
    let catalogue = workspace.catalogue()?;
    let mut chosen = Vec::new();
    for name in &args.model {
        let resolved = catalogue.resolve(name, cache);
        let Model { name, path, .. } =
            resolved.map_err(|error| Failure::usage(miette::miette!("{error}")))?;
        if !path.is_file() {
            return Err(Failure::setup(format!(
                "model `{name}` is not here\n  (hint: `tierproof models fetch {name}`)"
            )));
        }
        let made = if args.requantize.is_empty() {
            Vec::new()
        } else {
            let whole = ServedModel::read(&path, &name, u64::MAX).map_err(Failure::setup)?;
            let make = |target: &String| {
                let reference = workspace.join("fixtures/reference");
                let sha256 = &whole.manifest.sha256;
                bench::requantized(cache, &reference, &path, sha256, target, progress)
                    .map(|file| Chosen { file, name: format!("{name}-{target}") })
                    .map_err(Failure::setup)
            };
            args.requantize.iter().map(make).collect::<Result<_, _>>()?
        };
        chosen.push(Chosen { file: path, name });
        chosen.extend(made);
    }
    Ok(chosen)
}

/// Shows what would be fetched, and asks where it is large.
fn consent(args: &BenchArgs, peers: &Peers) -> Result<(), Failure> {
    let missing: Vec<_> = args.engine.iter().flat_map(|engine| peers.missing(*engine)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    for Missing { what, bytes, licence, registry } in &missing {
        anstream::eprintln!(
            "to fetch from {registry}: {what}, {:.1} MB, {licence}",
            megabytes(*bytes)
        );
    }
    let bytes: u64 = missing.iter().map(|missing| missing.bytes).sum();
    if args.yes || bytes <= bench::UNASKED_BYTES {
        return Ok(());
    }
    if !std::io::IsTerminal::is_terminal(&std::io::stdin()) {
        return Err(Failure::usage(miette::miette!(
            help = "pass `--yes`, or leave the engine out with `--engine`",
            "{:.1} MB would be fetched, and nobody can be asked",
            megabytes(bytes)
        )));
    }
    let asked = dialoguer::Confirm::new()
        .with_prompt(format!("fetch {:.1} MB into the cache?", megabytes(bytes)))
        .default(true)
        .interact()
        .map_err(Failure::setup)?;
    if asked { Ok(()) } else { Err(Failure::usage(miette::miette!("nothing was fetched"))) }
}

fn prepare(args: &BenchArgs, peers: &Peers, bar: &ProgressBar) -> Result<Vec<Prepared>, Failure> {
    let mut progress = |progress: FetchProgress| match progress {
        FetchProgress::Step(step) => show(bar, &step),
        FetchProgress::Bytes(bytes, total) => {
            bar.set_prefix(format!("{}%", bytes * 100 / total.max(1)));
        }
    };
    let prepare = |engine: &EngineName| {
        peers.prepare(*engine, &mut progress).map_err(|error| {
            Failure::setup(format!("engine `{engine}` can't be made ready: {error}"))
        })
    };
    let prepared = args.engine.iter().map(prepare).collect();
    bar.set_prefix("");
    prepared
}

#[expect(clippy::too_many_arguments, reason = "all that was prepared comes together here")]
async fn measure(
    args: &BenchArgs,
    method: &Method,
    stage: &Stage,
    prepared: &[Prepared],
    chosen: &[Chosen],
    peers: &Peers,
    eval: &str,
    bar: &ProgressBar,
) -> Result<BenchRecord, Failure> {
    let began = jiff::Zoned::now().to_string();
    show(bar, "looking whether the machine is quiet");
    let busy_cores = busy::look(busy::LONG_LOOK).await;
    busy::judge(busy_cores, args.allow_busy).map_err(Failure::setup)?;
    let was_busy = busy::judge(busy_cores, false).is_err();
    let supervisor = Supervisor::this_executable().map_err(Failure::setup)?;
    let logs = args.out.join("drivers");
    let surroundings = Surroundings { launcher: &stage.launcher, supervisor: &supervisor, logs };
    let needs_browser = args.engine.iter().any(|engine| engine.needs_browser());
    let profiles: Vec<Option<LaunchProfile>> = if needs_browser {
        let profile =
            |browser: &BrowserName| Some(LaunchProfile::new(*browser, args.launch.headed));
        args.browser.iter().map(profile).collect()
    } else {
        vec![None]
    };
    let mut series = Vec::new();
    for model in chosen {
        let read = |shard_bytes| {
            ServedModel::read(&model.file, &model.name, shard_bytes)
                .map(Arc::new)
                .map_err(Failure::setup)
        };
        let (sharded, whole) = (read(DEFAULT_SHARD_BYTES)?, read(u64::MAX)?);
        let onnx = bench::onnx_name(&peers.onnx, &model.name);
        for profile in &profiles {
            // The file's bytes are gone before memory is looked at.
            let prompts = {
                let gguf = fs_err::read(&model.file).map_err(Failure::setup)?;
                Prompts::of(&gguf, eval).map_err(Failure::setup)?
            };
            let subject = Subject {
                engines: prepared,
                profile: *profile,
                model: sharded.clone(),
                whole: whole.clone(),
                onnx: onnx.clone(),
            };
            let mut progress = |step: String| show(bar, &step);
            let measured = bench::series(&surroundings, method, &subject, prompts, &mut progress);
            series.push(measured.await.map_err(Failure::setup)?);
        }
    }
    Ok(BenchRecord {
        format: FORMAT,
        tierproof: env!("CARGO_PKG_VERSION").to_owned(),
        began,
        machine: bench::machine(busy_cores, was_busy).map_err(Failure::setup)?,
        settings: Settings {
            pairs: args.pairs,
            tokens: args.tokens,
            threads: method.bundle.threads,
            backend: args.backend.to_string(),
            allow_busy: args.allow_busy,
        },
        series,
    })
}

fn tell(
    args: &BenchArgs,
    record: &BenchRecord,
    baseline: Option<&BenchRecord>,
) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(record).map_err(Failure::setup)?;
    let path = args.out.join("bench.json");
    fs_err::write(&path, format!("{json}\n")).map_err(Failure::setup)?;
    let changes = baseline.map(|baseline| table::render_changes(record, baseline));
    let page = args.out.join("index.html");
    let html = html::render(record, changes.as_deref()).map_err(Failure::setup)?;
    fs_err::write(&page, html).map_err(Failure::setup)?;
    if args.json {
        say(format!("{json}\n"))?;
    } else {
        say(table::render(record))?;
        say(changes.unwrap_or_default())?;
    }
    anstream::eprintln!("\n{} has every sample, {} the charts", path.display(), page.display());
    Ok(())
}

fn judge(record: &BenchRecord, floors: &[Floors]) -> Exit {
    let held = floor::hold(record, floors);
    for line in held.missed.iter().chain(&held.unheld) {
        anstream::eprintln!("missed floor: {line}");
    }
    let engines = record.series.iter().flat_map(|series| &series.engines);
    let has_measured = engines.flat_map(|engine| &engine.samples).next().is_some();
    if !held.missed.is_empty() {
        Exit::Unexpected
    } else if !held.unheld.is_empty() || !has_measured {
        Exit::NothingRan
    } else {
        Exit::Expected
    }
}

fn progress_bar() -> ProgressBar {
    // Hidden by indicatif itself where standard error is no terminal.
    let style = ProgressStyle::with_template("{spinner} {msg} {prefix}");
    ProgressBar::new_spinner()
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
}

fn show(bar: &ProgressBar, step: &str) {
    if bar.is_hidden() {
        anstream::eprintln!("{step}");
    }
    bar.set_message(step.to_owned());
    bar.tick();
}
