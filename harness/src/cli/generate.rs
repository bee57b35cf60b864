//! `tierproof generate`.

use std::io::Read;
use std::path::PathBuf;

use clap::Args;
use inference_wasm::protocol::{BackendName, Loaded, Sampling, SeededFault};

use super::machine::{self, Machine, Stage};
use super::workspace::Workspace;
use super::{Answer, BundleArgs, Failure, GpuArgs, LaunchArgs, backend, browser, fault, say};
use crate::drive::browser::Browser;
use crate::drive::page::{BrowserPage, NativePage, Page};
use crate::drive::server::EngineThread;
use crate::drive::server::{DEFAULT_SHARD_BYTES, PageSetup, ServedModel};
use crate::fetch::models;
use crate::judge::outcome::{Failed, Outcome};
use crate::run::exit::Exit;
use crate::run::generate::{Generation, PromptLine, Settings, read_prompts};
use crate::run::probe;
use crate::spec::bundle::BundleChoice;
use crate::spec::cell::BrowserName;
use crate::spec::matrix::Timeouts;

/// Arguments of `tierproof generate`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("input").required(true))]
pub(crate) struct GenerateArgs {
    /// chrome, firefox, webkit, safari, or native for the engine's native build
    #[arg(long, value_parser = browser)]
    browser: BrowserName,
    /// webgpu, webgl, wasm; natively cpu or reference
    /// [default: wasm in a browser, cpu natively]
    #[arg(long, value_parser = backend)]
    backend: Option<BackendName>,
    /// A model's name in the catalogue, or the path of a GGUF file
    #[arg(long, value_name = "NAME|PATH")]
    model: String,
    /// One user message
    #[arg(long, group = "input")]
    prompt: Option<String>,
    /// A file with a JSON object a line: `{"prompt": …}` or `{"messages": […]}` or `{"prompt_ids": […]}`,
    /// with an `id` and `max_tokens` of its own if wanted; `-` reads standard input
    #[arg(long, value_name = "FILE.jsonl", group = "input")]
    prompts: Option<PathBuf>,
    /// The most tokens to generate
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    max_tokens: u32,
    /// A JSON object a prompt: `prompt_ids`, `generated_ids`, `text`, `finish_reason`, `timings`,
    /// `proof`
    #[arg(long)]
    json: bool,
    /// The logits of every step too, as rows over the vocabulary (with --json)
    #[arg(long, requires = "json")]
    logits: bool,
    /// Take the prompt as it is, without the model's chat template
    #[arg(long)]
    raw: bool,
    /// A system message before each prompt
    #[arg(long, value_name = "TEXT", conflicts_with = "raw")]
    system: Option<String>,
    /// Stop at this text; may be repeated
    #[arg(long, value_name = "TEXT")]
    stop: Vec<String>,
    /// Sample with this temperature instead of taking the best token
    #[arg(long, value_name = "T")]
    temperature: Option<f32>,
    /// Sample among the K most probable tokens; 0 is all
    #[arg(long, value_name = "K", default_value_t = 0, requires = "temperature")]
    top_k: u32,
    /// Sample among the most probable tokens that reach this sum
    #[arg(long, value_name = "P", default_value_t = 1.0, requires = "temperature")]
    top_p: f32,
    /// Sample among tokens at least this probable, relative to the best
    #[arg(long, value_name = "P", default_value_t = 0.0, requires = "temperature")]
    min_p: f32,
    /// Seed of the sampling
    #[arg(long, default_value_t = 0, requires = "temperature")]
    seed: u64,
    /// Positions of the key-value cache [default: the model's context]
    #[arg(long, value_name = "TOKENS")]
    context: Option<u32>,
    #[command(flatten)]
    bundle: BundleArgs,
    #[command(flatten)]
    gpu: GpuArgs,
    #[command(flatten)]
    launch: LaunchArgs,
    /// Build a known defect into the engine
    #[arg(long, value_name = "FAULT", value_parser = fault, hide = true)]
    seeded_fault: Option<SeededFault>,
}

impl GenerateArgs {
    fn backend(&self) -> BackendName {
        self.backend.unwrap_or(match self.browser {
            BrowserName::Native => BackendName::Cpu,
            BrowserName::Chrome
            | BrowserName::Firefox
            | BrowserName::Webkit
            | BrowserName::Safari => BackendName::Wasm,
        })
    }

    fn settings(&self, bundle: BundleChoice) -> Settings {
        let sampling = self.temperature.map_or(Sampling::Greedy, |temperature| Sampling::Seeded {
            seed: self.seed,
            temperature,
            top_k: self.top_k,
            top_p: self.top_p,
            min_p: self.min_p,
        });
        Settings {
            backend: self.backend(),
            max_tokens: self.max_tokens,
            sampling,
            stop: self.stop.clone(),
            is_raw: self.raw,
            system: self.system.clone(),
            wants_logits: self.logits,
            context_tokens: self.context,
            timeouts: Timeouts::default(),
            fault: self.seeded_fault,
            bundle,
        }
    }

    fn prompts(&self) -> Result<Vec<PromptLine>, Failure> {
        if let Some(text) = &self.prompt {
            let prompt = Some(text.clone());
            return Ok(vec![PromptLine { prompt, ..PromptLine::default() }]);
        }
        let path = self.prompts.clone().unwrap_or_default();
        let text = if path.as_os_str() == "-" {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map(|_| text)
        } else {
            fs_err::read_to_string(&path)
        };
        let text = text.map_err(|error| Failure::usage(miette::miette!("{error}")))?;
        read_prompts(&path.display().to_string(), &text).map_err(|errors| {
            let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
            Failure::usage(miette::miette!("{}", lines.join("\n")))
        })
    }
}

pub(crate) fn run(workspace: &Workspace, args: &GenerateArgs) -> Answer {
    let prompts = args.prompts()?;
    let choice = args.bundle.choice(BundleChoice::default())?;
    let machine = Machine::look(workspace, &args.launch)?;
    let model = workspace
        .catalogue()?
        .resolve(&args.model, &models::cache_folder().map_err(Failure::setup)?)
        .map_err(|error| Failure::usage(miette::miette!("{error}")))?;
    let served =
        ServedModel::read(&model.path, &model.name, DEFAULT_SHARD_BYTES).map_err(Failure::setup)?;
    let is_native = args.browser == BrowserName::Native;
    let bundle = if is_native {
        None
    } else {
        Some(machine::page_bundle(workspace, &args.launch, choice, args.seeded_fault.is_some())?)
    };
    let scratch = tempfile::tempdir().map_err(Failure::setup)?;
    machine::on_runtime(async {
        let stage = Stage::set(&machine, bundle, scratch.path(), &Timeouts::default()).await?;
        let work = async {
            if is_native {
                let page = NativePage::open(PageSetup::default()).map_err(Failure::setup)?;
                return until_interrupted(converse(page, served, (args, choice), &prompts)).await;
            }
            let profile = args.gpu.profile(args.browser, &args.launch);
            let launched = tokio::select! {
                launched = stage.launcher.launch(profile) => launched,
                () = machine::interrupted() => return Ok(Exit::Interrupted),
            };
            let browser = launched.map_err(Failure::setup)?;
            let answer = until_interrupted(async {
                let thread = thread_of(&stage, &browser, args.backend(), choice).await?;
                let page = open(&stage, &browser, choice, thread).await?;
                converse(page, served, (args, choice), &prompts).await
            })
            .await;
            if let Err(trouble) = browser.close().await {
                tracing::info!("a browser was not closed in order: {trouble}");
            }
            answer
        };
        let answer = tokio::select! {
            answer = work => answer,
            () = machine::interrupted_twice() => Ok(Exit::Interrupted),
        };
        stage.strike().await;
        answer
    })
}

async fn open<'b>(
    stage: &Stage,
    browser: &'b Browser,
    choice: BundleChoice,
    thread: EngineThread,
) -> Result<BrowserPage<'b>, Failure> {
    let handle = stage.server.open(PageSetup::default()).map_err(Failure::setup)?;
    let handle = handle.choosing(choice, thread);
    BrowserPage::open(browser, handle).await.map_err(Failure::setup)
}

/// Where the engine is to run. Only WebGL2 is not to be had everywhere, so that only for it the
/// browser is asked first.
async fn thread_of(
    stage: &Stage,
    browser: &Browser,
    backend: BackendName,
    choice: BundleChoice,
) -> Result<EngineThread, Failure> {
    if backend != BackendName::Webgl {
        return Ok(EngineThread::Worker);
    }
    let mut page = open(stage, browser, choice, EngineThread::Worker).await?;
    let report = probe(&mut page, Timeouts::default()).await;
    let report = report.map_err(|outcome| failed(&outcome))?;
    page.close().await.map_err(Failure::setup)?;
    Ok(EngineThread::of(backend, Some(&report)))
}

/// The user may stop a conversation at any time; the browser is closed in order then.
async fn until_interrupted(answer: impl Future<Output = Answer>) -> Answer {
    tokio::select! {
        answer = answer => answer,
        () = machine::interrupted() => Ok(Exit::Interrupted),
    }
}

async fn converse(
    mut page: impl Page,
    served: ServedModel,
    (args, choice): (&GenerateArgs, BundleChoice),
    prompts: &[PromptLine],
) -> Answer {
    let failed = |outcome: Failed| failed(&outcome);
    let manifest = served.manifest.clone();
    page.serve(PageSetup { model: Some(served.into()), fault: None });
    let mut progress = |phase: String| tracing::info!("{phase}");
    let (mut generation, loaded) =
        Generation::load(&mut page, manifest, args.settings(choice), &mut progress)
            .await
            .map_err(failed)?;
    tracing::info!(
        "loaded {} in {:.0} ms",
        loaded.architecture,
        loaded.fetch_ms + loaded.prepare_ms
    );
    if let Some(line) = memory_line(&loaded).filter(|_| !args.json) {
        anstream::eprintln!("{line}");
    }
    let mut exit = Exit::Expected;
    for prompt in prompts {
        let mut streamed = Ok(());
        let mut on_text = |text: &str| {
            if !args.json && streamed.is_ok() {
                streamed = say(text);
            }
        };
        let answer = generation.answer(prompt, &mut on_text).await.map_err(failed)?;
        streamed?;
        if args.json {
            say(format!("{}\n", serde_json::json!(answer)))?;
        } else {
            say("\n")?;
            summarize(&answer.timings);
        }
        if !answer.is_proven() {
            anstream::eprintln!("no tier proof: {}", answer.proof);
            exit = Exit::Unexpected;
        }
    }
    if let Err(trouble) = page.close().await {
        tracing::info!("a page could not be closed: {trouble}");
    }
    Ok(exit)
}

fn failed(outcome: &Outcome) -> Failure {
    let report = miette::miette!("{}", outcome.message());
    Failure { exit: exit_of(outcome), report }
}

/// How the command ends for a prompt that got no answer.
fn exit_of(outcome: &Outcome) -> Exit {
    match outcome {
        // What was asked for can't be had: another model, prompt or backend is needed.
        Outcome::EngineError { .. } => Exit::Usage,
        outcome if outcome.is_infrastructure() => Exit::Setup,
        _ => Exit::Unexpected,
    }
}

/// Speeds, to standard error, so that standard output holds the text alone.
fn summarize(timings: &serde_json::Value) {
    let rate = |key: &str| timings.get(key).and_then(serde_json::Value::as_f64);
    if let (Some(prefill), Some(decode)) =
        (rate("prefill_tokens_per_second"), rate("decode_tokens_per_second"))
    {
        anstream::eprintln!("prefill {prefill:.1} tokens/s, decode {decode:.1} tokens/s");
    }
}

/// What the model takes in a page, and how that compares to its file; `None` natively, where
/// memory is not the engine's alone.
fn memory_line(loaded: &Loaded) -> Option<String> {
    let memory = loaded.memory_bytes?;
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    let ratio = memory.saturating_sub(loaded.cache_bytes) as f64 / loaded.file_bytes.max(1) as f64;
    Some(format!(
        "file {:.1} MB, memory {:.1} MB, of it cache {:.1} MB; without the cache {ratio:.2} x the file",
        megabytes(loaded.file_bytes),
        megabytes(memory),
        megabytes(loaded.cache_bytes),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_told_beside_the_file() {
        let mut loaded: Loaded = serde_json::from_value(serde_json::json!({
            "architecture": "llama", "parameters": 1, "vocabulary": 1, "context_tokens": 1,
            "weight_bytes": 100_000_000, "cache_bytes": 20_000_000, "file_bytes": 100_000_000,
            "memory_bytes": 130_000_000, "has_chat_template": true, "fetch_ms": 0.0,
            "prepare_ms": 0.0,
        }))
        .unwrap();
        assert_eq!(
            memory_line(&loaded).unwrap(),
            "file 100.0 MB, memory 130.0 MB, of it cache 20.0 MB; without the cache 1.10 x the file"
        );
        loaded.memory_bytes = None;
        assert_eq!(memory_line(&loaded), None);
    }
}
