//! The engines of the server tier: threads of the native build, lent to one request at a time.
//!
//! There is one for each concurrent request; each keeps the model that it loaded last. When a
//! caller goes away, its engine is cancelled. An engine that doesn't stop even then is abandoned,
//! because a thread can't be ended from outside.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use inference_wasm::protocol::{
    Action, BackendName, CacheType, Command, Finished, GenerateRequest, Generated, LoadRequest,
    PageEventKind,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::models::Opened;
use super::problem::{Problem, ProblemKind};
use crate::drive::page::{NativePage, Page};
use crate::drive::server::{PageSetup, PageSignal};

/// How long a load may go on once no request waits for it. The next request reuses what it loaded.
const LOAD_PATIENCE: Duration = Duration::from_mins(10);

/// How long a generation may go on once it was cancelled: it looks up after each chunk of the
/// prompt and each token.
const CANCEL_PATIENCE: Duration = Duration::from_secs(20);

/// All engines.
#[derive(Debug)]
pub(super) struct Engines {
    slots: Arc<Semaphore>,
    concurrency: usize,
    queue_timeout: Duration,
    idle: Mutex<Vec<Engine>>,
}

/// The right to compute.
#[derive(Debug)]
pub(super) struct Turn(
    #[expect(dead_code, reason = "held until it is dropped")] OwnedSemaphorePermit,
);

/// An engine on a thread of its own.
#[derive(Debug)]
pub(super) struct Engine {
    page: NativePage,
    /// SHA-256 of the model that is loaded.
    loaded: Option<String>,
    next_command: u32,
    is_usable: bool,
}

impl Engines {
    /// Up to `concurrency` engines; none is started yet.
    pub(super) fn new(concurrency: usize, queue_timeout: Duration) -> Self {
        let concurrency = concurrency.clamp(1, Semaphore::MAX_PERMITS);
        let slots = Arc::new(Semaphore::new(concurrency));
        Self { slots, concurrency, queue_timeout, idle: Mutex::default() }
    }

    /// The number of requests that are computing.
    pub(super) fn running(&self) -> usize {
        self.concurrency - self.slots.available_permits()
    }

    /// Waits for the right to compute, as long as the queue lasts.
    pub(super) async fn turn(&self) -> Result<Turn, Problem> {
        let turn = tokio::time::timeout(self.queue_timeout, self.slots.clone().acquire_owned());
        match turn.await {
            Ok(Ok(permit)) => Ok(Turn(permit)),
            Ok(Err(_)) | Err(_) => Err(Problem::busy(self.queue_timeout)),
        }
    }

    /// An engine: one that has the model if there is one, else one that has none yet, else any.
    /// Every request with a turn gets one.
    pub(super) fn take(&self, _: &Turn, model: &Opened) -> Result<Engine, Problem> {
        let sha256 = &model.served.manifest.sha256;
        let mut idle = self.idle();
        let with_it = idle.iter().position(|engine| engine.loaded.as_ref() == Some(sha256));
        if let Some(index) = with_it {
            return Ok(idle.swap_remove(index));
        }
        // Every other request with a turn has an engine, or is about to take one.
        if idle.len() + self.running() <= self.concurrency {
            return Engine::start();
        }
        idle.pop().map_or_else(Engine::start, Ok)
    }

    /// Takes an engine back, unless it was abandoned.
    pub(super) fn put_back(&self, engine: Engine) {
        if engine.is_usable {
            self.idle().push(engine);
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Engine>> {
        // No code that holds the lock can panic between two changes that belong together.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    fn start() -> Result<Self, Problem> {
        let page = NativePage::open(PageSetup::default()).map_err(|trouble| {
            tracing::error!("{trouble}");
            Problem::new(ProblemKind::EngineFailed, "no engine can be started")
        })?;
        Ok(Self { page, loaded: None, next_command: 1, is_usable: true })
    }

    /// Loads a model, unless it is loaded already.
    pub(super) async fn load(
        &mut self,
        model: &Opened,
        unwanted: impl Future<Output = ()>,
    ) -> Result<(), Problem> {
        let manifest = &model.served.manifest;
        if self.loaded.as_ref() == Some(&manifest.sha256) {
            return Ok(());
        }
        self.loaded = None;
        self.page.serve(PageSetup { model: Some(model.served.clone()), fault: None });
        let action = Action::Load(LoadRequest {
            backend: BackendName::Cpu,
            model: manifest.clone(),
            context_tokens: Some(model.positions()),
            cache_type: CacheType::default(),
            threads: None,
            fault: None,
        });
        let mut quarters = 0;
        let mut progress = |event| {
            if let PageEventKind::LoadProgress { bytes, total_bytes } = event
                && bytes.saturating_mul(4) / total_bytes.max(1) > quarters
            {
                quarters = bytes.saturating_mul(4) / total_bytes.max(1);
                let megabytes = |bytes: u64| bytes as f64 / 1e6;
                tracing::info!(
                    "loading `{}`: {:.1} of {:.1} MB",
                    manifest.name,
                    megabytes(bytes),
                    megabytes(total_bytes)
                );
            }
        };
        match self.command(action, (unwanted, LOAD_PATIENCE), &mut progress).await? {
            Finished::Load(loaded) => {
                let ms = loaded.fetch_ms + loaded.prepare_ms;
                tracing::info!("loaded `{}` in {ms:.0} ms", manifest.name);
                self.loaded = Some(manifest.sha256.clone());
                Ok(())
            }
            _ => Err(self.give_up("a load was answered with the result of another command")),
        }
    }

    /// Generates until the end, or until the request is dropped.
    pub(super) async fn generate(
        &mut self,
        request: GenerateRequest,
        unwanted: impl Future<Output = ()>,
        on_event: &mut (dyn FnMut(PageEventKind) + Send),
    ) -> Result<Generated, Problem> {
        let action = Action::Generate(request);
        match self.command(action, (unwanted, CANCEL_PATIENCE), on_event).await? {
            Finished::Generate(generated) => Ok(generated),
            _ => Err(self.give_up("a generation was answered with the result of another command")),
        }
    }

    /// Carries out one command. Once it is `unwanted`, it is cancelled and has `patience` to end.
    async fn command(
        &mut self,
        action: Action,
        (unwanted, patience): (impl Future<Output = ()>, Duration),
        on_event: &mut (dyn FnMut(PageEventKind) + Send),
    ) -> Result<Finished, Problem> {
        let id = self.next_command;
        self.next_command += 1;
        if let Err(trouble) = self.page.submit(&Command { id, action }).await {
            return Err(self.give_up(&trouble.to_string()));
        }
        let mut unwanted = std::pin::pin!(unwanted);
        let mut last_moment = None;
        loop {
            // The page's heartbeat comes every second, so that this is never waited for in full.
            let until = last_moment.unwrap_or_else(|| Instant::now() + patience);
            let signal = tokio::select! {
                signal = self.page.next_signal(until) => signal,
                () = &mut unwanted, if last_moment.is_none() => {
                    last_moment = Some(Instant::now() + patience);
                    if let Err(trouble) = self.page.cancel().await {
                        return Err(self.give_up(&trouble.to_string()));
                    }
                    continue;
                }
            };
            let event = match signal {
                Some(PageSignal::Event(event)) => event,
                Some(PageSignal::Protocol(message)) => return Err(self.give_up(&message)),
                None => return Err(self.give_up("it does not end")),
            };
            let is_ours = event.command == Some(id);
            match event.kind {
                PageEventKind::Finished { result } if is_ours => return Ok(result),
                PageEventKind::Failed { error } if is_ours => return Err(error.into()),
                PageEventKind::Panicked { message } => return Err(self.give_up(&message)),
                kind if is_ours => on_event(kind),
                _ => {}
            }
        }
    }

    /// Never lends this engine again.
    fn give_up(&mut self, why: &str) -> Problem {
        self.is_usable = false;
        tracing::error!("an engine is given up: {why}");
        Problem::new(
            ProblemKind::EngineFailed,
            "the engine broke down; another one takes its place",
        )
    }
}
