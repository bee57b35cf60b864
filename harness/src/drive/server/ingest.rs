//! What pages post: batches of events, and logits.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use http::StatusCode;
use inference_wasm::protocol::PageEvent;

use super::shared::Shared;

/// `POST events`: a JSON array of events. Any answer but 204 makes the page send them again.
pub(super) async fn events(
    State(shared): State<Arc<Shared>>,
    Path(token): Path<String>,
    body: Bytes,
) -> StatusCode {
    let Some(attempt) = shared.attempt(&token) else { return StatusCode::NOT_FOUND };
    match serde_json::from_slice::<Vec<PageEvent>>(&body) {
        Ok(batch) => {
            attempt.take_in(batch);
            StatusCode::NO_CONTENT
        }
        Err(error) => {
            let start = String::from_utf8_lossy(body.get(..200).unwrap_or(&body)).into_owned();
            attempt.breach(format!(
                "a batch of events can't be read: {error}: `{start}`\n  \
                 hint: build the bundle again"
            ));
            StatusCode::BAD_REQUEST
        }
    }
}

/// `POST logits/{command}`: little-endian f32, row after row.
pub(super) async fn logits(
    State(shared): State<Arc<Shared>>,
    Path((token, command)): Path<(String, u32)>,
    body: Bytes,
) -> StatusCode {
    let Some(attempt) = shared.attempt(&token) else { return StatusCode::NOT_FOUND };
    if !body.len().is_multiple_of(size_of::<f32>()) {
        attempt.breach(format!(
            "the logits of command {command} are {} bytes, not a whole number of f32",
            body.len()
        ));
        return StatusCode::BAD_REQUEST;
    }
    attempt.keep_logits(command, body);
    StatusCode::NO_CONTENT
}
