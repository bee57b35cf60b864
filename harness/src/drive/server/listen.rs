//! A running server, and the host's end of each attempt.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::attempt::{Attempt, PageSetup, PageSignal};
use super::routes::router;
use super::shared::Shared;
use super::site::ClientSite;
use super::thread::EngineThread;
use crate::spec::bundle::BundleChoice;

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    port: u16,
    task: JoinHandle<()>,
}

impl Server {
    /// Starts a server for the bundle in a folder, on a port that the system chooses.
    pub async fn start(bundle: PathBuf) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared::new(bundle));
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
    /// The page's URL.
    pub url: String,
    /// The page's signals, in order.
    pub signals: mpsc::UnboundedReceiver<PageSignal>,
    attempt: Arc<Attempt>,
    token: String,
    shared: Arc<Shared>,
}

impl PageHandle {
    /// The same place, for a page that gets its bundle and thread as parameters.
    #[must_use]
    pub fn choosing(mut self, choice: BundleChoice, thread: EngineThread) -> Self {
        self.url.push_str(&choice.query());
        self.url.push_str(thread.query());
        self
    }

    /// The same place, for a page that batches its events for this long before it sends them,
    /// unless one is urgent. For after [`choosing`](Self::choosing).
    #[must_use]
    pub(crate) fn gathering(mut self, time: Duration) -> Self {
        self.url.push_str(&format!("&gather={}", time.as_millis()));
        self
    }

    /// Replaces the served model and faults, for a scenario that loads more than once.
    pub fn serve(&self, setup: PageSetup) {
        self.attempt.serve(setup);
    }

    /// Takes the logits that a command has delivered, row after row.
    pub fn take_logits(&self, command: u32) -> Option<Vec<f32>> {
        self.attempt.take_logits(command)
    }
}

impl Drop for PageHandle {
    fn drop(&mut self) {
        self.shared.attempts().remove(&self.token);
    }
}

/// 128 random bits, in hex.
fn token() -> std::io::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
    Ok(hex::encode(bytes))
}
