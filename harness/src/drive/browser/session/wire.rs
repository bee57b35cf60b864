//! Plain WebDriver requests, for what must go over the wire exactly as we say.
//!
//! Everything else goes through `fantoccini`, which adds capabilities of its own to a New Session
//! request and serialises its requests, so that nothing gets through after one that hangs.

use axum::body::{Body, Bytes, to_bytes};
use http::{Method, Request};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use crate::drive::browser::trouble::{TroubleKind, refusal};

/// No answer of a driver that we ask for here is larger; a screenshot is not among them.
const ANSWER_LIMIT: usize = 16 << 20;

/// A driver's address.
#[derive(Debug, Clone)]
pub(crate) struct Wire {
    base: String,
    client: Client<HttpConnector, Body>,
}

impl Wire {
    /// To the driver at `http://127.0.0.1:PORT/`.
    pub(crate) fn new(base: &str) -> Self {
        let client = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
        Self { base: base.to_owned(), client }
    }

    /// `value` of the answer to a GET.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, TroubleKind> {
        self.send(Method::GET, path, Bytes::new()).await
    }

    /// `value` of the answer to a POST.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value, TroubleKind> {
        self.send(Method::POST, path, body.to_string().into()).await
    }

    async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<Value, TroubleKind> {
        let other = |message: String| TroubleKind::Http { message };
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(http::header::CONTENT_TYPE, "application/json; charset=utf-8")
            .body(Body::from(body))
            .map_err(|error| other(error.to_string()))?;
        let response = self.client.request(request).await;
        let response = response.map_err(|error| other(format!("no answer: {error}")))?;
        let status = response.status();
        let body = to_bytes(Body::new(response.into_body()), ANSWER_LIMIT).await;
        let body = body.map_err(|error| other(format!("the answer broke off: {error}")))?;
        let mut answer: Value = serde_json::from_slice(&body).map_err(|_| {
            other(format!("HTTP status {status} with an answer that is not valid JSON"))
        })?;
        let value = answer.get_mut("value").map(Value::take);
        let value = value.ok_or_else(|| other("the answer has no `value`".to_owned()))?;
        let Some(error) = value.get("error").and_then(Value::as_str) else {
            return Ok(value);
        };
        let message = value.get("message").and_then(Value::as_str).unwrap_or_default();
        Err(refusal(error, message))
    }
}
