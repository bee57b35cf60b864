//! `POST /api/v1/browser/route`: in the browser, or here.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use inference_wasm::client::registry::ModelVariant;
use inference_wasm::client::router::{self, RouterConfig, RoutingDecision, RoutingRequest};

use super::Api;
use super::body::Checked;

/// Where a request is answered: the client's own router, so that both sides decide alike.
fn decide(
    request: &RoutingRequest,
    config: &RouterConfig,
    registry: &[ModelVariant],
) -> RoutingDecision {
    router::route(request, config, registry)
}

pub(super) async fn route(
    State(api): State<Arc<Api>>,
    Checked(request): Checked<RoutingRequest>,
) -> Json<RoutingDecision> {
    Json(decide(&request, &api.router, &api.models.registry().await))
}
