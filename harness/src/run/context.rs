//! What the workers of a run share.

use axum::Router;
use tokio::sync::{mpsc, watch};

use super::dispatcher::WorkerMessage;
use super::mutant::Mutant;
use crate::drive::browser::Launcher;
use crate::drive::server::{ModelShelf, Server};
use crate::judge::golden::Traces;

/// The services that every worker uses.
pub(crate) struct RunContext<'a> {
    /// Attempts after infrastructure trouble, besides the first one.
    pub(crate) retries: u32,
    /// Serves the pages.
    pub(crate) server: &'a Server,
    /// Launches browsers.
    pub(crate) launcher: &'a Launcher,
    /// Models in shards.
    pub(crate) shelf: &'a ModelShelf,
    /// A defect to build into every load.
    pub(crate) mutant: Option<Mutant>,
    /// The server tier that the hybrid client falls back to.
    pub(crate) tier: Option<&'a Router>,
    /// The golden traces of the hybrid client.
    pub(crate) traces: &'a Traces,
    /// To the dispatcher.
    pub(crate) messages: mpsc::UnboundedSender<WorkerMessage>,
    /// Becomes true when the user stops the run.
    pub(crate) stop: watch::Receiver<bool>,
}
