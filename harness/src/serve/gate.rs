//! Which pages may call: none, unless the operator names their origin.
//!
//! CORS keeps answers from a page that asks without leave, and not the request from the engine.
//! Without a key a page anywhere could make a server on loopback compute, so that a request with a
//! foreign origin is refused before it is looked at.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Method, header};
use tower_http::cors::CorsLayer;

use super::api::Api;
use super::problem::{Problem, ProblemKind};

/// Refuses requests from pages of other origins than the allowed ones. A client that
/// isn't a page sends no origin.
pub(super) async fn check_origin(
    State(api): State<Arc<Api>>,
    request: Request,
    next: Next,
) -> Response {
    match request.headers().get(header::ORIGIN) {
        Some(origin) if !api.allow_origins.contains(origin) => {
            let detail = "this server was not started with `--allow-origin` for it";
            Problem::new(ProblemKind::OriginNotAllowed, detail).into_response()
        }
        Some(_) | None => next.run(request).await,
    }
}

/// Refuses requests without the key, if the operator set one.
pub(super) async fn check_key(
    State(api): State<Arc<Api>>,
    request: Request,
    next: Next,
) -> Response {
    match &api.key {
        Some(key) if !key.admits(request.headers()) => {
            Problem::new(ProblemKind::Unauthorized, "expected `Authorization: Bearer KEY`")
                .into_response()
        }
        Some(_) | None => next.run(request).await,
    }
}

/// The headers of CORS for allowed origins.
pub(super) fn cors(origins: &[HeaderValue]) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(origins.to_vec())
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE, header::RANGE])
        .expose_headers([header::RETRY_AFTER])
}
