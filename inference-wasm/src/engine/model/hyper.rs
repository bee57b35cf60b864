//! The hyper-parameters of a model: its keys, completed by its row in the table of
//! [architectures](super::architecture), and checked.
//!
//! [`keys`](super::keys) decides which keys a file may have.

use super::activation::Activation;
use super::architecture::{Architecture, Caps, FactorTensors, Windows};
use super::keys::Keys;
use super::rope::{Factors, Rope, RotaryPairs, Scaling};
use super::{Gguf, ModelError};

/// The hyper-parameters of a transformer.
#[derive(Debug, Clone, PartialEq)]
pub struct HyperParameters {
    /// The context that the model was trained on, in positions.
    pub context: usize,
    /// Size of the residual stream, in floats.
    pub width: usize,
    /// Number of layers.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; a divisor of `heads`.
    pub kv_heads: usize,
    /// Size of a head, in floats; even.
    pub head_size: usize,
    /// Size of the feed-forward's inner layer, in floats.
    pub ffn_width: usize,
    /// Number of tokens.
    pub vocabulary: usize,
    /// The term that RMS norm adds under the root.
    pub rms_epsilon: f32,
    /// The factor of the embeddings; `None` for no scaling.
    pub embedding_scale: Option<f32>,
    /// The factor of a dot product of query and key.
    pub score_scale: f32,
    /// The cap of attention's scores.
    pub score_cap: Option<f32>,
    /// The cap of the logits.
    pub logit_cap: Option<f32>,
    /// The activation function of the feed-forward's gate.
    pub activation: Activation,
    /// The layout of rotary pairs in a head.
    pub pairs: RotaryPairs,
    /// The rotary embedding of global layers, and of local ones too if
    /// [`local_rope`](Self::local_rope) is `None`.
    pub rope: Rope,
    /// The rotary embedding of local layers, if it differs.
    pub local_rope: Option<Rope>,
    /// Every n-th layer has no rotary embedding.
    pub unrotated_every: Option<usize>,
    pub(super) architecture: &'static Architecture,
    /// Positions that a local layer sees, including its own.
    window: Option<usize>,
    local: LocalLayers,
}

/// Which layers are local: they see only a window of positions.
#[derive(Debug, Clone, PartialEq)]
enum LocalLayers {
    None,
    All,
    /// All but every n-th.
    AllButEvery(usize),
    /// One flag for each layer.
    Listed(Vec<bool>),
}

impl HyperParameters {
    /// Floats of all query heads at one position.
    pub fn query_width(&self) -> usize {
        self.heads * self.head_size
    }

    /// Floats of all key heads at one position; as many for values.
    pub fn kv_width(&self) -> usize {
        self.kv_heads * self.head_size
    }

    /// Positions that a layer sees, including its own; `None` for all up to its own.
    pub fn window(&self, layer: usize) -> Option<usize> {
        let is_local = match &self.local {
            LocalLayers::None => false,
            LocalLayers::All => true,
            LocalLayers::AllButEvery(every) => !(layer + 1).is_multiple_of(*every),
            LocalLayers::Listed(flags) => flags.get(layer).copied().unwrap_or(false),
        };
        self.window.filter(|_| is_local)
    }

    /// The rotary embeddings: that of all layers or of the global ones, then that of local layers
    /// where it differs.
    pub fn ropes(&self) -> impl Iterator<Item = &Rope> {
        std::iter::once(&self.rope).chain(&self.local_rope)
    }

    /// The index in [`ropes`](Self::ropes) of a layer's rotary embedding; `None` for a layer
    /// without positions.
    pub fn rope_of(&self, layer: usize) -> Option<usize> {
        let is_rotated =
            self.unrotated_every.is_none_or(|every| !(layer + 1).is_multiple_of(every));
        let is_local = self.local_rope.is_some() && self.window(layer).is_some();
        is_rotated.then_some(usize::from(is_local))
    }

    /// Reads the keys of `general.architecture` and checks that they are consistent.
    pub fn read(gguf: &Gguf<'_>) -> Result<Self, ModelError> {
        let keys = Keys::open(&gguf.metadata)?;
        let row = keys.architecture;
        let width = keys.require_count("embedding_length")?;
        let layers = keys.require_count("block_count")?;
        let heads = keys.require_count("attention.head_count")?;
        let kv_heads = keys.count(KV_HEADS)?.unwrap_or(heads);
        if heads % kv_heads != 0 {
            return Err(keys.wrong(KV_HEADS, format!("a divisor of {heads} heads"), kv_heads));
        }
        let context = keys.require_count("context_length")?;
        let head_size = head_size(keys, width, heads)?;
        let rope = rope(keys, gguf, head_size, context)?;
        let (window, local) = windows(keys, layers)?;
        let scaled_size =
            if row.scaled_by_width == Some(layers) { width / heads } else { head_size };
        Ok(Self {
            context,
            width,
            layers,
            heads,
            kv_heads,
            head_size,
            ffn_width: keys.require_count("feed_forward_length")?,
            vocabulary: vocabulary(gguf, keys)?,
            rms_epsilon: keys.require_positive("attention.layer_norm_rms_epsilon")?,
            embedding_scale: row.has_scaled_embedding.then(|| (width as f32).sqrt()),
            score_scale: 1.0 / (scaled_size as f32).sqrt(),
            score_cap: cap(keys, "attn_logit_softcapping", |caps| caps.scores)?,
            logit_cap: cap(keys, "final_logit_softcapping", |caps| caps.logits)?,
            activation: row.activation,
            pairs: row.pairs,
            local_rope: local_rope(keys, &rope)?,
            rope,
            unrotated_every: row.unrotated_every,
            architecture: row,
            window,
            local,
        })
    }
}

const KV_HEADS: &str = "attention.head_count_kv";

/// The head size: from its own key, or else the width divided by the heads. Keys and values of
/// different sizes are not supported.
fn head_size(keys: Keys<'_, '_>, width: usize, heads: usize) -> Result<usize, ModelError> {
    const KEY: &str = "attention.key_length";
    const VALUES: &str = "attention.value_length";
    let head_size = match keys.count(KEY)? {
        Some(head_size) => head_size,
        None if width.is_multiple_of(heads) => width / heads,
        None => {
            let expected = format!("a divisor of the width, {width}");
            return Err(keys.wrong("attention.head_count", expected, heads));
        }
    };
    if !head_size.is_multiple_of(2) {
        return Err(keys.wrong(KEY, "an even head size, for rotary pairs", head_size));
    }
    if keys.count(VALUES)?.is_some_and(|size| size != head_size) {
        return Err(keys.unsupported(VALUES, format!("{head_size}, the head size")));
    }
    Ok(head_size)
}

fn rope(
    keys: Keys<'_, '_>,
    gguf: &Gguf<'_>,
    head_size: usize,
    context: usize,
) -> Result<Rope, ModelError> {
    const ROTATED: &str = "rope.dimension_count";
    const TYPE: &str = "rope.scaling.type";
    const FACTOR: &str = "rope.scaling.factor";
    let rotated = keys.count(ROTATED)?.unwrap_or(head_size);
    if rotated > head_size || !rotated.is_multiple_of(2) {
        let expected = format!("an even number up to {head_size}, the head size");
        return Err(keys.wrong(ROTATED, expected, rotated));
    }
    let base = keys.positive("rope.freq_base")?.unwrap_or(10_000.0);
    let original_context = keys.count("rope.scaling.original_context_length")?.unwrap_or(context);
    let mut magnitude = f64::from(keys.positive("rope.scaling.attn_factor")?.unwrap_or(1.0));

    // The older name of the factor, from before there were types.
    let old_factor = keys.positive("rope.scale_linear")?;
    let factor = f64::from(keys.positive(FACTOR)?.or(old_factor).unwrap_or(1.0));
    let kind = keys.get::<&str>(TYPE)?;
    let scaling = match kind {
        None | Some("linear") => Scaling::Linear(factor),
        Some("none" | "longrope") if (factor - 1.0).abs() < f64::EPSILON => Scaling::Linear(1.0),
        Some("none" | "longrope") => {
            let key = if keys.contains(FACTOR) { FACTOR } else { "rope.scale_linear" };
            return Err(keys.unsupported(key, "1, which goes with that type of scaling"));
        }
        Some("yarn") => {
            let of_factor = if factor > 1.0 { 0.1 * factor.ln() + 1.0 } else { 1.0 };
            let own = keys.positive("rope.scaling.yarn_attn_factor")?;
            magnitude *= own.map_or(of_factor, f64::from);
            Scaling::Yarn {
                factor,
                original_context,
                beta_fast: keys.positive("rope.scaling.yarn_beta_fast")?.unwrap_or(32.0).into(),
                beta_slow: keys.positive("rope.scaling.yarn_beta_slow")?.unwrap_or(1.0).into(),
            }
        }
        Some(_) => return Err(keys.unsupported(TYPE, "`none`, `linear`, `yarn` or `longrope`")),
    };
    if matches!(scaling, Scaling::Yarn { .. }) && base <= 1.0 {
        return Err(keys.unsupported("rope.freq_base", "more than 1, which `yarn` needs"));
    }
    let has = |name| gguf.tensors.contains_key(name);
    let is_long = kind == Some("longrope");
    let factors = match keys.architecture.factors {
        FactorTensors::Never if is_long => {
            return Err(keys.unsupported(TYPE, "`none`, `linear` or `yarn`"));
        }
        FactorTensors::ByType if !is_long && has("rope_freqs.weight") => Factors::Fixed,
        FactorTensors::ByPresence if has("rope_factors_long.weight") => {
            Factors::ByContext(original_context)
        }
        _ if is_long => Factors::ByContext(original_context),
        _ => Factors::None,
    };
    Ok(Rope { rotated, base: base.into(), scaling, factors, magnitude })
}

/// The rotary embedding of local layers, where it differs.
fn local_rope(keys: Keys<'_, '_>, rope: &Rope) -> Result<Option<Rope>, ModelError> {
    let Some(windows) = &keys.architecture.windows else { return Ok(None) };
    let own = keys.positive("rope.freq_base_swa")?;
    Ok(match windows.rope_base {
        Some(base) => Some(Rope {
            base: own.unwrap_or(base).into(),
            scaling: Scaling::Linear(1.0),
            ..rope.clone()
        }),
        None => own.map(|base| Rope { base: base.into(), ..rope.clone() }),
    })
}

fn windows(keys: Keys<'_, '_>, layers: usize) -> Result<(Option<usize>, LocalLayers), ModelError> {
    const PATTERN: &str = "attention.sliding_window_pattern";
    let Some(Windows { global_every, default, .. }) = keys.architecture.windows else {
        return Ok((None, LocalLayers::None));
    };
    // 0 means no window.
    let window = match keys.get::<u32>("attention.sliding_window")? {
        Some(window) => Some(window as usize).filter(|&window| window > 0),
        None => default,
    };
    let every = match keys.get::<Vec<bool>>(PATTERN) {
        Ok(Some(flags)) if flags.len() == layers => {
            return Ok((window, LocalLayers::Listed(flags)));
        }
        Ok(Some(flags)) => {
            let expected = format!("{layers} flags, one for each layer");
            return Err(keys.wrong(PATTERN, expected, flags.len()));
        }
        Ok(None) => global_every,
        Err(_) => match keys.get::<u32>(PATTERN)? {
            Some(0) => None,
            every => every.map(|every| every as usize),
        },
    };
    Ok((window, every.map_or(LocalLayers::All, LocalLayers::AllButEvery)))
}

/// The value of a cap's key, where 0 means no cap; without a key, the architecture's default.
fn cap(
    keys: Keys<'_, '_>,
    key: &str,
    default: impl Fn(&Caps) -> Option<f32>,
) -> Result<Option<f32>, ModelError> {
    let Some(caps) = &keys.architecture.caps else { return Ok(None) };
    if keys.get::<f32>(key)? == Some(0.0) {
        return Ok(None);
    }
    Ok(keys.positive(key)?.or_else(|| default(caps)))
}

/// The number of tokens is the number of rows of the embedding; a key for it must agree.
fn vocabulary(gguf: &Gguf<'_>, keys: Keys<'_, '_>) -> Result<usize, ModelError> {
    const KEY: &str = "vocab_size";
    const TENSOR: &str = "token_embd.weight";
    let Some(embedding) = gguf.tensors.get(TENSOR) else {
        let what = format!("tensor `{TENSOR}`");
        return Err(ModelError::broken(what, None, "the token embeddings", "no such tensor"));
    };
    let rows = embedding.rows();
    match keys.count(KEY)? {
        Some(count) if count != rows => {
            Err(keys.wrong(KEY, format!("{rows}, the rows of `{TENSOR}`"), count))
        }
        _ => Ok(rows),
    }
}
