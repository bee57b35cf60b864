//! A model file as shards: its manifest, hashed once a run, and the slices themselves.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use inference_wasm::protocol::{ModelManifest, Shard};
use sha2::{Digest, Sha256};

/// Size of a shard in bytes where a scenario doesn't say.
pub const DEFAULT_SHARD_BYTES: u64 = 8 << 20;

/// A model file that pages can load.
#[derive(Debug, Clone, PartialEq)]
pub struct ServedModel {
    /// The file.
    pub path: PathBuf,
    /// What a page needs to know of it; the shards are slices of the file, in order.
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

    /// The bytes of shard `index` as they lie in the file. Blocks.
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
        // Held while reading, so that nothing is hashed twice at a time.
        let mut models = self.models.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(model) = models.get(&key) {
            return Ok(model.clone());
        }
        let model = Arc::new(ServedModel::read(path, name, shard_bytes)?);
        models.insert(key, model.clone());
        Ok(model)
    }
}

/// A shard, or half of it, or the range of it that was asked for.
pub(crate) async fn send(
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

/// An answer with the range that was asked for, or with everything. Several ranges in one request
/// are answered with everything, which the standard allows.
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
