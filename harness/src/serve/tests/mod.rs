//! The API as a caller sees it, without a socket.

mod generate;
mod refusals;
mod routes;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use http::header::{CONTENT_TYPE, HeaderMap};
use http::{HeaderValue, Method, StatusCode};
use inference_wasm::client::router::RouterConfig;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::api::Api;
use super::routes::routes;
use super::validators::Validators;
use super::*;
use crate::fetch::models::Model;

/// A small model, with a golden of the independent reference.
const MODEL: &str = "scribe-low-Q8_0";

fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn model(name: &str) -> Model {
    let path = fixture(&format!("fixtures/models/{name}.gguf"));
    Model { name: name.to_owned(), path, entry: None }
}

/// An operator without wishes.
fn options() -> Options {
    Options {
        models: vec![model(MODEL), model("scribe-low-Q4_0")],
        key: None,
        allow_origins: Vec::new(),
        concurrency: 1,
        queue_timeout: Duration::from_mins(2),
        request_timeout: Duration::from_mins(2),
        analytics: None,
        router: RouterConfig::default(),
    }
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    async fn of(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Self { status: parts.status, headers: parts.headers, text }
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The kind of problem, without what all kinds begin with.
    fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), Problem::MEDIA_TYPE, "{}", self.text);
        let problem: Problem = serde_json::from_str(&self.text).unwrap();
        assert_eq!(problem.status, self.status.as_u16());
        problem.kind.strip_prefix("urn:tierproof:problem:").unwrap().to_owned()
    }
}

fn post_request(path: &str, body: &Value) -> Request {
    Request::post(path)
        .header(CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()))
        .unwrap()
}

async fn send(router: &Router, request: Request) -> Answer {
    Answer::of(router.clone().oneshot(request).await.unwrap()).await
}

async fn post(router: &Router, path: &str, body: &Value) -> Answer {
    send(router, post_request(path, body)).await
}

async fn get(router: &Router, path: &str) -> Answer {
    send(router, Request::get(path).body(Body::empty()).unwrap()).await
}

async fn generate(router: &Router, body: &Value) -> Answer {
    post(router, "/api/v1/generate", body).await
}

/// A number of `/healthz`.
async fn health_of(router: &Router, name: &str) -> u64 {
    get(router, "/healthz").await.json()[name].as_u64().unwrap()
}

/// Waits until a number of `/healthz` is this.
async fn until(router: &Router, name: &str, wanted: u64) {
    // The test's own limit ends what never comes true.
    while health_of(router, name).await != wanted {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
