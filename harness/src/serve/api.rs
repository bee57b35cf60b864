//! What an operator decides, and the state that handlers share.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::HeaderValue;
use inference_wasm::client::router::RouterConfig;
use serde_json::Value;

use super::analytics::Analytics;
use super::engines::Engines;
use super::key::Key;
use super::models::Shelf;
use super::validators::Validators;
use crate::fetch::models::Model;

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
    /// Two models can't be distinguished.
    #[error("two models are called `{0}`, expected each name once")]
    Twice(String),
    /// The file for analytics; the message names it.
    #[error(transparent)]
    Analytics(#[from] std::io::Error),
    /// A schema of ours is none.
    #[error("the API's own schema is not valid: {0}")]
    Schema(String),
}

/// The state that handlers share.
#[derive(Debug)]
pub(crate) struct Api {
    pub(super) models: Shelf,
    pub(super) engines: Engines,
    pub(super) validators: Validators,
    pub(super) document: Value,
    pub(super) analytics: Analytics,
    pub(super) key: Option<Key>,
    pub(super) allow_origins: Vec<HeaderValue>,
    pub(super) request_timeout: Duration,
    pub(super) router: RouterConfig,
    pub(super) counts: Counts,
}

/// What became of requests to generate, for `/healthz`.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) answered: AtomicU64,
    pub(super) cancelled: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) refused: AtomicU64,
}

pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Api {
    /// `document` is the OpenAPI document, against whose schemas bodies are checked.
    pub(super) fn new(options: Options, document: Value) -> Result<Self, SetupError> {
        check_names(&options.models)?;
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
