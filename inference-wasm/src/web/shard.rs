//! One shard over HTTP: streamed piece by piece into the memory that waits for it.
//!
//! Tells apart what goes wrong on the way: no answer, a refusal, a page instead of weights, too
//! few bytes, too many. Whether the bytes are the right ones is the runner's business.

use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{ReadableStreamDefaultReader, Response};

use super::scope::{Scope, text_of};
use crate::protocol::{EngineError, EngineErrorKind, Shard};

/// How an HTML page begins. Weights that begin so by chance do not exist.
const HTML_BEGINNINGS: [&[u8]; 2] = [b"<!doctype html", b"<html"];

/// Appends the shard at `url` to `into`.
pub(super) async fn fetch(
    scope: &Scope,
    url: &str,
    shard: &Shard,
    into: &mut Vec<u8>,
    progress: &mut dyn FnMut(usize),
) -> Result<(), EngineError> {
    let response: Response = JsFuture::from(scope.fetch(url))
        .await
        .map_err(|error| unavailable(url, &format!("no answer: {}", text_of(&error))))?
        .unchecked_into();
    if !response.ok() {
        return Err(unavailable(
            url,
            &format!("HTTP {} {}", response.status(), response.status_text()),
        ));
    }
    let kind = response.headers().get("content-type").ok().flatten().unwrap_or_default();
    if kind.starts_with("text/html") {
        return Err(html(url));
    }
    let body = response.body().ok_or_else(|| unavailable(url, "an answer without a body"))?;
    let reader: ReadableStreamDefaultReader = body.get_reader().unchecked_into();

    let mut received: u64 = 0;
    loop {
        let Some(piece) = read(&reader).await.map_err(|error| {
            let why = format!("the connection broke off: {}", text_of(&error));
            truncated(url, shard, received, &why)
        })?
        else {
            break;
        };
        if received == 0 && is_html(&piece) {
            cancel(&reader).await;
            return Err(html(url));
        }
        received += u64::from(piece.length());
        // Checked before it is copied: `into` has room for the manifest's bytes only.
        if received > shard.bytes {
            cancel(&reader).await;
            return Err(EngineError {
                kind: EngineErrorKind::ShardCorrupt,
                message: format!(
                    "shard `{url}`: expected {} bytes, found at least {received}",
                    shard.bytes
                ),
                hint: Some("the manifest may be of another version of the file".into()),
            });
        }
        let start = into.len();
        into.resize(start + piece.length() as usize, 0);
        piece.copy_to(&mut into[start..]);
        progress(piece.length() as usize);
    }
    if received < shard.bytes {
        return Err(truncated(url, shard, received, "the answer ended early"));
    }
    Ok(())
}

/// The next piece of a body, `None` at its end.
async fn read(reader: &ReadableStreamDefaultReader) -> Result<Option<Uint8Array>, JsValue> {
    let result = JsFuture::from(reader.read()).await?;
    if Reflect::get(&result, &"done".into())?.is_truthy() {
        return Ok(None);
    }
    Ok(Some(Reflect::get(&result, &"value".into())?.dyn_into()?))
}

/// Lets the connection go. How that ends is of no interest: an error is on its way already.
async fn cancel(reader: &ReadableStreamDefaultReader) {
    let _ = JsFuture::from(reader.cancel()).await;
}

fn is_html(piece: &Uint8Array) -> bool {
    let beginning = piece.subarray(0, 64).to_vec();
    let beginning = beginning.trim_ascii_start();
    HTML_BEGINNINGS.iter().any(|html| {
        beginning.get(..html.len()).is_some_and(|start| start.eq_ignore_ascii_case(html))
    })
}

fn html(url: &str) -> EngineError {
    EngineError {
        kind: EngineErrorKind::ShardCorrupt,
        message: format!("shard `{url}`: got HTML instead of weights"),
        hint: Some(
            "a server or proxy answers with a page of its own where the file should be".into(),
        ),
    }
}

fn unavailable(url: &str, why: &str) -> EngineError {
    EngineError {
        kind: EngineErrorKind::ShardUnavailable,
        message: format!("shard `{url}`: {why}"),
        hint: None,
    }
}

fn truncated(url: &str, shard: &Shard, received: u64, why: &str) -> EngineError {
    EngineError {
        kind: EngineErrorKind::ShardTruncated,
        message: format!("shard `{url}`: {why}: expected {} bytes, found {received}", shard.bytes),
        hint: None,
    }
}
