//! Everything that a page of the hybrid client is served besides its bundle: weights, the server
//! tier and shims, over all visits of an attempt, with the faults that its scenario plans.
//!
//! The effect of a fault is decided in [`super::fault`].

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt, stream};
use http::{HeaderMap, StatusCode, header};
use tower::ServiceExt;

use super::fault::{Network, ShardSent, TierSent};
use super::model::{self, ServedModel};

/// Where the one that is asked to generate is.
const GENERATE: &str = "/api/v1/generate";

/// The server's side of all visits of one attempt.
#[derive(Debug)]
pub(crate) struct ClientSite {
    model: Arc<ServedModel>,
    tier: Option<Router>,
    network: Mutex<Network>,
}

impl ClientSite {
    /// A site with a model, and the server tier if there is one.
    pub(crate) fn new(model: Arc<ServedModel>, tier: Option<Router>) -> Self {
        Self { model, tier, network: Mutex::default() }
    }

    /// The model whose shards lie under `models/`.
    pub(crate) fn model(&self) -> &ServedModel {
        &self.model
    }

    /// Faults and log.
    pub(crate) fn network(&self) -> MutexGuard<'_, Network> {
        // Nothing under the lock can panic between two changes that belong together.
        self.network.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The shard of a name.
    pub(super) async fn shard(&self, name: &str, headers: &HeaderMap) -> Response {
        let Some(index) = self.model.index_of(&format!("models/{name}")) else {
            return StatusCode::NOT_FOUND.into_response();
        };
        let sent = self.network().shard(index);
        let served = |parts: &_, length| self.count(index, sent, parts, length);
        model::send(self.model.clone(), index, sent, headers, served).await
    }

    fn count(&self, index: usize, sent: ShardSent, parts: &http::response::Parts, length: usize) {
        let start = range_start(parts);
        let cut = match sent {
            ShardSent::Cut(most) => most.min(length as u64),
            _ => length as u64,
        };
        let whole = self.model.manifest.shards.get(index).map_or(0, |shard| shard.bytes);
        let mut network = self.network();
        let traffic = network.traffic().shards.entry(index).or_default();
        traffic.bytes += cut;
        traffic.resumed += u32::from(start > 0);
        traffic.is_complete |= start + cut >= whole;
    }

    /// A request to the server tier, with the path that it has there.
    pub(super) async fn ask_tier(self: Arc<Self>, request: Request) -> Response {
        let Some(tier) = self.tier.clone() else {
            return StatusCode::NOT_FOUND.into_response();
        };
        if request.uri().path() != GENERATE {
            return answer(tier, request).await;
        }
        let sent = self.network().server();
        match sent {
            TierSent::Down => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
            TierSent::After(pause) => tokio::time::sleep(pause).await,
            TierSent::Answer | TierSent::Half(_) => {}
        }
        let most = match sent {
            TierSent::Half(most) => most,
            TierSent::Answer | TierSent::Down | TierSent::After(_) => u64::MAX,
        };
        let response = answer(tier, request).await;
        let (parts, body) = response.into_parts();
        let body = Body::from_stream(self.watched(body, most));
        Response::from_parts(parts, body)
    }

    /// The events of an answer, cut off after a number of tokens. A complete answer is counted.
    fn watched(
        self: Arc<Self>,
        body: Body,
        most_tokens: u64,
    ) -> impl Stream<Item = Result<Bytes, axum::Error>> + Send + use<> {
        let mut tokens = 0;
        let mut events = body.into_data_stream();
        stream::poll_fn(move |context| {
            if tokens >= most_tokens {
                return std::task::Poll::Ready(None);
            }
            let piece = events.poll_next_unpin(context);
            if let std::task::Poll::Ready(Some(Ok(piece))) = &piece {
                // An event is sent in one piece, and begins with its name.
                let names = |name: &str| count(piece, name.as_bytes());
                tokens += names("event: token\n");
                if names("event: answer\n") > 0 {
                    self.network().traffic().server_answers += 1;
                }
            }
            piece
        })
    }
}

async fn answer(tier: Router, request: Request) -> Response {
    let answered: Result<Response, Infallible> = tier.oneshot(request).await;
    match answered {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// The number of occurrences in a byte string.
fn count(bytes: &[u8], what: &[u8]) -> u64 {
    bytes.windows(what.len()).filter(|window| *window == what).count() as u64
}

/// The first byte of a response's range.
fn range_start(parts: &http::response::Parts) -> u64 {
    let range = parts.headers.get(header::CONTENT_RANGE).and_then(|range| range.to_str().ok());
    let start = range.and_then(|range| range.strip_prefix("bytes ")?.split_once('-'));
    start.and_then(|(start, _)| start.parse().ok()).unwrap_or(0)
}
