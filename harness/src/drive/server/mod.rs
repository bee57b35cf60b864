//! Our own web server on 127.0.0.1: the bundle, the model's shards, and what pages send back.
//!
//! One for a run. Every attempt gets a token that can't be guessed, and everything of the attempt
//! lies under it, so that a page left over from an earlier attempt reaches nobody. Control does
//! not go this way but over WebDriver, and what an event means is decided in [`crate::run`].
//!
//! 127.0.0.1 is a secure context without TLS, and the headers give cross-origin isolation, so
//! that WebGPU and shared memory are there as on a well-kept site.
//!
//! The server tier and the control plane are a router of their own: [`api`].

mod assets;
mod attempt;
mod fault;
mod ingest;
pub(crate) mod model;
mod site;
mod thread;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{any, get, post};
use inference_wasm::protocol::PageEvent;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

pub(crate) use fault::{ShardSent, Traffic, sends};
pub use model::{DEFAULT_SHARD_BYTES, ModelShelf, ServedModel};
pub(crate) use site::ClientSite;
pub use thread::EngineThread;

use attempt::Attempt;

use crate::spec::bundle::BundleChoice;
use crate::spec::fault::ShardFault;

/// The most that a batch of events may weigh.
const EVENTS_LIMIT: usize = 16 << 20;

/// The most that the logits of one command may weigh.
const LOGITS_LIMIT: usize = 512 << 20;

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    port: u16,
    task: JoinHandle<()>,
}

/// What a page is served.
#[derive(Debug, Clone, Default)]
pub struct PageSetup {
    /// The model whose shards lie under `models/`.
    pub model: Option<Arc<ServedModel>>,
    /// What goes wrong with it.
    pub fault: Option<ShardFault>,
}

/// Something that a page said, or said wrongly.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "nearly every signal is an event")]
pub enum PageSignal {
    /// An event, in order.
    Event(PageEvent),
    /// A breach of the protocol: lost events, an unreadable batch, another version.
    Protocol(String),
}

/// What handlers share.
#[derive(Debug)]
pub(crate) struct Shared {
    bundle: PathBuf,
    attempts: Mutex<BTreeMap<String, Arc<Attempt>>>,
}

impl Shared {
    fn attempts(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Attempt>>> {
        // No code that holds the lock can leave the map half changed.
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn attempt(&self, token: &str) -> Option<Arc<Attempt>> {
        self.attempts().get(token).cloned()
    }
}

impl Server {
    /// Starts a server for the bundle in a folder, on a port that the system chooses.
    pub async fn start(bundle: PathBuf) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared { bundle, attempts: Mutex::default() });
        let router = router(shared.clone());
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!("the server ended: {error}");
            }
        });
        Ok(Self { shared, port, task })
    }

    /// Opens a place for one attempt.
    pub fn open(&self, setup: PageSetup) -> std::io::Result<PageHandle> {
        self.place(|sender| Attempt::new(setup, sender))
    }

    /// Opens a place for one visit of the hybrid client.
    pub(crate) fn open_client(&self, site: Arc<ClientSite>) -> std::io::Result<PageHandle> {
        let mut handle = self.place(|sender| Attempt::of_client(site, sender))?;
        handle.url.push_str("client.html");
        Ok(handle)
    }

    /// The origin of every page.
    pub(crate) fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn place(
        &self,
        attempt: impl FnOnce(mpsc::UnboundedSender<PageSignal>) -> Attempt,
    ) -> std::io::Result<PageHandle> {
        let token = token()?;
        let (sender, signals) = mpsc::unbounded_channel();
        let attempt = Arc::new(attempt(sender));
        self.shared.attempts().insert(token.clone(), attempt.clone());
        let url = format!("{}/{token}/", self.origin());
        Ok(PageHandle { url, signals, attempt, token, shared: self.shared.clone() })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The host's end of one attempt. Dropping it closes the place.
#[derive(Debug)]
pub struct PageHandle {
    /// Where the page is.
    pub url: String,
    /// What the page says, in order.
    pub signals: mpsc::UnboundedReceiver<PageSignal>,
    attempt: Arc<Attempt>,
    token: String,
    shared: Arc<Shared>,
}

impl PageHandle {
    /// The same place, for a page that is told which bundle to load, and on which thread.
    #[must_use]
    pub fn choosing(mut self, choice: BundleChoice, thread: EngineThread) -> Self {
        self.url.push_str(&choice.query());
        self.url.push_str(thread.query());
        self
    }

    /// The same place, for a page that gathers its events for so long before it sends them, unless
    /// one can't wait. For after [`choosing`](Self::choosing).
    #[must_use]
    pub(crate) fn gathering(mut self, time: Duration) -> Self {
        self.url.push_str(&format!("&gather={}", time.as_millis()));
        self
    }

    /// Replaces what the page is served, for a scenario that loads more than once.
    pub fn serve(&self, setup: PageSetup) {
        self.attempt.serve(setup);
    }

    /// The logits that a command has delivered, row after row; once.
    pub fn take_logits(&self, command: u32) -> Option<Vec<f32>> {
        self.attempt.take_logits(command)
    }
}

impl Drop for PageHandle {
    fn drop(&mut self) {
        self.shared.attempts().remove(&self.token);
    }
}

fn router(shared: Arc<Shared>) -> Router {
    let logits = post(ingest::logits).layer(DefaultBodyLimit::max(LOGITS_LIMIT));
    let events = post(ingest::events).layer(DefaultBodyLimit::max(EVENTS_LIMIT));
    Router::new()
        .route("/{token}/", get(assets::index))
        .route("/{token}/{*path}", get(assets::file))
        .route("/{token}/models/{shard}", get(model::shard))
        .route("/{token}/fault/{name}", get(site::shim))
        .route("/{token}/tier/{*path}", any(site::tier))
        .route("/{token}/events", events)
        .route("/{token}/logits/{command}", logits)
        .layer(axum::middleware::map_response(assets::isolate))
        .with_state(shared)
}

/// 128 random bits, in hex.
fn token() -> std::io::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
    Ok(hex::encode(bytes))
}

#[cfg(test)]
mod tests;
