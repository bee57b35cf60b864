//! What the runner has around it natively: the model's file, a clock, and the way back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use inference_wasm::engine::host::Host;
use inference_wasm::protocol::{
    CapabilityReport, EngineError, EngineErrorKind, PageEvent, PageEventKind, Shard,
};
use tokio::sync::mpsc;

use crate::drive::server::PageSignal;
use crate::drive::server::{PageSetup, ShardSent, sends};

/// What the engine's thread is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Ready for a command.
    Idle,
    /// At this command.
    AtWork(u32),
    /// Ended or panicked.
    Dead,
}

/// What the page and the engine's thread share.
#[derive(Debug)]
pub(super) struct Shared {
    inner: Mutex<Inner>,
    signals: mpsc::UnboundedSender<PageSignal>,
    began: Instant,
}

#[derive(Debug)]
struct Inner {
    setup: PageSetup,
    state: State,
    is_cancelled: bool,
    seq: u64,
    logits: BTreeMap<u32, Vec<f32>>,
}

impl Shared {
    pub(super) fn new(setup: PageSetup, signals: mpsc::UnboundedSender<PageSignal>) -> Self {
        let inner = Inner {
            setup,
            state: State::Idle,
            is_cancelled: false,
            seq: 0,
            logits: BTreeMap::new(),
        };
        Self { inner: Mutex::new(inner), signals, began: Instant::now() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // No code that holds the lock can panic between two changes that belong together.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ms(&self) -> f64 {
        self.began.elapsed().as_secs_f64() * 1000.0
    }

    /// Sends an event with the next number.
    pub(super) fn send(&self, command: Option<u32>, kind: PageEventKind) {
        // Held over the sending, or the numbers would be out of order.
        let mut inner = self.lock();
        let seq = inner.seq;
        inner.seq += 1;
        if matches!(kind, PageEventKind::Finished { .. } | PageEventKind::Failed { .. }) {
            inner.state = State::Idle;
        }
        let event = PageEvent { seq, at_ms: self.now_ms(), command, kind };
        // The receiver is gone once the page is closed.
        let _ = self.signals.send(PageSignal::Event(event));
    }

    pub(super) fn serve(&self, setup: PageSetup) {
        self.lock().setup = setup;
    }

    /// Takes a command in, or says why it can't.
    pub(super) fn begin(&self, id: u32) -> Result<(), String> {
        let mut inner = self.lock();
        match inner.state {
            State::Idle => {
                inner.state = State::AtWork(id);
                // Here and not when the thread begins, or a cancellation in between were lost.
                inner.is_cancelled = false;
                Ok(())
            }
            State::AtWork(current) => Err(format!("command {current} is still at work")),
            State::Dead => Err("the engine is dead".to_owned()),
        }
    }

    pub(super) fn cancel(&self) {
        self.lock().is_cancelled = true;
    }

    pub(super) fn state(&self) -> State {
        self.lock().state
    }

    pub(super) fn set_state(&self, state: State) {
        self.lock().state = state;
    }

    pub(super) fn take_logits(&self, command: u32) -> Option<Vec<f32>> {
        self.lock().logits.remove(&command)
    }
}

/// The native engine's name for itself.
pub(super) fn user_agent() -> String {
    let (arch, os) = (std::env::consts::ARCH, std::env::consts::OS);
    format!("tierproof/{} native {arch} {os}", env!("CARGO_PKG_VERSION"))
}

pub(super) struct NativeHost {
    shared: Arc<Shared>,
}

impl NativeHost {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// The bytes of a shard as a page would get them.
    fn read(&self, shard: &Shard) -> Result<Vec<u8>, EngineError> {
        let unavailable = |why: &str| {
            error(EngineErrorKind::ShardUnavailable, format!("shard `{}`: {why}", shard.url))
        };
        let PageSetup { model, fault } = self.shared.lock().setup.clone();
        let found = model.and_then(|model| Some((model.index_of(&shard.url)?, model)));
        let (index, model) = found.ok_or_else(|| unavailable("it is not served"))?;
        let count = model.manifest.shards.len();
        let sent = fault.map_or(ShardSent::Whole, |fault| sends(fault, index, count));
        let bytes = || model.shard(index).map_err(|error| unavailable(&error.to_string()));
        match sent {
            ShardSent::Whole => bytes(),
            ShardSent::Slowly(pause) => {
                std::thread::sleep(pause);
                bytes()
            }
            ShardSent::Short => bytes().map(|mut bytes| {
                bytes.truncate(bytes.len() / 2);
                bytes
            }),
            ShardSent::Cut(_) | ShardSent::Nothing => Err(unavailable("the connection broke off")),
            ShardSent::Status(404) => Err(unavailable("HTTP 404 Not Found")),
            ShardSent::Status(status) => Err(unavailable(&format!("HTTP {status}"))),
            ShardSent::Html => Err(error(
                EngineErrorKind::ShardCorrupt,
                format!("shard `{}`: got HTML instead of weights", shard.url),
            )),
        }
    }
}

fn error(kind: EngineErrorKind, message: String) -> EngineError {
    EngineError { kind, message, hint: None }
}

impl Host for NativeHost {
    async fn fetch_shard(
        &mut self,
        shard: &Shard,
        into: &mut Vec<u8>,
        progress: &mut dyn FnMut(&mut Self, usize),
    ) -> Result<(), EngineError> {
        let bytes = self.read(shard)?;
        let found = bytes.len() as u64;
        let expected = shard.bytes;
        let differs = || format!("shard `{}`: expected {expected} bytes, found {found}", shard.url);
        if found > expected {
            return Err(error(EngineErrorKind::ShardCorrupt, differs()));
        }
        into.extend_from_slice(&bytes);
        progress(self, bytes.len());
        if found < expected {
            return Err(error(EngineErrorKind::ShardTruncated, differs()));
        }
        Ok(())
    }

    fn now_ms(&self) -> f64 {
        self.shared.now_ms()
    }

    fn send(&mut self, command: Option<u32>, kind: PageEventKind) {
        self.shared.send(command, kind);
    }

    async fn send_logits(&mut self, command: u32, rows: &[f32]) -> Result<(), EngineError> {
        self.shared.lock().logits.insert(command, rows.to_vec());
        Ok(())
    }

    async fn is_cancelled(&mut self) -> bool {
        self.shared.lock().is_cancelled
    }

    async fn probe(&mut self) -> Result<CapabilityReport, EngineError> {
        let threads = std::thread::available_parallelism().ok();
        Ok(CapabilityReport {
            user_agent: user_agent(),
            hardware_concurrency: threads.map(|count| count.get() as u32),
            ..CapabilityReport::default()
        })
    }

    fn bundle(&self) -> &'static str {
        "native"
    }
}
