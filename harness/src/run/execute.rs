//! From a plan to verdicts: attempts, retries, deadlines, and the one stream of events.
//!
//! [`run`] is the whole of it: workers take groups of cells, the dispatcher turns what they say
//! into events, and a stop by the user ends them in order.

mod client;
mod conversation;
pub(crate) mod dispatcher;
pub mod event;
mod executor;
pub mod exit;
pub mod generate;
mod judge;
pub mod ops;
mod prepare;
mod schedule;
mod seeded;
mod worker;

use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use axum::Router;
use futures::StreamExt;
use http::HeaderValue;
use inference_wasm::client::router::RouterConfig;
use tokio::sync::{mpsc, watch};

use crate::drive::browser::Launcher;
use crate::drive::server::{ModelShelf, Server};
use crate::fetch::models::Model;
use crate::judge::golden::Traces;
use crate::plan::Plan;
use crate::plan::expectation::Facts;
use crate::serve::{self, Options, SetupError};
use crate::spec::cell::CellId;
use dispatcher::{Dispatcher, WorkerMessage};
use event::{LOG_VERSION, RunEvent, RunEventKind};
use exit::Exit;
use worker::Shop;

pub(crate) use conversation::{Conversation, End, Watch, outcome_of, unexpected_error};
pub use prepare::{Inputs, ModelFile, UnusableGoldens, requests};
pub use seeded::Seeded;
pub(crate) use worker::probe;

/// What a run is made of.
pub struct Run<'a> {
    /// The cells.
    pub plan: &'a Plan,
    /// What they are judged by.
    pub inputs: &'a Inputs<'a>,
    /// What is known of this machine.
    pub facts: &'a Facts,
    /// Serves the pages.
    pub server: &'a Server,
    /// Launches browsers.
    pub launcher: &'a Launcher,
    /// Browsers have windows.
    pub is_headed: bool,
    /// Groups at work at a time.
    pub jobs: usize,
    /// A defect to build into every load.
    pub fault: Option<Seeded>,
    /// What the hybrid client's traces are held against.
    pub traces: &'a Traces,
}

/// Runs a plan to its end and says how the command ends. Every event goes to `sink`, in order.
///
/// `interrupt` resolves when the user stops the run: browsers are closed then, and what is open
/// is settled as not run.
pub async fn run(
    run: &Run<'_>,
    interrupt: impl Future<Output = ()>,
    sink: &mut dyn FnMut(&RunEvent),
) -> Exit {
    let started = RunEventKind::RunStarted {
        log_version: LOG_VERSION,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        matrix: run.inputs.matrix().name.clone(),
        narrowed_by: run.plan.narrowed_by.clone(),
        cells: run.plan.cells.clone(),
        server_cost_per_1k_tokens: run.inputs.matrix().server_cost_per_1k_tokens,
    };
    let mut dispatcher = Dispatcher::start(&run.plan.cells, started, sink);
    let (messages, mut inbox) = mpsc::unbounded_channel();
    let (stopper, stop) = watch::channel(false);
    let shelf = ModelShelf::default();
    let tier = match server_tier(run) {
        Ok(tier) => tier,
        Err(error) => {
            let message = format!("there is no server tier: {error}");
            dispatcher.handle(WorkerMessage::Event(Box::new(RunEventKind::Note { message })));
            None
        }
    };
    let shop = Shop {
        tier: tier.as_ref(),
        traces: run.traces,
        inputs: run.inputs,
        facts: run.facts,
        server: run.server,
        launcher: run.launcher,
        shelf: &shelf,
        fault: run.fault,
        messages,
        stop,
    };
    let runnable = run.plan.runnable().map(|planned| &planned.cell);
    let profile = |cell: &CellId| run.inputs.matrix().profile(cell, run.is_headed);
    let groups = schedule::groups(runnable, profile);
    let workers = futures::stream::iter(groups)
        .for_each_concurrent(run.jobs.max(1), |group| worker::work(&shop, group));
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
    let floors = &run.inputs.matrix().floors;
    let is_narrowed = !run.plan.narrowed_by.is_empty();
    dispatcher.finish(is_interrupted, |settled| {
        let settled = settled.iter().map(|(cell, expected, verdict)| (cell, expected, verdict));
        crate::plan::floors::missed(floors, settled, is_narrowed)
    })
}

/// Requests that the server tier computes at a time: pages ask one after the other.
const TIER_CONCURRENCY: usize = 1;

/// The server tier, shared by all attempts of a run; `None` where no cell asks it.
fn server_tier(run: &Run<'_>) -> Result<Option<Router>, SetupError> {
    let matrix = run.inputs.matrix();
    let asks = run.plan.runnable().filter(|planned| {
        let client = matrix.client(&planned.cell);
        client.is_some_and(|client| client.settings.has_server)
    });
    let names: BTreeSet<&str> = asks.map(|planned| planned.cell.model.as_str()).collect();
    let models = names.into_iter().filter_map(|name| {
        let path = run.inputs.model(name)?.path.clone();
        Some(Model { name: name.to_owned(), path, entry: None })
    });
    let models: Vec<_> = models.collect();
    if models.is_empty() {
        return Ok(None);
    }
    let options = Options {
        models,
        key: None,
        // The page sends its origin along, as to a server of its own site.
        allow_origins: HeaderValue::from_str(&run.server.origin()).into_iter().collect(),
        concurrency: TIER_CONCURRENCY,
        queue_timeout: Duration::from_secs(30),
        request_timeout: Duration::from_mins(2),
        analytics: None,
        router: RouterConfig::default(),
    };
    serve::router(options).map(Some)
}
