//! A model file as shards: its manifest, hashed once a run, and the slices themselves.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt, stream};
use http::{HeaderMap, StatusCode, header};
use inference_wasm::protocol::{ModelManifest, Shard};
use sha2::{Digest, Sha256};

use super::fault::{HTML, ShardSent};

/// The time that sent data has to leave this process before a connection breaks off.
const LEAVES_WITHIN: Duration = Duration::from_millis(50);

/// Bytes between two pauses of slowed weights.
const PIECE: usize = 16 << 10;

/// Size of a shard in bytes where a scenario doesn't say.
pub const DEFAULT_SHARD_BYTES: u64 = 8 << 20;

/// A model file that pages can load.
#[derive(Debug, Clone, PartialEq)]
pub struct ServedModel {
    /// The file.
    pub path: PathBuf,
    /// The manifest sent to a page; the shards are slices of the file, in order.
    pub manifest: ModelManifest,
}

impl ServedModel {
    /// Splits a file into shards of `shard_bytes` and hashes them all.
    pub fn read(path: &Path, name: &str, shard_bytes: u64) -> std::io::Result<Self> {
        if shard_bytes == 0 {
            return Err(std::io::Error::new(
                std::io::ErrorKind::InvalidInput,
                "a shard of 0 bytes holds nothing",
            ));
        }
        let mut file = fs_err::File::open(path)?;
        let length = file.metadata()?.len();
        let count = length.div_ceil(shard_bytes);
        let mut whole = Sha256::new();
        let mut shards = Vec::new();
        let mut bytes = 0;
        for number in 1..=count {
            let mut part = Vec::new();
            file.by_ref().take(shard_bytes).read_to_end(&mut part)?;
            whole.update(&part);
            bytes += part.len() as u64;
            shards.push(Shard {
                url: format!("models/{}", shard_name(number, count)),
                bytes: part.len() as u64,
                sha256: hex::encode(Sha256::digest(&part)),
            });
        }
        let sha256 = hex::encode(whole.finalize());
        let manifest = ModelManifest { name: name.to_owned(), bytes, sha256, shards };
        Ok(Self { path: path.to_owned(), manifest })
    }

    /// The bytes of shard `index`, as stored in the file. Blocks.
    pub(crate) fn shard(&self, index: usize) -> std::io::Result<Vec<u8>> {
        let (before, rest) = self.manifest.shards.split_at_checked(index).unwrap_or_default();
        let Some(shard) = rest.first() else {
            return Err(std::io::ErrorKind::NotFound.into());
        };
        let mut file = fs_err::File::open(&self.path)?;
        file.seek(SeekFrom::Start(before.iter().map(|shard| shard.bytes).sum()))?;
        let mut bytes = Vec::new();
        file.take(shard.bytes).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// The index of the shard with this URL.
    pub(crate) fn index_of(&self, url: &str) -> Option<usize> {
        self.manifest.shards.iter().position(|shard| shard.url == url)
    }
}

fn shard_name(number: u64, count: u64) -> String {
    format!("shard-{number:05}-of-{count:05}")
}

/// The models of a run, each read and hashed once for each size of shards.
#[derive(Debug, Default)]
pub struct ModelShelf {
    models: Mutex<BTreeMap<(PathBuf, u64), Arc<ServedModel>>>,
}

impl ModelShelf {
    /// A model in shards of `shard_bytes`, under the name of its first mention. Blocks while the
    /// file is hashed.
    pub fn model(
        &self,
        path: &Path,
        name: &str,
        shard_bytes: u64,
    ) -> std::io::Result<Arc<ServedModel>> {
        let key = (path.to_owned(), shard_bytes);
        // Held while reading, so that two threads never hash the same file.
        let mut models = self.models.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(model) = models.get(&key) {
            return Ok(model.clone());
        }
        let model = Arc::new(ServedModel::read(path, name, shard_bytes)?);
        models.insert(key, model.clone());
        Ok(model)
    }
}

/// Answers a request for a shard, or for a range of it, as its fault demands. `served` gets the
/// head of a successful response and the length of its body, before the body is sent.
pub(crate) async fn send(
    model: Arc<ServedModel>,
    index: usize,
    sent: ShardSent,
    headers: &HeaderMap,
    served: impl FnOnce(&http::response::Parts, usize),
) -> Response {
    match sent {
        ShardSent::Nothing => {
            let nothing = stream::once(async { Err::<Bytes, _>(broken_off()) });
            return Body::from_stream(nothing).into_response();
        }
        ShardSent::Status(status) => {
            let status = StatusCode::from_u16(status);
            return status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR).into_response();
        }
        ShardSent::Html => {
            return ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], HTML).into_response();
        }
        ShardSent::Whole | ShardSent::Slowly(_) | ShardSent::Cut(_) | ShardSent::Short => {}
    }
    let response = read(model, index, sent == ShardSent::Short, headers).await;
    if !response.status().is_success() {
        return response;
    }
    let (parts, body) = response.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, usize::MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let length = bytes.len();
    served(&parts, length);
    let body = match sent {
        ShardSent::Slowly(pause) => Body::from_stream(slowly(bytes, pause)),
        ShardSent::Cut(most) => Body::from_stream(cut(bytes, most)),
        _ => Body::from(bytes),
    };
    let mut response = Response::from_parts(parts, body);
    response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    response
}

/// A shard, or half of it, or the range of it that was requested.
pub(crate) async fn read(
    model: Arc<ServedModel>,
    index: usize,
    is_half: bool,
    headers: &HeaderMap,
) -> Response {
    let path = model.path.clone();
    let read = tokio::task::spawn_blocking(move || model.shard(index)).await;
    let bytes = match read.map_err(std::io::Error::other).flatten() {
        Ok(mut bytes) => {
            if is_half {
                bytes.truncate(bytes.len() / 2);
            }
            bytes
        }
        Err(error) => {
            tracing::error!("`{}` can't be read: {error}", path.display());
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    ranged(bytes, headers.get(header::RANGE).and_then(|range| range.to_str().ok()))
}

/// An answer with the requested range, or with the whole shard. A request for several ranges gets
/// the whole shard, which the standard allows.
fn ranged(mut bytes: Vec<u8>, range: Option<&str>) -> Response {
    let common =
        [(header::CONTENT_TYPE, "application/octet-stream"), (header::ACCEPT_RANGES, "bytes")];
    let total = bytes.len() as u64;
    let ranges = range
        .and_then(|range| http_range_header::parse_range_header(range).ok())
        .map(|ranges| ranges.validate(total));
    match ranges.as_ref().map(|ranges| ranges.as_deref()) {
        Some(Ok([range])) => {
            let (start, end) = (*range.start(), *range.end());
            bytes.truncate(end as usize + 1);
            let part = bytes.split_off(start as usize);
            let content_range = format!("bytes {start}-{end}/{total}");
            let headers = [(header::CONTENT_RANGE, content_range)];
            (StatusCode::PARTIAL_CONTENT, common, headers, part).into_response()
        }
        Some(Err(_)) => {
            let headers = [(header::CONTENT_RANGE, format!("bytes */{total}"))];
            (StatusCode::RANGE_NOT_SATISFIABLE, common, headers).into_response()
        }
        Some(Ok(_)) | None => (common, bytes).into_response(),
    }
}

fn broken_off() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "the connection breaks off, as planned")
}

fn slowly(bytes: Bytes, pause: Duration) -> impl Stream<Item = io::Result<Bytes>> + Send {
    stream::unfold(bytes, move |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        tokio::time::sleep(pause).await;
        let piece = rest.split_to(rest.len().min(PIECE));
        Some((Ok(piece), rest))
    })
}

fn cut(mut bytes: Bytes, most: u64) -> impl Stream<Item = io::Result<Bytes>> + Send {
    bytes.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    let end = stream::once(async {
        tokio::time::sleep(LEAVES_WITHIN).await;
        Err(broken_off())
    });
    stream::once(async { Ok(bytes) }).chain(end)
}
