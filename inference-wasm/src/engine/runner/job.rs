//! A command that is being carried out: its events, its execution report, its errors.

use crate::engine::backend::{Backend, Counters};
use crate::engine::canary;
use crate::engine::host::Host;
use crate::engine::lanes;
use crate::engine::memory;
use crate::engine::mutant::Mutants;
use crate::engine::session::Session;
use crate::protocol::{
    BackendName, Canary, EngineError, EngineErrorKind, ExecutionReport, PageEventKind, Phase,
};

/// Milliseconds after a failure within which a browser reports that the device was lost.
const LOSS_WITHIN_MS: f64 = 500.0;

/// A running command: its id, its host, and the backend it was requested for.
pub(super) struct Job<'h, H: Host> {
    pub(super) host: &'h mut H,
    pub(super) id: u32,
    pub(super) requested: BackendName,
}

impl<H: Host> Job<'_, H> {
    pub(super) fn send(&mut self, kind: PageEventKind) {
        self.host.send(Some(self.id), kind);
    }

    pub(super) fn enter(&mut self, phase: Phase) {
        self.send(PageEventKind::Phase { phase });
    }

    /// The execution report of a session: the backend object describes itself; only `requested`
    /// comes from the request.
    pub(super) async fn report<B: Backend>(
        &self,
        session: &mut Session<B>,
    ) -> Result<ExecutionReport, EngineError> {
        let (counters, mutants) = (session.work_done(), session.mutants());
        let canary = session.canary().await?;
        Ok(self.execution(session.backend(), counters, canary, mutants))
    }

    /// The execution report of a backend without a session.
    pub(super) fn execution<B: Backend>(
        &self,
        backend: &B,
        counters: Counters,
        canary: Canary,
        mutants: Mutants,
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
        mutants.on_report(&mut report, canary::expected);
        report
    }
}

/// Replaces an error by the loss of the device, if it was lost: on a lost device every command
/// fails, each in its own way, and a browser reports the loss a moment later.
pub(super) async fn or_loss<H: Host, B: Backend>(
    host: &mut H,
    backend: &B,
    error: EngineError,
) -> EngineError {
    let is_of_device =
        matches!(error.kind, EngineErrorKind::BackendUnavailable | EngineErrorKind::GpuError);
    let since_ms = host.now_ms();
    while is_of_device && backend.adapter().is_some() && host.now_ms() < since_ms + LOSS_WITHIN_MS {
        if let Some(loss) = backend.loss() {
            return loss.error();
        }
        // Gives the browser a chance to report.
        host.is_cancelled().await;
    }
    error
}
