//! Fetches one shard over HTTP, streamed into memory.
//!
//! Distinguishes the errors: no answer, an HTTP error, HTML instead of weights, too few bytes, too
//! many. The runner verifies the hash.

use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{ReadableStreamDefaultReader, Response};

use super::scope::{Scope, text_of};
use crate::protocol::{EngineError, EngineErrorKind, Shard};

/// How an HTML page begins. No weights begin like this.
const HTML_BEGINNINGS: [&[u8]; 2] = [b"<!doctype html", b"<html"];

/// Appends the shard at `url` to `into`, and reports the size of each chunk to `progress`.
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
    let body = response.body().ok_or_else(|| unavailable(url, "the answer has no body"))?;
    let reader: ReadableStreamDefaultReader = body.get_reader().unchecked_into();

    let mut received: u64 = 0;
    loop {
        let Some(chunk) = read(&reader).await.map_err(|error| {
            let why = format!("the connection broke off: {}", text_of(&error));
            truncated(url, shard, received, &why)
        })?
        else {
            break;
        };
        if received == 0 && is_html(&chunk) {
            cancel(&reader).await;
            return Err(html(url));
        }
        received += u64::from(chunk.length());
        // Checked before copying: `into` has room for the manifest's bytes only.
        if received > shard.bytes {
            cancel(&reader).await;
            return Err(EngineError {
                kind: EngineErrorKind::ShardCorrupt,
                message: format!(
                    "shard `{url}`: expected {} bytes, found at least {received}",
                    shard.bytes
                ),
                hint: Some("the manifest may belong to another version of the file".into()),
            });
        }
        let start = into.len();
        into.resize(start + chunk.length() as usize, 0);
        chunk.copy_to(&mut into[start..]);
        progress(chunk.length() as usize);
    }
    if received < shard.bytes {
        return Err(truncated(url, shard, received, "the answer ended early"));
    }
    Ok(())
}

/// The next chunk of a body; `None` at its end.
async fn read(reader: &ReadableStreamDefaultReader) -> Result<Option<Uint8Array>, JsValue> {
    let result = JsFuture::from(reader.read()).await?;
    if Reflect::get(&result, &"done".into())?.is_truthy() {
        return Ok(None);
    }
    Ok(Some(Reflect::get(&result, &"value".into())?.dyn_into()?))
}

/// Closes the connection. An error here is ignored, because the caller reports another one.
async fn cancel(reader: &ReadableStreamDefaultReader) {
    let _ = JsFuture::from(reader.cancel()).await;
}

fn is_html(chunk: &Uint8Array) -> bool {
    let beginning = chunk.subarray(0, 64).to_vec();
    let beginning = beginning.trim_ascii_start();
    HTML_BEGINNINGS.iter().any(|html| {
        beginning.get(..html.len()).is_some_and(|start| start.eq_ignore_ascii_case(html))
    })
}

fn html(url: &str) -> EngineError {
    EngineError {
        kind: EngineErrorKind::ShardCorrupt,
        message: format!("shard `{url}`: got HTML instead of weights"),
        hint: Some("a server or proxy answers with a page of its own instead of the file".into()),
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
