//! The command `load`: fetch, check, prepare.

use sha2::{Digest, Sha256};

use super::job::Job;
use super::model::Model;
#[cfg(target_arch = "wasm32")]
use crate::engine::backend::Webgl;
use crate::engine::backend::{Backend, Cpu, Reference};
#[cfg(any(target_arch = "wasm32", feature = "native-gpu"))]
use crate::engine::backend::{Webgpu, WebgpuOptions};
use crate::engine::host::Host;
use crate::engine::memory;
use crate::engine::mutant::Mutants;
use crate::engine::session::{LoadOptions, Session};
use crate::protocol::{
    BackendName, EngineError, EngineErrorKind, LoadRequest, Loaded, ModelManifest, PageEventKind,
    Phase, Shard,
};

/// Loads a model on the requested backend, or fails with the reason.
pub(super) async fn load<H: Host>(
    job: &mut Job<'_, H>,
    request: &LoadRequest,
) -> Result<(Model, Loaded), EngineError> {
    let start = job.host.now_ms();
    check_backend(request.backend)?;
    let mutants = Mutants::new(request.fault)?;
    check_manifest(&request.model)?;
    check_size(&request.model, isize::MAX as u64)?;

    job.enter(Phase::Fetch);
    let file = fetch(job, &request.model).await?;
    let fetched = job.host.now_ms();

    job.enter(Phase::Prepare);
    let file_bytes = file.len() as u64;
    let options =
        LoadOptions { positions: request.context_tokens, cache_type: request.cache_type, mutants };
    let (model, mut loaded) = prepare(job, request, file, options).await?;
    loaded.fetch_ms = fetched - start;
    loaded.file_bytes = file_bytes;
    loaded.prepare_ms = job.host.now_ms() - fetched;
    Ok((model, loaded))
}

/// Puts a model on the requested backend.
#[cfg_attr(
    not(any(target_arch = "wasm32", feature = "native-gpu")),
    expect(clippy::unused_async, reason = "only a GPU is waited for")
)]
async fn prepare<H: Host>(
    job: &mut Job<'_, H>,
    request: &LoadRequest,
    file: Vec<u8>,
    options: LoadOptions,
) -> Result<(Model, Loaded), EngineError> {
    let one_thread = || match request.threads {
        Some(threads @ 2..) => Err(EngineError::invalid_request(format!(
            "{threads} threads were requested, expected 1: backend `{}` has one",
            request.backend
        ))),
        Some(_) | None => Ok(()),
    };
    match request.backend {
        BackendName::Reference => {
            one_thread()?;
            let session = Session::load(Reference::default(), file, options)?;
            let loaded = describe(&session);
            Ok((Model::Reference(Box::new(session)), loaded))
        }
        #[cfg(target_arch = "wasm32")]
        BackendName::Webgl => {
            one_thread()?;
            let mut session = Session::load(Webgl::new()?, file, options)?;
            let loaded = warm(job, &mut session).await?;
            Ok((Model::Webgl(Box::new(session)), loaded))
        }
        #[cfg(any(target_arch = "wasm32", feature = "native-gpu"))]
        BackendName::Webgpu => {
            one_thread()?;
            let webgpu = WebgpuOptions { fault: request.fault, ..WebgpuOptions::default() };
            let mut session = Session::load(Webgpu::with(webgpu).await?, file, options)?;
            let loaded = warm(job, &mut session).await?;
            Ok((Model::Webgpu(Box::new(session)), loaded))
        }
        _ => {
            let threads = request.threads.unwrap_or_else(|| job.host.threads());
            let session = Session::load(Cpu::new(threads as usize)?, file, options)?;
            let loaded = describe(&session);
            Ok((Model::Cpu(Box::new(session)), loaded))
        }
    }
}

/// Completes the loading of a model on a GPU.
#[cfg(any(target_arch = "wasm32", feature = "native-gpu"))]
async fn warm<H: Host, B: Backend>(
    job: &mut Job<'_, H>,
    session: &mut Session<B>,
) -> Result<Loaded, EngineError> {
    let start = job.host.now_ms();
    if let Err(error) = session.warm_up().await {
        return Err(super::job::or_loss(job.host, session.backend(), error).await);
    }
    Ok(Loaded { warm_up_ms: job.host.now_ms() - start, ..describe(session) })
}

/// Refuses a backend that this build of the engine does not have.
pub(super) fn check_backend(backend: BackendName) -> Result<(), EngineError> {
    let in_page = cfg!(target_arch = "wasm32");
    let (message, hint) = match backend {
        BackendName::Reference => return Ok(()),
        BackendName::Wasm | BackendName::Webgl if in_page => return Ok(()),
        BackendName::Cpu if !in_page => return Ok(()),
        BackendName::Wasm => {
            ("backend `wasm` runs in a page only", "natively the same kernels are `cpu`")
        }
        BackendName::Cpu => {
            ("backend `cpu` runs natively only", "in a page the same kernels are `wasm`")
        }
        BackendName::Webgpu if cfg!(any(target_arch = "wasm32", feature = "native-gpu")) => {
            return Ok(());
        }
        BackendName::Webgpu => {
            ("this build has no backend `webgpu`", "build it with the feature `native-gpu`")
        }
        BackendName::Webgl => ("backend `webgl` runs in a page only", "natively there is `cpu`"),
    };
    Err(EngineError::unavailable(message).with_hint(hint))
}

/// Refuses a file that can't be held in one piece of memory, before a byte of it is fetched.
///
/// `most` is the largest allocation that Rust makes, `isize::MAX` bytes: one byte less than 2 GiB
/// in 32-bit WebAssembly, although its memory has 4 GiB.
fn check_size(model: &ModelManifest, most: u64) -> Result<(), EngineError> {
    if model.bytes <= most {
        return Ok(());
    }
    Err(EngineError::out_of_memory(format!(
        "`{}` has {} bytes, expected {most} at most: a file is held in one piece of memory",
        model.name, model.bytes
    ))
    .with_hint("use a smaller quantization; this engine is not built for memory64"))
}

fn check_manifest(model: &ModelManifest) -> Result<(), EngineError> {
    let sum = model.shards.iter().try_fold(0_u64, |sum, shard| sum.checked_add(shard.bytes));
    if sum == Some(model.bytes) && model.bytes > 0 {
        return Ok(());
    }
    Err(EngineError::invalid_request(format!(
        "the manifest of `{}` names {} bytes, expected the sum of its {} shards and more than 0",
        model.name,
        model.bytes,
        model.shards.len(),
    )))
}

/// Fetches all shards into one buffer; checks each of them and the whole.
async fn fetch<H: Host>(
    job: &mut Job<'_, H>,
    model: &ModelManifest,
) -> Result<Vec<u8>, EngineError> {
    let mut file = Vec::new();
    let size = usize::try_from(model.bytes).ok();
    if size.is_none_or(|size| file.try_reserve_exact(size).is_err()) {
        return Err(EngineError::out_of_memory(format!(
            "no memory for the {} bytes of `{}`",
            model.bytes, model.name
        ))
        .with_hint("use a smaller model"));
    }
    let mut progress = Progress { id: job.id, bytes: 0, sent: 0, total: model.bytes };
    for shard in &model.shards {
        let start = file.len();
        let host = &mut *job.host;
        host.fetch_shard(shard, &mut file, &mut |host, bytes| progress.add(host, bytes)).await?;
        check_shard(shard, file.get(start..).unwrap_or_default())?;
    }
    let found = hex_sha256(&file);
    if !found.eq_ignore_ascii_case(&model.sha256) {
        return Err(corrupt(&format!("model `{}`", model.name), &model.sha256, &found));
    }
    Ok(file)
}

fn check_shard(shard: &Shard, bytes: &[u8]) -> Result<(), EngineError> {
    if (bytes.len() as u64) < shard.bytes {
        return Err(EngineError::new(
            EngineErrorKind::ShardTruncated,
            format!("shard `{}`: expected {} bytes, found {}", shard.url, shard.bytes, bytes.len()),
        )
        .with_hint("load it again"));
    }
    let found = hex_sha256(bytes);
    if bytes.len() as u64 == shard.bytes && found.eq_ignore_ascii_case(&shard.sha256) {
        return Ok(());
    }
    Err(corrupt(&format!("shard `{}`", shard.url), &shard.sha256, &found))
}

fn corrupt(what: &str, expected: &str, found: &str) -> EngineError {
    EngineError::new(
        EngineErrorKind::ShardCorrupt,
        format!("{what}: expected SHA-256 {expected}, found {found}"),
    )
    .with_hint("the server does not send the file that the manifest describes")
}

pub(super) fn hex_sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Sends progress after each percent, and at the end.
struct Progress {
    id: u32,
    bytes: u64,
    sent: u64,
    total: u64,
}

impl Progress {
    fn add<H: Host>(&mut self, host: &mut H, bytes: usize) {
        self.bytes += bytes as u64;
        let is_step = self.bytes - self.sent >= self.total.div_ceil(100);
        if is_step || (self.bytes == self.total && self.sent != self.total) {
            self.sent = self.bytes;
            let (bytes, total_bytes) = (self.bytes, self.total);
            host.send(Some(self.id), PageEventKind::LoadProgress { bytes, total_bytes });
        }
    }
}

fn describe<B: Backend>(session: &Session<B>) -> Loaded {
    let counters = session.backend().counters();
    Loaded {
        architecture: session.architecture().to_string(),
        parameters: session.parameters(),
        vocabulary: session.hyper().vocabulary as u32,
        context_tokens: session.positions() as u32,
        weight_bytes: counters.weight_bytes,
        cache_bytes: counters.cache_bytes,
        file_bytes: 0,
        memory_bytes: memory::linear_bytes(),
        has_chat_template: session.tokenizer().has_chat_template(),
        fetch_ms: 0.0,
        prepare_ms: 0.0,
        warm_up_ms: 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_larger_than_any_allocation_is_refused_with_its_size() {
        let bytes = 2_393_231_072;
        let (name, sha256) = ("phi".to_owned(), String::new());
        let model = ModelManifest { name, bytes, sha256, shards: Vec::new() };
        let most = i32::MAX as u64;
        let error = check_size(&model, most).unwrap_err();
        assert_eq!(error.kind, EngineErrorKind::OutOfMemory);
        assert!(error.message.contains("2393231072 bytes, expected 2147483647 at most"));
        assert!(check_size(&ModelManifest { bytes: most, ..model }, most).is_ok());
    }
}
