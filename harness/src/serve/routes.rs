//! The API's router.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use tokio::time::Instant;

use super::api::{Api, Options, SetupError};
use super::problem::{Problem, ProblemKind};
use super::schema::LIMITS;
use super::{gate, operations};

/// The whole API. Needs a tokio runtime as soon as a request comes.
pub fn router(options: Options) -> Result<Router, SetupError> {
    Ok(routes(&Arc::new(Api::new(options, operations::document())?)))
}

pub(super) fn routes(api: &Arc<Api>) -> Router {
    let (open, locked): (Vec<_>, Vec<_>) =
        operations::all().into_iter().partition(|operation| operation.is_open);
    let add = |router: Router<Arc<Api>>, operation: operations::Operation| {
        router.route(operation.path, operation.handler)
    };
    let open = open.into_iter().fold(Router::new(), add);
    let locked = locked
        .into_iter()
        .fold(Router::new(), add)
        .route_layer(from_fn_with_state(api.clone(), gate::check_key));
    open.merge(locked)
        .fallback(async || Problem::new(ProblemKind::NotFound, "nothing exists at this path"))
        .method_not_allowed_fallback(async || {
            Problem::new(ProblemKind::MethodNotAllowed, "this path takes other methods")
        })
        .layer(DefaultBodyLimit::max(LIMITS.body_bytes))
        .layer(from_fn_with_state(api.clone(), gate::check_origin))
        .layer(gate::cors(&api.allow_origins))
        .layer(from_fn(log))
        .with_state(api.clone())
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
