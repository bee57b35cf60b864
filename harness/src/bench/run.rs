//! One entry at work: its page loads the model and answers prompts.

use inference_wasm::protocol::adapter::is_software;
use inference_wasm::protocol::{
    Action, BackendName, CacheType, ExecutionReport, Finished, GenerateRequest, Generated,
    LoadRequest, LogitsWanted, ModelManifest, Prompt, Sampling, SimdLevel,
};
use tokio::time::Instant;

use super::entry::Entry;
use super::host::Host;
use super::method::Method;
use super::prompt::BenchPrompt;
use super::record::{Engine, Sample};
use super::timing::{Timed, Times};
use super::unmeasured::Unmeasured;
use crate::drive::page::Page;
use crate::drive::server::EngineThread;
use crate::engines::EnginePage;
use crate::judge::proof;
use crate::run::{Conversation, probe};
use crate::spec::adapter::AdapterDemand;

/// A conversation with an entry's page.
pub(super) type Talk<'h> = Conversation<'h, Timed<EnginePage<'h>>>;

/// An entry that is loaded and waits for its turn.
pub(super) struct Ready<'h> {
    pub(super) conversation: Talk<'h>,
    pub(super) times: Times,
    pub(super) host: &'h Host<'h>,
    /// Its process, where it runs in one of its own.
    pub(super) process: Option<u32>,
    pub(super) entry: Entry,
    pub(super) record: &'h mut Engine,
}

/// Selects the thread on which our engine's backend can run: some browsers have WebGL2 on a page's
/// main thread only.
pub(super) async fn choose_thread(
    host: &mut Host<'_>,
    entry: Entry,
    method: &Method,
) -> Result<(), Unmeasured> {
    if !entry.engine.is_ours || entry.backend != BackendName::Webgl {
        return Ok(());
    }
    let mut page = host.open(method.choice(entry)).await?;
    let report = probe(&mut page, method.timeouts).await?;
    page.close().await?;
    host.use_thread(EngineThread::of(entry.backend, Some(&report)));
    Ok(())
}

/// Loads the model in a page of its own, which is closed; milliseconds.
pub(super) async fn load_once(
    host: &Host<'_>,
    method: &Method,
    entry: Entry,
) -> Result<Option<f64>, Unmeasured> {
    let page = Timed::new(host.open(method.choice(entry)).await?);
    let times = page.times();
    load(page, method, entry, host.manifest()).await?.close().await?;
    Ok(times.latest().load_ms())
}

/// Loads the model in a page.
pub(super) async fn load<'h>(
    page: Timed<EnginePage<'h>>,
    method: &Method,
    entry: Entry,
    manifest: &ModelManifest,
) -> Result<Talk<'h>, Unmeasured> {
    let deadline = Instant::now() + method.timeouts.attempt;
    let mut conversation = Conversation::owning(page, method.timeouts, deadline).await?;
    let request = LoadRequest {
        backend: entry.backend,
        model: manifest.clone(),
        context_tokens: Some(method.positions()),
        cache_type: CacheType::default(),
        threads: Some(method.choice(entry).threads),
        fault: None,
    };
    match conversation.ask(Action::Load(request)).await? {
        Finished::Load(_) => Ok(conversation),
        other => Err(Unmeasured::result("load", other)),
    }
}

/// One run. The caller fills in the context, the round and the load of the machine.
pub(super) async fn run(
    ready: &mut Ready<'_>,
    method: &Method,
    prompt: &BenchPrompt,
) -> Result<Sample, Unmeasured> {
    let entry = ready.entry;
    let request = GenerateRequest {
        prompt: if entry.engine.takes_ids {
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
    let generated = match ready.conversation.ask(Action::Generate(request)).await? {
        Finished::Generate(generated) => generated,
        other => return Err(Unmeasured::result("generation", other)),
    };
    let execution = &generated.execution;
    verify(entry, method, execution)?;
    let resident = ready.host.resident_bytes(ready.process);
    note(ready.record, entry, execution, resident);
    let times = ready.times.latest();
    let times = times.first_token_ms().zip(times.decode_ms());
    sample(entry, &prompt.ids, method.tokens, times, generated)
}

/// Adds to a record how an answer was computed.
fn note(record: &mut Engine, entry: Entry, execution: &ExecutionReport, resident_bytes: u64) {
    record.build = if entry.engine.is_ours {
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
    record.memory.rss_most_bytes = record.memory.rss_most_bytes.max(resident_bytes);
}

/// Verifies the backend: our engine needs a tier proof; of a peer on a GPU, its page has to have
/// counted dispatches.
fn verify(entry: Entry, method: &Method, execution: &ExecutionReport) -> Result<(), Unmeasured> {
    let Entry { engine, backend, .. } = entry;
    if engine.is_ours {
        let (bundle, adapter) = (method.choice(entry), AdapterDemand::Any);
        let demand = proof::Demand { backend, bundle, adapter, probed: None };
        return proof::verify(demand, execution).map(drop).map_err(Unmeasured::NoProof);
    }
    if backend == BackendName::Webgpu && execution.gpu_dispatches == 0 {
        return Err(Unmeasured::NoDispatch);
    }
    Ok(())
}

/// Makes a sample of an answer, if it answers what was asked.
fn sample(
    entry: Entry,
    prompt: &[u32],
    tokens: u32,
    times: Option<(f64, f64)>,
    generated: Generated,
) -> Result<Sample, Unmeasured> {
    let timings = generated.timings;
    let (processed, asked) = (timings.prefill_tokens, prompt.len() as u32);
    // A beginning-of-sequence token may be in the cache of the round before.
    if !(asked.saturating_sub(1)..=asked).contains(&processed) {
        return Err(Unmeasured::Prompt { asked, processed });
    }
    let new_tokens = generated.generated_ids.len() as u32;
    if new_tokens != tokens {
        return Err(Unmeasured::Tokens { asked: tokens, generated: new_tokens });
    }
    let (first_token_ms, decode_ms) = times.ok_or(Unmeasured::NoTokens)?;
    Ok(Sample {
        context: 0,
        round: 0,
        prompt_tokens: processed,
        new_tokens,
        first_token_ms,
        decode_ms,
        reported_prefill_ms: timings.prefill_ms,
        reported_decode_ms: timings.decode_ms,
        decode_gpu: timings.decode_gpu,
        decode_dispatches: timings.decode_dispatches,
        busy_cores: 0.0,
        ids: if entry.engine.reports_ids { generated.generated_ids } else { Vec::new() },
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
