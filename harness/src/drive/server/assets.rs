//! The bundle's files, and the headers of every answer.

use std::io::ErrorKind;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, Request, StatusCode, header};
use tower_http::services::ServeDir;

use super::shared::Shared;

/// Together, these two headers make a page `crossOriginIsolated`: shared memory and fine timers.
const ISOLATION: [(HeaderName, &str); 2] = [
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-embedder-policy"), "require-corp"),
];

/// Headers of every answer, with the reason for each.
const HEADERS: [(HeaderName, &str); 3] = [
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    // Every attempt fetches for itself: the browser's cache would be a hidden input.
    (header::CACHE_CONTROL, "no-store"),
    // A wrong MIME type must fail here as it would on a strict site.
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
];

/// Marks the response of a page that is not isolated.
#[derive(Debug, Clone, Copy)]
struct NotIsolated;

pub(super) async fn isolate(mut response: Response) -> Response {
    for (name, value) in ISOLATION.into_iter().chain(HEADERS) {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    if response.extensions().get::<NotIsolated>().is_some() {
        for (name, _) in ISOLATION {
            response.headers_mut().remove(name);
        }
    }
    response
}

pub(super) async fn index(state: State<Arc<Shared>>, Path(token): Path<String>) -> Response {
    file(state, Path((token, "index.html".to_owned()))).await
}

pub(super) async fn file(
    State(shared): State<Arc<Shared>>,
    Path((token, path)): Path<(String, String)>,
) -> Response {
    let Some(attempt) = shared.attempt(&token) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    // A worker is what its page is, so that the page's own file decides.
    let is_page =
        std::path::Path::new(&path).extension().is_some_and(|extension| extension == "html");
    let is_isolated = !is_page || attempt.site().is_none_or(|site| site.network().is_isolated());
    // None of our files has a name that a URL can't hold.
    let Ok(request) = Request::get(format!("/{path}")).body(Body::empty()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut folder = ServeDir::new(&shared.bundle).append_index_html_on_directories(false);
    match folder.try_call(request).await {
        Ok(response) => {
            let mut response = response.map(Body::new);
            if !is_isolated {
                response.extensions_mut().insert(NotIsolated);
            }
            response
        }
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            StatusCode::NOT_FOUND.into_response()
        }
        Err(error) => {
            tracing::error!("`{}/{path}` can't be read: {error}", shared.bundle.display());
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
