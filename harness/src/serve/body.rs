//! Reads the body of a request and checks it; reports everything that is wrong with it.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use http::{HeaderMap, StatusCode, header};
use serde_json::Value;

use super::api::Api;
use super::checks::Body;
use super::problem::{FieldError, Problem, ProblemKind};
use super::schema::LIMITS;

/// A body that passed every check.
pub(super) struct Checked<T>(pub(super) T);

impl<T: Body> FromRequest<Arc<Api>> for Checked<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            let detail = "expected `Content-Type: application/json`";
            return Err(Problem::new(ProblemKind::UnsupportedMediaType, detail));
        }
        let bytes = tokio::time::timeout(api.request_timeout, Bytes::from_request(request, api));
        let bytes = bytes.await.map_err(|_| {
            Problem::new(ProblemKind::BodyTimeout, "the body was not whole in time")
        })?;
        parse(&bytes.map_err(|rejection| unreadable(&rejection))?, api).map(Self)
    }
}

fn parse<T: Body>(bytes: &[u8], api: &Api) -> Result<T, Problem> {
    let value: Value = serde_json::from_slice(bytes)
        .map_err(|error| Problem::new(ProblemKind::InvalidJson, error.to_string()))?;
    let errors = api.validators.errors(&T::schema_name(), &value);
    if !errors.is_empty() {
        return Err(Problem::invalid_body(errors));
    }
    // What a schema lets through, such as `1.0` for a whole number.
    let body: T = serde_json::from_value(value).map_err(|error| {
        let (pointer, detail) = (String::new(), error.to_string());
        Problem::invalid_body(vec![FieldError { pointer, detail }])
    })?;
    match body.problems(&api.models) {
        errors if errors.is_empty() => Ok(body),
        errors => Err(Problem::invalid_body(errors)),
    }
}

/// Whether the body is announced as JSON. A page can send anything else to a foreign server
/// without asking it first.
fn is_json(headers: &HeaderMap) -> bool {
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media = media.and_then(|media| media.split(';').next()).unwrap_or_default();
    media.trim().eq_ignore_ascii_case("application/json")
}

fn unreadable(rejection: &BytesRejection) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        let detail = format!("expected at most {} bytes", LIMITS.body_bytes);
        return Problem::new(ProblemKind::BodyTooLarge, detail);
    }
    Problem::new(ProblemKind::InvalidJson, "the body broke off")
}
