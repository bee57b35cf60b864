//! Refusals and failures as RFC 9457 has them: `application/problem+json`.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use inference_wasm::protocol::{EngineError, EngineErrorKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What went wrong with a request, for programs and for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// `urn:tierproof:problem:` and the kind; never changes its meaning.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind, in words.
    pub title: String,
    /// The HTTP status, also where a stream had begun with another one.
    pub status: u16,
    /// What went wrong this time.
    pub detail: String,
    /// Everything that is wrong with the body, not only the first error.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// Seconds after which to try again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

/// Something that is wrong with a body.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct FieldError {
    /// Where: a JSON Pointer; empty for the whole body.
    pub pointer: String,
    /// What was expected.
    pub detail: String,
}

/// The kinds of problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemKind {
    /// The body is not valid JSON.
    InvalidJson,
    /// The body came too slowly.
    BodyTimeout,
    /// No key, or the wrong one.
    Unauthorized,
    /// A page of a site that may not call.
    OriginNotAllowed,
    /// Nothing exists at this path.
    NotFound,
    /// The path takes other methods.
    MethodNotAllowed,
    /// The body is larger than any that makes sense.
    BodyTooLarge,
    /// The content type is not JSON.
    UnsupportedMediaType,
    /// JSON, but not what is expected.
    InvalidBody,
    /// Prompt and answer do not fit into the model's context.
    ContextOverflow,
    /// The engine could not do it.
    EngineFailed,
    /// All engines are busy, and the time in the queue is over.
    Busy,
    /// The time for the request is over.
    DeadlineExceeded,
}

impl ProblemKind {
    /// Every kind.
    pub const ALL: [Self; 13] = [
        Self::InvalidJson,
        Self::BodyTimeout,
        Self::Unauthorized,
        Self::OriginNotAllowed,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::BodyTooLarge,
        Self::UnsupportedMediaType,
        Self::InvalidBody,
        Self::ContextOverflow,
        Self::EngineFailed,
        Self::Busy,
        Self::DeadlineExceeded,
    ];

    fn row(self) -> (&'static str, StatusCode, &'static str) {
        match self {
            Self::InvalidJson => {
                ("invalid-json", StatusCode::BAD_REQUEST, "the body is not valid JSON")
            }
            Self::BodyTimeout => {
                ("body-timeout", StatusCode::REQUEST_TIMEOUT, "the body came too slowly")
            }
            Self::Unauthorized => {
                ("unauthorized", StatusCode::UNAUTHORIZED, "the key is missing or wrong")
            }
            Self::OriginNotAllowed => {
                ("origin-not-allowed", StatusCode::FORBIDDEN, "pages of this origin may not call")
            }
            Self::NotFound => ("not-found", StatusCode::NOT_FOUND, "not found"),
            Self::MethodNotAllowed => {
                ("method-not-allowed", StatusCode::METHOD_NOT_ALLOWED, "the method is not allowed")
            }
            Self::BodyTooLarge => {
                ("body-too-large", StatusCode::PAYLOAD_TOO_LARGE, "the body is too large")
            }
            Self::UnsupportedMediaType => (
                "unsupported-media-type",
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "the content type is not JSON",
            ),
            Self::InvalidBody => {
                ("invalid-body", StatusCode::UNPROCESSABLE_ENTITY, "the body is not valid")
            }
            Self::ContextOverflow => (
                "context-overflow",
                StatusCode::UNPROCESSABLE_ENTITY,
                "the request does not fit into the model's context",
            ),
            Self::EngineFailed => {
                ("engine-failed", StatusCode::INTERNAL_SERVER_ERROR, "the engine failed")
            }
            Self::Busy => ("busy", StatusCode::SERVICE_UNAVAILABLE, "all engines are busy"),
            Self::DeadlineExceeded => {
                ("deadline-exceeded", StatusCode::GATEWAY_TIMEOUT, "the request timed out")
            }
        }
    }

    /// The `type` of such a problem.
    pub fn urn(self) -> String {
        format!("urn:tierproof:problem:{}", self.row().0)
    }

    /// The HTTP status that it comes with.
    pub fn status(self) -> StatusCode {
        self.row().1
    }
}

impl Problem {
    /// The media type.
    pub const MEDIA_TYPE: &'static str = "application/problem+json";

    /// A problem of this kind.
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        let (_, status, title) = kind.row();
        Self {
            kind: kind.urn(),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
        }
    }

    /// A body with all that is wrong with it.
    pub fn invalid_body(mut errors: Vec<FieldError>) -> Self {
        errors.sort();
        let detail = match errors.len() {
            1 => "1 error in the body".to_owned(),
            count => format!("{count} errors in the body"),
        };
        Self { errors, ..Self::new(ProblemKind::InvalidBody, detail) }
    }

    /// All engines are busy.
    pub(super) fn busy(wait: Duration) -> Self {
        // The header holds whole seconds, and 0 would invite clients to retry at once.
        let retry_after = Some(wait.as_secs().max(1));
        let detail = "no engine became free in time; try again later";
        Self { retry_after, ..Self::new(ProblemKind::Busy, detail) }
    }
}

impl From<EngineError> for Problem {
    /// An engine's error is the caller's where another request would have been answered.
    fn from(error: EngineError) -> Self {
        match error.kind {
            EngineErrorKind::ContextOverflow => {
                Self::new(ProblemKind::ContextOverflow, error.message)
            }
            EngineErrorKind::InvalidRequest | EngineErrorKind::ChatTemplate => {
                let detail = error.message;
                Self::invalid_body(vec![FieldError { pointer: String::new(), detail }])
            }
            kind => {
                tracing::error!("the engine failed with `{kind}`: {}", error.message);
                Self::new(ProblemKind::EngineFailed, format!("engine error `{kind}`"))
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let media = [(header::CONTENT_TYPE, Self::MEDIA_TYPE)];
        let retry_after = self.retry_after;
        let mut response = (status, media, serde_json::json!(self).to_string()).into_response();
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}
