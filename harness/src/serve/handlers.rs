//! The handlers of everything but generation.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use inference_wasm::client::router::{self, RoutingDecision, RoutingRequest};
use inference_wasm::client::telemetry::TelemetryRecord;
use serde_json::Value;

use super::api::Api;
use super::body::Checked;
use super::problem::{Problem, ProblemKind};
use super::schema::{Health, ModelList, Status};
use crate::drive::server::model;

/// `POST /api/v1/browser/route`: the client's own router, so that both sides decide alike.
pub(super) async fn route(
    State(api): State<Arc<Api>>,
    Checked(request): Checked<RoutingRequest>,
) -> Json<RoutingDecision> {
    Json(router::route(&request, &api.router, &api.models.registry().await))
}

/// `GET /api/v1/browser/models`.
pub(super) async fn list(State(api): State<Arc<Api>>) -> Json<ModelList> {
    Json(ModelList { models: api.models.registry().await })
}

/// `GET /api/v1/browser/models/{id}/{shard}`.
pub(super) async fn shard(
    State(api): State<Arc<Api>>,
    Path((id, shard)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let opened = api.models.open(Some(&id)).await?;
    let Some(index) = opened.served.index_of(&format!("models/{shard}")) else {
        return Err(Problem::new(ProblemKind::NotFound, "the model has no such shard"));
    };
    Ok(model::read(opened.served.clone(), index, false, &headers).await)
}

/// `POST /api/v1/browser/analytics`.
pub(super) async fn record(
    State(api): State<Arc<Api>>,
    Checked(record): Checked<TelemetryRecord>,
) -> Result<StatusCode, Problem> {
    match api.analytics.add(&record).await {
        Ok(()) => Ok(StatusCode::ACCEPTED),
        Err(error) => {
            tracing::error!("an analytics record is lost: {error}");
            Err(Problem::new(ProblemKind::EngineFailed, "the record can't be written"))
        }
    }
}

/// `GET /api/v1/openapi.json`.
pub(super) async fn document(State(api): State<Arc<Api>>) -> Json<Value> {
    Json(api.document.clone())
}

/// `GET /healthz`.
pub(super) async fn health(State(api): State<Arc<Api>>) -> Json<Health> {
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    Json(Health {
        status: Status::Ok,
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
