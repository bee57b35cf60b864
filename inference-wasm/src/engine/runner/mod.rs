//! Carries out the host's commands, one at a time.
//!
//! Every command ends in exactly one `Finished` or `Failed`. All effects go through the
//! [`Host`]; what a command does is in `load`, `generate`, `score` and `ops`. The runner never
//! replaces a backend by another: one that is not there is an error.

mod generate;
mod load;
mod ops;
mod score;

#[cfg(target_arch = "wasm32")]
use super::backend::Webgl;
#[cfg(any(target_arch = "wasm32", feature = "native-gpu"))]
use super::backend::Webgpu;
use super::backend::{Backend, Counters, Cpu, Loss, Reference};
use super::host::Host;
use super::lanes;
use super::memory;
use super::mutant::Faults;
use super::session::{Session, invalid};
use crate::protocol::{
    Action, BackendName, Canary, Command, EngineError, EngineErrorKind, ExecutionReport, Finished,
    PageEventKind, Phase,
};

/// How long after a failure a browser may take to tell that the device was lost.
const LOSS_WITHIN_MS: f64 = 500.0;

/// Carries out commands on a host, and keeps the loaded model between them.
pub struct Runner<H: Host> {
    host: H,
    loaded: Option<Loaded>,
}

/// What `load` left.
struct Loaded {
    requested: BackendName,
    model: Model,
}

/// A loaded model, by the backend that runs it.
enum Model {
    Reference(Box<Session<Reference>>),
    Cpu(Box<Session<Cpu>>),
    #[cfg(target_arch = "wasm32")]
    Webgl(Box<Session<Webgl>>),
    #[cfg(any(target_arch = "wasm32", feature = "native-gpu"))]
    Webgpu(Box<Session<Webgpu>>),
}

/// Runs an expression with the session of whichever backend is loaded.
macro_rules! on_session {
    ($model:expr, $session:ident => $run:expr) => {
        match $model {
            Model::Reference($session) => $run,
            Model::Cpu($session) => $run,
            #[cfg(target_arch = "wasm32")]
            Model::Webgl($session) => $run,
            #[cfg(any(target_arch = "wasm32", feature = "native-gpu"))]
            Model::Webgpu($session) => $run,
        }
    };
}

/// Why something failed on a backend: on a device that is gone everything does, each in its own way,
/// and a browser tells of the loss a moment later.
async fn blame<H: Host, B: Backend>(host: &mut H, backend: &B, error: EngineError) -> EngineError {
    let is_of_device =
        matches!(error.kind, EngineErrorKind::BackendUnavailable | EngineErrorKind::GpuError);
    let since_ms = host.now_ms();
    while is_of_device && backend.adapter().is_some() && host.now_ms() < since_ms + LOSS_WITHIN_MS {
        if let Some(loss) = backend.loss() {
            return loss.error();
        }
        // Lets the browser tell.
        host.is_cancelled().await;
    }
    error
}

impl<H: Host> Runner<H> {
    /// A runner without a model.
    pub fn new(host: H) -> Self {
        Self { host, loaded: None }
    }

    /// The host.
    pub fn host(&self) -> &H {
        &self.host
    }

    /// The host, to be changed between commands.
    pub fn host_mut(&mut self) -> &mut H {
        &mut self.host
    }

    /// Why the device of the loaded model is gone, once it is.
    pub fn loss(&self) -> Option<Loss> {
        let loaded = self.loaded.as_ref()?;
        on_session!(&loaded.model, session => session.backend().loss())
    }

    /// Carries out one command: its events, and then `Finished` or `Failed`.
    pub async fn run(&mut self, command: Command) {
        let id = command.id;
        let last = match self.carry_out(id, command.action).await {
            Ok(result) => PageEventKind::Finished { result },
            Err(error) => {
                let loaded = self.loaded.as_ref().map(|loaded| &loaded.model);
                let error = match loaded {
                    Some(model) => {
                        on_session!(model, s => blame(&mut self.host, s.backend(), error).await)
                    }
                    None => error,
                };
                PageEventKind::Failed { error }
            }
        };
        self.host.send(Some(id), last);
    }

    async fn carry_out(&mut self, id: u32, action: Action) -> Result<Finished, EngineError> {
        match action {
            Action::Probe => {
                self.enter(id, Phase::Probe);
                Ok(Finished::Probe(Box::new(self.host.probe().await?)))
            }
            Action::Load(request) => {
                // Before anything is fetched: there is no room for two.
                self.loaded = None;
                let requested = request.backend;
                let mut job = Job { host: &mut self.host, id, requested };
                let (model, loaded) = load::load(&mut job, &request).await?;
                self.loaded = Some(Loaded { requested, model });
                Ok(Finished::Load(loaded))
            }
            Action::Generate(request) => {
                let (mut job, model) = self.job(id)?;
                let generated =
                    on_session!(model, s => generate::generate(&mut job, s, &request).await?);
                Ok(Finished::Generate(generated))
            }
            Action::Score(request) => {
                let (mut job, model) = self.job(id)?;
                let scored = on_session!(model, s => score::score(&mut job, s, &request).await?);
                Ok(Finished::Score(scored))
            }
            Action::Ops(request) => {
                let requested = request.backend;
                let mut job = Job { host: &mut self.host, id, requested };
                Ok(Finished::Ops(Box::new(ops::ops(&mut job, &request).await?)))
            }
            Action::Release => {
                self.enter(id, Phase::Release);
                self.loaded = None;
                Ok(Finished::Release)
            }
            Action::Client(_) => Err(invalid(
                "this page runs an engine and no hybrid client, expected `client.html`".into(),
            )),
        }
    }

    fn enter(&mut self, id: u32, phase: Phase) {
        self.host.send(Some(id), PageEventKind::Phase { phase });
    }

    /// A job on the loaded model, and the model.
    fn job(&mut self, id: u32) -> Result<(Job<'_, H>, &mut Model), EngineError> {
        let Some(Loaded { requested, model }) = &mut self.loaded else {
            return Err(nothing_loaded());
        };
        let requested = *requested;
        Ok((Job { host: &mut self.host, id, requested }, model))
    }
}

/// A command at work on a model: who asked, and for which backend.
struct Job<'h, H: Host> {
    host: &'h mut H,
    id: u32,
    requested: BackendName,
}

impl<H: Host> Job<'_, H> {
    fn send(&mut self, kind: PageEventKind) {
        self.host.send(Some(self.id), kind);
    }

    fn enter(&mut self, phase: Phase) {
        self.send(PageEventKind::Phase { phase });
    }

    /// What is true of the backend object that ran; of the request, only what was asked for.
    async fn report<B: Backend>(
        &self,
        session: &mut Session<B>,
    ) -> Result<ExecutionReport, EngineError> {
        let (counters, faults) = (session.work_done(), session.faults());
        let canary = session.canary().await?;
        Ok(self.execution(session.backend(), counters, canary, faults))
    }

    /// The same of a backend without a session.
    fn execution<B: Backend>(
        &self,
        backend: &B,
        counters: Counters,
        canary: Canary,
        faults: Faults,
    ) -> ExecutionReport {
        let adapter = backend.adapter();
        let mut report = ExecutionReport {
            requested: self.requested,
            actual: backend.name(),
            target: std::env::consts::ARCH.to_string(),
            bundle: self.host.bundle().to_string(),
            bundle_reason: self.host.bundle_reason().to_string(),
            simd: lanes::LEVEL,
            on_main_thread: self.host.is_main_thread(),
            effective_threads: backend.threads(),
            memory_bytes: memory::linear_bytes(),
            kernel_calls: counters.kernel_calls,
            gpu_dispatches: counters.gpu_dispatches,
            adapter: adapter.map(|adapter| adapter.name.clone()),
            adapter_is_software: adapter.map(|adapter| adapter.is_software),
            limits_sha256: adapter.map(|adapter| adapter.limits_sha256.clone()),
            canary,
        };
        faults.on_report(&mut report);
        report
    }
}

fn nothing_loaded() -> EngineError {
    invalid("no model is loaded, expected a `load` that finished before".into())
}

#[cfg(test)]
mod tests;
