//! One series: every engine loaded, then round after round through all of them.
//!
//! An engine that can't go on is left out with its reason, and the others go on. What the figures
//! come to is decided elsewhere.

use std::sync::Arc;

use inference_wasm::protocol::adapter::is_software;
use inference_wasm::protocol::{
    Action, BackendName, CacheType, ExecutionReport, Finished, GenerateRequest, Generated,
    LoadRequest, Loaded, LogitsWanted, ModelManifest, Prompt, Sampling, SimdLevel,
};

use super::busy;
use super::comparison::comparisons;
use super::engine::{EngineName, EnginePage};
use super::host::{Host, Prepared, Surroundings};
use super::lineup::Entrant;
use super::prompt::{BenchPrompt, Prompts};
use super::record::{Engine, Load, Memory, Model, Sample, Series};
use super::schedule::order;
use super::stopwatch::{Face, Stopwatch};
use crate::drive::page::Page;
use crate::drive::server::EngineThread;
use crate::drive::server::ServedModel;
use crate::judge::proof;
use crate::run::Conversation;
use crate::spec::bundle::BundleChoice;
use crate::spec::launch::LaunchProfile;
use crate::spec::matrix::Timeouts;

/// What is measured, in every series alike.
#[derive(Debug, Clone)]
pub struct Method {
    /// Prompt lengths, in tokens.
    pub contexts: Vec<u32>,
    /// Rounds that count.
    pub pairs: u32,
    /// Tokens to generate.
    pub tokens: u32,
    /// The bundle that our page loads, and the threads of every engine that has no number of its own.
    pub bundle: BundleChoice,
    /// A busy machine is put up with.
    pub allow_busy: bool,
    /// Deadlines of phases.
    pub timeouts: Timeouts,
}

impl Method {
    /// What a page of this engine loads.
    fn choice(&self, entrant: Entrant) -> BundleChoice {
        BundleChoice { threads: entrant.threads.unwrap_or(self.bundle.threads), ..self.bundle }
    }
}

/// What a series is about.
#[derive(Debug)]
pub struct Subject<'s> {
    /// The engines, the one that the others are compared with first.
    pub engines: &'s [Prepared],
    /// The browser; `None` where no engine needs one.
    pub profile: Option<LaunchProfile>,
    /// The model, in the shards that our own page gets.
    pub model: Arc<ServedModel>,
    /// The same in one piece, for peers.
    pub whole: Arc<ServedModel>,
    /// Name of its ONNX export, if it has one.
    pub onnx: Option<String>,
    /// Bytes of its weights that each token has to read.
    pub read_bytes: u64,
}

impl Subject<'_> {
    /// The model as an engine gets it.
    fn model(&self, engine: EngineName) -> Result<Arc<ServedModel>, String> {
        match engine {
            EngineName::Tierproof | EngineName::TierproofNative => Ok(self.model.clone()),
            EngineName::Wllama | EngineName::LlamaCpp => Ok(self.whole.clone()),
            EngineName::TransformersJs => {
                let name = &self.whole.manifest.name;
                let onnx = self.onnx.clone();
                let onnx = onnx.ok_or_else(|| format!("there is no ONNX export of `{name}`"))?;
                // Its page finds the export by this name, and takes no shards.
                let manifest = ModelManifest { name: onnx, ..self.whole.manifest.clone() };
                Ok(Arc::new(ServedModel { manifest, ..(*self.whole).clone() }))
            }
        }
    }
}

/// An engine that is loaded and waits for its turn.
struct Contestant<'p, 'h> {
    conversation: Conversation<'p, Stopwatch<EnginePage<'h>>>,
    face: Face,
    host: &'h Host<'h>,
    process: Option<u32>,
    entrant: Entrant,
    record: usize,
}

/// Measures a series. `progress` is told what is being done.
///
/// # Errors
/// The machine is busy, and that was not allowed; or there is no prompt of the length asked for.
pub async fn series(
    surroundings: &Surroundings<'_>,
    method: &Method,
    subject: &Subject<'_>,
    mut prompts: Prompts,
    progress: &mut dyn FnMut(String),
) -> Result<Series, String> {
    let manifest = &subject.whole.manifest;
    let browser =
        subject.profile.map_or("native".to_owned(), |profile| profile.browser.to_string());
    let (contexts, left_out) = fitting(method, prompts.context());
    let place = format!("{} in {browser}", manifest.name);
    let mut told = |step: String| progress(format!("{place}: {step}"));
    let mut records: Vec<Engine> = subject.engines.iter().map(empty).collect();
    let mut hosts = Vec::new();
    for (at, prepared) in subject.engines.iter().enumerate() {
        told(format!("starting {}", prepared.entrant));
        let started = match subject.model(prepared.entrant.engine) {
            Ok(model) => Host::start(surroundings, prepared, subject.profile, model).await,
            Err(reason) => Err(reason),
        };
        let started = match started {
            Ok(host) => choose_thread(host, prepared.entrant, method).await,
            Err(reason) => Err(reason),
        };
        match started {
            Ok(host) => hosts.push((at, prepared.entrant, host)),
            Err(reason) => records[at].unsupported = Some(reason),
        }
    }
    let version = |(_, _, host): &(usize, Entrant, Host)| host.browser_version().to_owned();
    let browser_version = hosts.iter().map(version).find(|version| !version.is_empty());

    let most = contexts.iter().max().map_or(0, |context| context + method.tokens);
    let mut pages = Vec::new();
    for (at, entrant, host) in &hosts {
        records[*at].memory.rss_before_bytes = host.resident_bytes(None);
        told(format!("loading {entrant}, cold"));
        let cold = load_and_close(host, method, *entrant, most).await;
        match cold {
            Ok(ms) => records[*at].load.cold_ms = ms,
            Err(reason) => {
                records[*at].unsupported = Some(reason);
                continue;
            }
        }
        match host.open(method.choice(*entrant)).await {
            Ok(page) => pages.push((*at, *entrant, host, Stopwatch::new(page))),
            Err(reason) => records[*at].unsupported = Some(reason),
        }
    }
    let mut contestants = Vec::new();
    for (at, entrant, host, page) in &mut pages {
        told(format!("loading {entrant}, warm"));
        let (face, process) = (page.face(), process_of(page));
        let manifest = host.manifest();
        match load(page, method, *entrant, manifest, most).await {
            Ok((conversation, _)) => {
                records[*at].load.warm_ms = face.laps().load_ms();
                let (host, entrant, record) = (&**host, *entrant, *at);
                let contestant = Contestant { conversation, face, host, process, entrant, record };
                contestants.push(contestant);
            }
            Err(reason) => records[*at].unsupported = Some(reason),
        }
    }

    contest(method, &contexts, &mut prompts, &mut contestants, &mut records, &mut told).await?;
    drop(contestants);
    for (_, _, _, page) in pages {
        // A browser is closed next, in any case.
        if let Err(trouble) = page.close().await {
            tracing::info!("a page could not be closed: {trouble}");
        }
    }
    for (_, _, host) in hosts {
        host.close().await;
    }
    let mut series = Series {
        browser,
        browser_version: browser_version.unwrap_or_default(),
        model: Model {
            name: manifest.name.clone(),
            bytes: manifest.bytes,
            sha256: manifest.sha256.clone(),
            read_bytes: subject.read_bytes,
        },
        left_out,
        engines: records,
        comparisons: Vec::new(),
    };
    series.comparisons = comparisons(&series);
    Ok(series)
}

/// Round after round through all prompt lengths.
async fn contest(
    method: &Method,
    contexts: &[u32],
    prompts: &mut Prompts,
    contestants: &mut [Contestant<'_, '_>],
    records: &mut [Engine],
    progress: &mut dyn FnMut(String),
) -> Result<(), String> {
    for context in contexts.iter().copied() {
        for round in 0..=method.pairs {
            let prompt = prompts.next(context)?;
            let busy_cores = busy::wait_for_quiet(method.allow_busy).await;
            busy::judge(busy_cores, method.allow_busy).map_err(|busy| busy.to_string())?;
            for at in order(round, contestants.len()) {
                let Some(contestant) = contestants.get_mut(at) else { continue };
                let record = &mut records[contestant.record];
                if record.unsupported.is_some() {
                    continue;
                }
                let what = if round == 0 {
                    "warm-up".to_owned()
                } else {
                    format!("round {round} of {}", method.pairs)
                };
                progress(format!("prompt of {context}, {what}: {}", contestant.entrant));
                match run(contestant, method, &prompt, record).await {
                    Ok(sample) => {
                        let text = if sample.ids.is_empty() {
                            sample.text
                        } else {
                            prompts.text(&sample.ids)
                        };
                        record.samples.push(Sample { context, round, busy_cores, text, ..sample });
                    }
                    Err(reason) => record.unsupported = Some(reason),
                }
            }
        }
    }
    Ok(())
}

/// The prompt lengths that the model has positions for, and why others are left out.
fn fitting(method: &Method, positions: u32) -> (Vec<u32>, Vec<String>) {
    let fits = |context: &u32| context + method.tokens <= positions;
    let (fitting, others) = method.contexts.iter().copied().partition::<Vec<_>, _>(fits);
    let tokens = method.tokens;
    let told = others.iter().map(|context| {
        format!(
            "prompt of {context}: with {tokens} more it exceeds the model's {positions} positions"
        )
    });
    (fitting, told.collect())
}

fn empty(prepared: &Prepared) -> Engine {
    Engine {
        name: prepared.entrant.to_string(),
        backend: prepared.entrant.backend.to_string(),
        adapter: None,
        adapter_is_software: None,
        version: prepared.version.clone(),
        unsupported: None,
        build: String::new(),
        effective_threads: 0,
        load: Load::default(),
        memory: Memory::default(),
        samples: Vec::new(),
    }
}

fn process_of(page: &Stopwatch<EnginePage<'_>>) -> Option<u32> {
    match page.page() {
        EnginePage::Process(page) => page.supervisor_id(),
        EnginePage::Browser(_) | EnginePage::Native(_) => None,
    }
}

/// Lets our engine compute where its backend can run: some browsers have WebGL2 on a page's main
/// thread alone.
async fn choose_thread<'s>(
    mut host: Host<'s>,
    entrant: Entrant,
    method: &Method,
) -> Result<Host<'s>, String> {
    if !entrant.engine.is_ours() || entrant.backend != BackendName::Webgl {
        return Ok(host);
    }
    let mut page = host.open(method.choice(entrant)).await?;
    let opened = Conversation::open(&mut page, method.timeouts).await;
    let mut conversation = opened.map_err(|outcome| outcome.message())?;
    let finished = command(&mut conversation, Action::Probe).await?;
    page.close().await.map_err(|trouble| trouble.to_string())?;
    match finished {
        Finished::Probe(report) => {
            host.on(EngineThread::of(entrant.backend, Some(&report)));
            Ok(host)
        }
        other => Err(format!("expected the result of a probe, found {other:?}")),
    }
}

async fn load_and_close(
    host: &Host<'_>,
    method: &Method,
    entrant: Entrant,
    positions: u32,
) -> Result<Option<f64>, String> {
    let mut page = Stopwatch::new(host.open(method.choice(entrant)).await?);
    let face = page.face();
    load(&mut page, method, entrant, host.manifest(), positions).await?;
    page.close().await.map_err(|trouble| trouble.to_string())?;
    Ok(face.laps().load_ms())
}

async fn load<'p, 'h>(
    page: &'p mut Stopwatch<EnginePage<'h>>,
    method: &Method,
    entrant: Entrant,
    manifest: &ModelManifest,
    positions: u32,
) -> Result<(Conversation<'p, Stopwatch<EnginePage<'h>>>, Loaded), String> {
    let opened = Conversation::open(page, method.timeouts).await;
    let mut conversation = opened.map_err(|outcome| outcome.message())?;
    let request = LoadRequest {
        backend: entrant.backend,
        model: manifest.clone(),
        context_tokens: Some(positions),
        cache_type: CacheType::default(),
        threads: Some(method.choice(entrant).threads),
        fault: None,
    };
    match command(&mut conversation, Action::Load(request)).await? {
        Finished::Load(loaded) => Ok((conversation, loaded)),
        other => Err(format!("expected the result of a load, found {other:?}")),
    }
}

async fn command<P: Page>(
    conversation: &mut Conversation<'_, P>,
    action: Action,
) -> Result<Finished, String> {
    conversation.ask(action).await.map_err(|failed| failed.message())
}

/// One run of one engine. Context, round and load of the machine are the caller's to fill in.
async fn run(
    contestant: &mut Contestant<'_, '_>,
    method: &Method,
    prompt: &BenchPrompt,
    record: &mut Engine,
) -> Result<Sample, String> {
    let request = GenerateRequest {
        prompt: if contestant.entrant.engine.takes_ids() {
            Prompt::Ids(prompt.ids.clone())
        } else {
            Prompt::Raw(prompt.text.clone())
        },
        max_tokens: method.tokens,
        sampling: Sampling::Greedy,
        ignore_stop: true,
        stop: Vec::new(),
        logits: LogitsWanted::None,
    };
    let generated = match command(&mut contestant.conversation, Action::Generate(request)).await? {
        Finished::Generate(generated) => generated,
        other => return Err(format!("expected the result of a generation, found {other:?}")),
    };
    let execution = &generated.execution;
    let entrant = contestant.entrant;
    prove(entrant, method, execution)?;
    record.build = if entrant.engine.is_ours() {
        format!("{}, {}", execution.bundle, simd(execution.simd))
    } else {
        execution.bundle.clone()
    };
    record.adapter.clone_from(&execution.adapter);
    // A peer's page reports the browser's flag, which not every software adapter has.
    let is_named = execution.adapter.as_deref().is_some_and(is_software);
    record.adapter_is_software = execution.adapter_is_software.map(|flag| flag || is_named);
    record.effective_threads = execution.effective_threads;
    record.memory.wasm_bytes = record.memory.wasm_bytes.max(execution.memory_bytes);
    let resident = contestant.host.resident_bytes(contestant.process);
    record.memory.rss_most_bytes = record.memory.rss_most_bytes.max(resident);
    let laps = contestant.face.laps();
    let times = laps.first_token_ms().zip(laps.decode_ms());
    sample(entrant.engine, &prompt.ids, method.tokens, times, generated)
}

/// That it ran where it is filed: of ours a tier proof, of a peer on a GPU that something reached
/// the GPU while it computed, which its page has counted.
fn prove(entrant: Entrant, method: &Method, execution: &ExecutionReport) -> Result<(), String> {
    let Entrant { engine, backend, .. } = entrant;
    if engine.is_ours() {
        let (bundle, adapter) = (method.choice(entrant), crate::spec::adapter::AdapterDemand::Any);
        let demand = proof::Demand { backend, bundle, adapter, probed: None };
        return proof::verify(demand, execution)
            .map(|_| ())
            .map_err(|missing| format!("no tier proof: {}", missing.reasons.join("; ")));
    }
    if backend == BackendName::Webgpu && execution.gpu_dispatches == 0 {
        return Err("it answered, but its page counted no dispatch on the GPU".to_owned());
    }
    Ok(())
}

/// Makes a sample of an answer, if it is an answer to what was asked.
fn sample(
    name: EngineName,
    prompt: &[u32],
    tokens: u32,
    times: Option<(f64, f64)>,
    generated: Generated,
) -> Result<Sample, String> {
    let timings = generated.timings;
    let (computed, asked) = (timings.prefill_tokens, prompt.len() as u32);
    // A beginning-of-sequence token may be in the cache of the round before.
    if !(asked.saturating_sub(1)..=asked).contains(&computed) {
        return Err(format!("asked to work through {asked} prompt tokens, it did {computed}"));
    }
    let new_tokens = generated.generated_ids.len() as u32;
    if new_tokens != tokens {
        return Err(format!("asked for {tokens} tokens, it generated {new_tokens}"));
    }
    let (first_token_ms, decode_ms) = times.ok_or("it told no token as it came")?;
    Ok(Sample {
        context: 0,
        round: 0,
        prompt_tokens: computed,
        new_tokens,
        first_token_ms,
        decode_ms,
        reported_prefill_ms: timings.prefill_ms,
        reported_decode_ms: timings.decode_ms,
        decode_gpu: timings.decode_gpu,
        decode_dispatches: timings.decode_dispatches,
        busy_cores: 0.0,
        ids: if name.tells_ids() { generated.generated_ids } else { Vec::new() },
        text: generated.text,
    })
}

fn simd(level: SimdLevel) -> &'static str {
    match level {
        SimdLevel::Scalar => "scalar",
        SimdLevel::Simd128 => "simd128",
        SimdLevel::RelaxedSimd => "relaxed-simd",
        SimdLevel::Native => "native",
    }
}
