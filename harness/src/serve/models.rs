//! The models on offer: as the server loads them, and as it describes them to a page.
//!
//! A model file is read and hashed when it is first asked for. The description for pages is
//! derived from the file, so that no fact is written down twice.

use std::path::Path;
use std::sync::Arc;

use inference_wasm::client::registry::{ModelVariant, Versions};
use inference_wasm::client::tier::DeviceTier;
use inference_wasm::engine::model::{FromValue, Gguf, HyperParameters, Metadata, ModelError};
use inference_wasm::protocol::{BackendName, CacheType, ModelManifest};
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

use super::problem::{Problem, ProblemKind};
use crate::drive::server::{DEFAULT_SHARD_BYTES, ServedModel};
use crate::fetch::models::{self, Model, USUAL_POSITIONS};

/// The most positions in a cache on the server: all loaded models share its memory.
const MOST_POSITIONS: u32 = 4096;

/// Key of the chat template in a model file.
const TEMPLATE: &str = "tokenizer.chat_template";

/// The models on offer, in the operator's order.
#[derive(Debug)]
pub(super) struct Shelf {
    models: Vec<Offered>,
}

/// A model on offer.
#[derive(Debug)]
pub(super) struct Offered {
    model: Model,
    opened: OnceCell<Arc<Opened>>,
}

/// A model whose file was read.
#[derive(Debug)]
pub(super) struct Opened {
    /// The file in shards.
    pub(super) served: Arc<ServedModel>,
    /// The description sent to a page.
    pub(super) variant: ModelVariant,
    /// What a text begins with if it stands alone.
    pub(super) leading_token: Option<u32>,
}

/// Why a model can't be offered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error("its SHA-256 is {found}, expected {expected}, which the catalogue says")]
    Hash { expected: String, found: String },
}

impl Shelf {
    pub(super) fn new(models: Vec<Model>) -> Self {
        let offer = |model| Offered { model, opened: OnceCell::new() };
        Self { models: models.into_iter().map(offer).collect() }
    }

    /// The ids of the models.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.models.iter().map(|offered| offered.model.name.as_str())
    }

    /// The model with a name.
    pub(super) fn get(&self, name: &str) -> Option<&Offered> {
        self.models.iter().find(|offered| offered.model.name == name)
    }

    /// The model of a name, or the first one where none is given.
    pub(super) async fn open(&self, name: Option<&str>) -> Result<Arc<Opened>, Problem> {
        let offered = name.map_or(self.models.first(), |name| self.get(name));
        let Some(offered) = offered else {
            return Err(Problem::new(ProblemKind::NotFound, "no such model is on offer"));
        };
        offered.open().await
    }

    /// The descriptions sent to pages: all models that can be read.
    pub(super) async fn registry(&self) -> Vec<ModelVariant> {
        let mut registry = Vec::new();
        for offered in &self.models {
            // An unreadable model was reported already; the others are still offered.
            if let Ok(opened) = offered.open().await {
                registry.push(opened.variant.clone());
            }
        }
        registry
    }
}

impl Offered {
    async fn open(&self) -> Result<Arc<Opened>, Problem> {
        let read = async || {
            let Model { name, path, entry } = self.model.clone();
            let expected = entry.map(|entry| entry.sha256);
            let opened = tokio::task::spawn_blocking(move || Opened::read(&name, &path, expected));
            opened.await.map_err(std::io::Error::other)?.map(Arc::new)
        };
        self.opened.get_or_try_init(read).await.cloned().map_err(|error: OpenError| {
            let name = &self.model.name;
            tracing::error!("model `{name}` can't be offered: {error}");
            Problem::new(ProblemKind::EngineFailed, format!("model `{name}` can't be read"))
        })
    }
}

impl Opened {
    /// Reads a model file. Blocks.
    fn read(name: &str, path: &Path, expected: Option<String>) -> Result<Self, OpenError> {
        let served = ServedModel::read(path, name, DEFAULT_SHARD_BYTES)?;
        let manifest = &served.manifest;
        if let Some(expected) = expected
            && expected != manifest.sha256
        {
            return Err(OpenError::Hash { expected, found: manifest.sha256.clone() });
        }
        let bytes = fs_err::read(path)?;
        let gguf = Gguf::open(&bytes)?;
        let variant = described(name, &gguf, addressed(name, manifest.clone()))?;
        let adds_token = gguf.metadata.get_or("tokenizer.ggml.add_bos_token", true)?;
        let leading_token = gguf.metadata.get("tokenizer.ggml.bos_token_id")?;
        let leading_token = leading_token.filter(|_| adds_token);
        Ok(Self { served: Arc::new(served), variant, leading_token })
    }

    /// Positions that it is loaded with.
    pub(super) fn positions(&self) -> u32 {
        self.variant.context_window.min(MOST_POSITIONS)
    }
}

/// The description of a model file for pages, as far as the file itself says. Blocks.
pub(crate) fn variant_of(served: &ServedModel) -> Result<ModelVariant, OpenError> {
    let bytes = fs_err::read(&served.path)?;
    described(&served.manifest.name, &Gguf::open(&bytes)?, served.manifest.clone())
}

fn described(
    name: &str,
    gguf: &Gguf<'_>,
    manifest: ModelManifest,
) -> Result<ModelVariant, OpenError> {
    let hyper = HyperParameters::read(gguf)?;
    let largest = gguf.tensors.values().max_by_key(|tensor| tensor.bytes.len());
    let parameters = gguf.tensors.values().map(|tensor| tensor.weights() as u64).sum();
    let context_window = hyper.context as u32;
    let cache = models::cache_bytes(
        hyper.layers as u32,
        (hyper.kv_heads * hyper.head_size) as u32,
        context_window.min(USUAL_POSITIONS),
        CacheType::F32,
    );
    let memory_bytes = models::weight_bytes(manifest.bytes).saturating_add(cache);
    let has_template = gguf.metadata.contains(TEMPLATE);
    let mut capabilities = vec!["completion".to_owned()];
    capabilities.extend(has_template.then(|| "chat".to_owned()));
    Ok(ModelVariant {
        id: name.to_owned(),
        name: gguf.metadata.get_or("general.name", name)?.to_owned(),
        parameters,
        quantization: largest.map_or("F32", |tensor| tensor.format.name).to_owned(),
        context_window,
        capabilities,
        min_ram_gib: memory_bytes as f64 / f64::from(1 << 30),
        min_device_tier: device_tier(parameters),
        backends: vec![BackendName::Webgpu, BackendName::Webgl, BackendName::Wasm],
        webgpu_features: Vec::new(),
        versions: versions(&gguf.metadata, &manifest.sha256)?,
        file: manifest,
    })
}

/// The shards where pages find them: relative to the list of models, and to a routing.
fn addressed(name: &str, mut manifest: ModelManifest) -> ModelManifest {
    for shard in &mut manifest.shards {
        shard.url = shard.url.replacen("models/", &format!("models/{name}/"), 1);
    }
    manifest
}

/// The weakest device that can run a model with this number of weights.
fn device_tier(parameters: u64) -> DeviceTier {
    match parameters {
        ..200_000_000 => DeviceTier::NoGpu,
        200_000_000..700_000_000 => DeviceTier::Low,
        700_000_000..2_000_000_000 => DeviceTier::Mid,
        2_000_000_000.. => DeviceTier::Flagship,
    }
}

/// Weights, tokenizer and template are each identified by a hash, so that changing one changes the
/// version.
fn versions(metadata: &Metadata<'_>, file_sha256: &str) -> Result<Versions, ModelError> {
    let mut tokenizer = Sha256::new();
    let is_tokenizer = |key: &&str| key.starts_with("tokenizer.") && *key != TEMPLATE;
    for key in metadata.keys().filter(is_tokenizer) {
        tokenizer.update(key);
        tokenizer.update(text_of::<&str>(metadata, key));
        tokenizer.update(text_of::<Vec<&str>>(metadata, key));
        tokenizer.update(text_of::<Vec<f32>>(metadata, key));
        tokenizer.update(text_of::<Vec<i32>>(metadata, key));
        tokenizer.update(text_of::<i64>(metadata, key));
        tokenizer.update(text_of::<f32>(metadata, key));
        tokenizer.update(text_of::<bool>(metadata, key));
    }
    let template = metadata.get_or(TEMPLATE, "")?;
    let short = |hash: String| hash.chars().take(16).collect();
    Ok(Versions {
        weights: short(file_sha256.to_owned()),
        tokenizer: short(hex::encode(tokenizer.finalize())),
        prompt_template: short(hex::encode(Sha256::digest(template))),
    })
}

/// A canonical form of a value; empty if the value has another type.
fn text_of<'a, T: FromValue<'a> + std::fmt::Debug>(metadata: &Metadata<'a>, key: &str) -> String {
    metadata.get::<T>(key).ok().flatten().map(|value| format!("{value:?}")).unwrap_or_default()
}
