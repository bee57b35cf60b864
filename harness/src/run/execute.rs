//! Carries a plan out: workers, the dispatcher, and a stop by the user.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use axum::Router;
use http::HeaderValue;
use inference_wasm::client::router::RouterConfig;
use tokio::sync::{mpsc, watch};

use super::context::RunContext;
use super::dispatcher::{Dispatcher, WorkerMessage};
use super::event::{LOG_VERSION, RunEvent, RunEventKind};
use super::exit::Exit;
use super::mutant::Mutant;
use super::{schedule, worker};
use crate::drive::browser::{Launcher, max_sessions};
use crate::drive::server::{ModelShelf, Server};
use crate::fetch::models::Model;
use crate::judge::golden::Traces;
use crate::plan::{Plan, ResolvedCell};
use crate::serve::{self, Options, SetupError};
use crate::spec::matrix::Matrix;

/// The inputs of a run.
pub struct Run<'a> {
    /// The matrix that the plan was made from.
    pub matrix: &'a Matrix,
    /// The cells, with what is expected of each.
    pub plan: &'a Plan,
    /// The runnable cells of the plan, with everything that their attempts need.
    pub cells: &'a [ResolvedCell<'a>],
    /// Serves the pages.
    pub server: &'a Server,
    /// Launches browsers.
    pub launcher: &'a Launcher,
    /// The number of groups of cells that run at a time.
    pub jobs: usize,
    /// A defect to build into every load.
    pub mutant: Option<Mutant>,
    /// The golden traces of the hybrid client.
    pub traces: &'a Traces,
}

/// Runs a plan to its end and returns how the command ends. Every event goes to `sink`, in order.
///
/// `interrupt` resolves when the user stops the run: browsers are closed then, and open cells are
/// settled as not run.
pub async fn run(
    run: &Run<'_>,
    interrupt: impl Future<Output = ()>,
    sink: &mut dyn FnMut(&RunEvent),
) -> Exit {
    let mut dispatcher = Dispatcher::start(&run.plan.cells, started(run), sink);
    let (messages, mut inbox) = mpsc::unbounded_channel();
    let (stopper, stop) = watch::channel(false);
    let shelf = ModelShelf::default();
    let tier = server_tier(run).unwrap_or_else(|error| {
        let message = format!("the server tier could not be started: {error}");
        dispatcher.handle(WorkerMessage::Event(Box::new(RunEventKind::Note { message })));
        None
    });
    let context = RunContext {
        retries: run.matrix.retries,
        server: run.server,
        launcher: run.launcher,
        shelf: &shelf,
        mutant: run.mutant,
        tier: tier.as_ref(),
        traces: run.traces,
        messages,
        stop,
    };
    let groups = schedule::groups(run.cells);
    let workers =
        schedule::run_all(groups, run.jobs, max_sessions, |group| worker::work(&context, group));
    tokio::pin!(workers, interrupt);
    let mut is_interrupted = false;
    loop {
        tokio::select! {
            biased;
            Some(message) = inbox.recv() => dispatcher.handle(message),
            () = &mut interrupt, if !is_interrupted => {
                is_interrupted = true;
                stopper.send_replace(true);
            }
            () = &mut workers => break,
        }
    }
    while let Ok(message) = inbox.try_recv() {
        dispatcher.handle(message);
    }
    let is_narrowed = !run.plan.narrowed_by.is_empty();
    dispatcher.finish(is_interrupted, |settled| {
        let settled = settled.iter().map(|(cell, expected, verdict)| (cell, expected, verdict));
        crate::plan::floors::missed(&run.matrix.floors, settled, is_narrowed)
    })
}

fn started(run: &Run<'_>) -> RunEventKind {
    RunEventKind::RunStarted {
        log_version: LOG_VERSION,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        matrix: run.matrix.name.clone(),
        narrowed_by: run.plan.narrowed_by.clone(),
        cells: run.plan.cells.clone(),
        server_cost_per_1k_tokens: run.matrix.server_cost_per_1k_tokens,
    }
}

/// The number of requests that the server tier computes at a time: pages ask one after another.
const TIER_CONCURRENCY: usize = 1;

/// The server tier, shared by all attempts of a run; `None` where no cell needs it.
fn server_tier(run: &Run<'_>) -> Result<Option<Router>, SetupError> {
    let needs_server =
        |cell: &&ResolvedCell<'_>| cell.client().is_some_and(|client| client.settings.has_server);
    let cells = run.cells.iter().filter(needs_server);
    let paths: BTreeMap<_, _> = cells.map(|cell| (&cell.id.model, &cell.model.path)).collect();
    let models = paths.into_iter().map(|(name, path)| Model {
        name: name.clone(),
        path: path.clone(),
        entry: None,
    });
    let models: Vec<_> = models.collect();
    if models.is_empty() {
        return Ok(None);
    }
    let options = Options {
        models,
        key: None,
        // The page sends its origin, as it would to a server of its own site.
        allow_origins: HeaderValue::from_str(&run.server.origin()).into_iter().collect(),
        concurrency: TIER_CONCURRENCY,
        queue_timeout: Duration::from_secs(30),
        request_timeout: Duration::from_mins(2),
        analytics: None,
        router: RouterConfig::default(),
    };
    serve::router(options).map(Some)
}
