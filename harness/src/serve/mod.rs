//! The server tier and the control plane: answers of the native engine over HTTP, where a request
//! is best answered, which models there are, and how it went.
//!
//! Everything that comes in is held against the schemas that the API publishes of itself, and
//! every refusal is a [`Problem`]. What is decided about a request is the client's own router;
//! what is computed is the engine's business, and this only lends it out.

mod analytics;
mod body;
mod decide;
mod engines;
mod generate;
mod key;
mod models;
mod operations;
mod origin;
mod problem;
mod schema;
mod steps;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use http::HeaderValue;
use inference_wasm::client::router::RouterConfig;
use serde_json::Value;
use tokio::time::Instant;

use crate::fetch::models::Model;
use analytics::Analytics;
use body::Validators;
use engines::Engines;
pub use key::{BadKey, Key};
use models::Shelf;
pub(crate) use models::variant_of;
pub use problem::{FieldError, Problem, ProblemKind};
pub use schema::{GenerateBody, Health, LIMITS, Limits};

/// What an operator decides.
#[derive(Debug)]
pub struct Options {
    /// The models on offer; the first one answers where a request names none.
    pub models: Vec<Model>,
    /// What callers must show; `None` lets everybody in.
    pub key: Option<Key>,
    /// Origins whose pages may call.
    pub allow_origins: Vec<HeaderValue>,
    /// Requests that compute at a time, each on a thread and a copy of its model.
    pub concurrency: usize,
    /// How long a request waits for its turn.
    pub queue_timeout: Duration,
    /// How long a request may take in all.
    pub request_timeout: Duration,
    /// Where analytics records go.
    pub analytics: Option<PathBuf>,
    /// How requests are routed.
    pub router: RouterConfig,
}

/// Why the API can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// There is nothing to answer with.
    #[error("no model is on offer, expected one or more")]
    NoModel,
    /// A model's name can't stand in an address.
    #[error("model `{0}` is on offer, expected a name of letters, digits, `.`, `-` and `_`")]
    Name(String),
    /// Two models can't be told apart.
    #[error("two models are called `{0}`, expected each name once")]
    Twice(String),
    /// The file for analytics; the message names it.
    #[error(transparent)]
    Analytics(#[from] std::io::Error),
    /// A schema of ours is none.
    #[error("the API's own schema is not valid: {0}")]
    Schema(String),
}

/// What handlers share.
#[derive(Debug)]
pub(crate) struct Api {
    models: Shelf,
    engines: Engines,
    validators: Validators,
    document: Value,
    analytics: Analytics,
    key: Option<Key>,
    allow_origins: Vec<HeaderValue>,
    request_timeout: Duration,
    router: RouterConfig,
    counts: Counts,
}

/// What became of requests to generate, for `/healthz`.
#[derive(Debug, Default)]
struct Counts {
    answered: AtomicU64,
    cancelled: AtomicU64,
    failed: AtomicU64,
    refused: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// The whole API, to be served. Needs a tokio runtime as soon as a request comes.
pub fn router(options: Options) -> Result<Router, SetupError> {
    Ok(routes(&Arc::new(Api::new(options)?)))
}

impl Api {
    fn new(options: Options) -> Result<Self, SetupError> {
        check_names(&options.models)?;
        let document = operations::document();
        Ok(Self {
            models: Shelf::new(options.models),
            engines: Engines::new(options.concurrency, options.queue_timeout),
            validators: Validators::new(&document).map_err(SetupError::Schema)?,
            document,
            analytics: Analytics::open(options.analytics.as_deref())?,
            key: options.key,
            allow_origins: options.allow_origins,
            request_timeout: options.request_timeout,
            router: options.router,
            counts: Counts::default(),
        })
    }
}

fn routes(api: &Arc<Api>) -> Router {
    let (open, locked): (Vec<_>, Vec<_>) =
        operations::all().into_iter().partition(|operation| operation.is_open);
    let add = |router: Router<Arc<Api>>, operation: operations::Operation| {
        router.route(operation.path, operation.handler)
    };
    let open = open.into_iter().fold(Router::new(), add);
    let locked = locked
        .into_iter()
        .fold(Router::new(), add)
        .route_layer(from_fn_with_state(api.clone(), key::check));
    open.merge(locked)
        .fallback(async || Problem::new(ProblemKind::NotFound, "there is nothing at this path"))
        .method_not_allowed_fallback(async || {
            Problem::new(ProblemKind::MethodNotAllowed, "this path has other methods")
        })
        .layer(DefaultBodyLimit::max(LIMITS.body_bytes))
        .layer(from_fn_with_state(api.clone(), origin::check))
        .layer(origin::cors(&api.allow_origins))
        .layer(from_fn(log))
        .with_state(api.clone())
}

fn check_names(models: &[Model]) -> Result<(), SetupError> {
    if models.is_empty() {
        return Err(SetupError::NoModel);
    }
    let mut names = BTreeSet::new();
    for Model { name, .. } in models {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_allowed) {
            return Err(SetupError::Name(name.clone()));
        }
        if !names.insert(name) {
            return Err(SetupError::Twice(name.clone()));
        }
    }
    Ok(())
}

/// A line for each request, without anything of its content.
async fn log(request: Request, next: Next) -> Response {
    let began = Instant::now();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = next.run(request).await;
    // For a stream this is the time to its beginning.
    let (status, ms) = (response.status().as_u16(), began.elapsed().as_millis());
    tracing::info!("{method} {path} {status} {ms} ms");
    response
}

/// `GET /api/v1/openapi.json`.
async fn document(State(api): State<Arc<Api>>) -> axum::Json<Value> {
    axum::Json(api.document.clone())
}

/// `GET /healthz`.
async fn health(State(api): State<Arc<Api>>) -> axum::Json<Health> {
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    axum::Json(Health {
        status: schema::Status::Ok,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        models: api.models.names().map(str::to_owned).collect(),
        running: api.engines.running() as u32,
        answered: read(&api.counts.answered),
        cancelled: read(&api.counts.cancelled),
        failed: read(&api.counts.failed),
        refused: read(&api.counts.refused),
        analytics_records: api.analytics.records(),
    })
}

#[cfg(test)]
mod tests;
