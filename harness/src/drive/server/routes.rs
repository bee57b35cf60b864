//! The server's routes, and the handlers of weights, shims and the server tier.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use http::{HeaderMap, StatusCode, Uri, header};

use super::fault::{ShardSent, sends};
use super::shared::Shared;
use super::{assets, ingest, model};
use crate::spec::fault::{Fault, Means};

/// The size limit of a batch of events, in bytes.
pub(super) const EVENTS_LIMIT: usize = 16 << 20;

/// The size limit of the logits of one command, in bytes.
const LOGITS_LIMIT: usize = 512 << 20;

pub(super) fn router(shared: Arc<Shared>) -> Router {
    let logits = post(ingest::logits).layer(DefaultBodyLimit::max(LOGITS_LIMIT));
    let events = post(ingest::events).layer(DefaultBodyLimit::max(EVENTS_LIMIT));
    Router::new()
        .route("/{token}/", get(assets::index))
        .route("/{token}/{*path}", get(assets::file))
        .route("/{token}/models/{shard}", get(shard))
        .route("/{token}/fault/{name}", get(shim))
        .route("/{token}/tier/{*path}", any(tier))
        .route("/{token}/events", events)
        .route("/{token}/logits/{command}", logits)
        .layer(axum::middleware::map_response(assets::isolate))
        .with_state(shared)
}

/// `GET models/{shard}`.
async fn shard(
    State(shared): State<Arc<Shared>>,
    Path((token, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let attempt = shared.attempt(&token);
    if let Some(site) = attempt.as_ref().and_then(|attempt| attempt.site()) {
        return site.shard(&name, &headers).await;
    }
    let found = attempt.and_then(|attempt| {
        let setup = attempt.setup();
        let model = setup.model?;
        let index = model.index_of(&format!("models/{name}"))?;
        Some((model, index, setup.fault))
    });
    let Some((model, index, fault)) = found else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let count = model.manifest.shards.len();
    let sent = fault.map_or(ShardSent::Whole, |fault| sends(fault, index, count));
    model::send(model, index, sent, &headers, |_, _| {}).await
}

/// `GET fault/{name}`: a shim.
async fn shim(
    State(shared): State<Arc<Shared>>,
    Path((token, name)): Path<(String, String)>,
) -> Response {
    let is_client = shared.attempt(&token).is_some_and(|attempt| attempt.site().is_some());
    let source = Fault::ALL.iter().find_map(|fault| match fault.means() {
        Means::Shim(shim) if name.strip_suffix(".js") == Some(shim.name) => Some(shim.source),
        _ => None,
    });
    match source.filter(|_| is_client) {
        Some(source) => {
            ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], source).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Anything under `tier/`: the server tier.
async fn tier(
    State(shared): State<Arc<Shared>>,
    Path((token, path)): Path<(String, String)>,
    mut request: Request,
) -> Response {
    let site = shared.attempt(&token).and_then(|attempt| attempt.site());
    let Some(site) = site else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let Ok(uri) = Uri::try_from(format!("/{path}")) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    *request.uri_mut() = uri;
    site.ask_tier(request).await
}
