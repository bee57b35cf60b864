//! The weights of a model, by their place in the network.
//!
//! Generic over the weight: its place in the file as read here, a backend's own handle once it is
//! loaded. Shapes are `[rows × columns]`; each row of a matrix gives one output. A model's row in
//! the table of [architectures](super::architecture) decides which optional weights it has.

use super::architecture::Architecture;
use super::finder::Finder;
use super::{Factors, Gguf, HyperParameters, ModelError, TensorInfo};

/// All weights.
#[derive(Debug)]
pub struct Weights<W> {
    /// `[vocabulary × width]`: the vector of each token.
    pub token_embedding: W,
    /// One for each layer, in order.
    pub layers: Vec<LayerWeights<W>>,
    /// `[width]`: scale of the last RMS norm.
    pub output_norm: W,
    /// `[vocabulary × width]`: from the residual stream to logits. `None` if tied to the token
    /// embedding.
    pub output: Option<W>,
    /// Used for the angles only; no backend takes them.
    pub rope_factors: RopeFactors,
}

/// `[rotated / 2]` each: divisors of the frequencies of the rotary embedding.
#[derive(Debug, Clone, PartialEq)]
pub enum RopeFactors {
    /// Nothing.
    None,
    /// One set for all contexts.
    Fixed(TensorInfo),
    /// One set for contexts up to the original training's, one for longer ones.
    ByContext {
        /// The original training's context, in positions.
        original_context: usize,
        /// For contexts up to it.
        short: TensorInfo,
        /// For longer contexts.
        long: TensorInfo,
    },
}

/// The weights of a layer.
#[derive(Debug)]
pub struct LayerWeights<W> {
    /// `[width]`: scale of the RMS norm before attention.
    pub attention_norm: W,
    /// `[heads · head_size × width]`: to queries.
    pub query: W,
    /// `[kv_heads · head_size × width]`: to keys.
    pub key: W,
    /// `[kv_heads · head_size × width]`: to values.
    pub value: W,
    /// `[heads · head_size]`: added to queries.
    pub query_bias: Option<W>,
    /// `[kv_heads · head_size]`: added to keys.
    pub key_bias: Option<W>,
    /// `[kv_heads · head_size]`: added to values.
    pub value_bias: Option<W>,
    /// `[head_size]`: scale of the RMS norm of each query head.
    pub query_norm: Option<W>,
    /// `[head_size]`: scale of the RMS norm of each key head.
    pub key_norm: Option<W>,
    /// `[width × heads · head_size]`: from the heads back to the residual stream.
    pub attention_output: W,
    /// `[width]`: scale of the RMS norm after attention.
    pub attention_post_norm: Option<W>,
    /// `[width]`: scale of the RMS norm before the feed-forward.
    pub ffn_norm: W,
    /// `[ffn_width × width]`: to the input of the activation.
    pub gate: W,
    /// `[ffn_width × width]`: to the gated values.
    pub up: W,
    /// `[width × ffn_width]`: back to the residual stream.
    pub down: W,
    /// `[width]`: scale of the RMS norm after the feed-forward.
    pub ffn_post_norm: Option<W>,
}

impl Weights<TensorInfo> {
    /// Finds every weight, checks its shape, and refuses unused tensors.
    pub fn find(gguf: &Gguf<'_>, hyper: &HyperParameters) -> Result<Self, ModelError> {
        let finder = &mut Finder::new(gguf);
        let row = hyper.architecture;
        let (width, vocabulary) = (hyper.width, hyper.vocabulary);
        let token_embedding = finder.matrix("token_embd.weight", vocabulary, width)?;
        let mut layers = Vec::new();
        for layer in 0..hyper.layers {
            layers.push(LayerWeights::find(finder, row, hyper, layer)?);
        }
        let output_norm = finder.vector("output_norm.weight", width)?;
        let is_tied = !finder.has("output.weight");
        let output = optional(!is_tied, || finder.matrix("output.weight", vocabulary, width))?;
        let rope_factors = RopeFactors::find(finder, hyper)?;
        finder.finish(row.name)?;
        Ok(Self { token_embedding, layers, output_norm, output, rope_factors })
    }
}

impl<W> Weights<W> {
    /// Calls `visit` with every weight that a backend takes.
    pub fn each<'w>(&'w self, visit: &mut impl FnMut(&'w W)) {
        visit(&self.token_embedding);
        for layer in &self.layers {
            layer.each(visit);
        }
        visit(&self.output_norm);
        if let Some(output) = &self.output {
            visit(output);
        }
    }

    /// Converts every weight that a backend takes.
    pub fn try_map<V, E>(&self, mut to: impl FnMut(&W) -> Result<V, E>) -> Result<Weights<V>, E> {
        let to = &mut to;
        Ok(Weights {
            token_embedding: to(&self.token_embedding)?,
            layers: self.layers.iter().map(|layer| layer.try_map(to)).collect::<Result<_, E>>()?,
            output_norm: to(&self.output_norm)?,
            output: self.output.as_ref().map(to).transpose()?,
            rope_factors: self.rope_factors.clone(),
        })
    }
}

impl RopeFactors {
    fn find(finder: &mut Finder<'_, '_>, hyper: &HyperParameters) -> Result<Self, ModelError> {
        let pairs = hyper.rope.rotated / 2;
        Ok(match hyper.rope.factors {
            Factors::None => Self::None,
            Factors::Fixed => Self::Fixed(finder.vector("rope_freqs.weight", pairs)?),
            Factors::ByContext(original_context) => Self::ByContext {
                original_context,
                short: finder.vector("rope_factors_short.weight", pairs)?,
                long: finder.vector("rope_factors_long.weight", pairs)?,
            },
        })
    }

    /// The factors for a cache of `positions`, from the bytes of the file; empty if there are none.
    pub fn read(&self, file: &[u8], positions: usize) -> Vec<f32> {
        let tensor = match self {
            Self::None => return Vec::new(),
            Self::Fixed(tensor) => tensor,
            Self::ByContext { original_context, long, .. } if positions > *original_context => long,
            Self::ByContext { short, .. } => short,
        };
        let mut factors = vec![0.0; tensor.weights()];
        (tensor.format.dequantize)(&file[tensor.bytes.clone()], &mut factors);
        factors
    }
}

impl LayerWeights<TensorInfo> {
    fn find(
        finder: &mut Finder<'_, '_>,
        row: &Architecture,
        hyper: &HyperParameters,
        layer: usize,
    ) -> Result<Self, ModelError> {
        let name = |part: &str| format!("blk.{layer}.{part}.weight");
        let bias = |part: &str| format!("blk.{layer}.{part}.bias");
        let (width, ffn, head) = (hyper.width, hyper.ffn_width, hyper.head_size);
        let (heads, kv) = (hyper.query_width(), hyper.kv_width());
        let attention_norm = finder.vector(&name("attn_norm"), width)?;
        let fused = name("attn_qkv");
        let [query, key, value] = if finder.has(&fused) {
            finder.stacked(&fused, [heads, kv, kv], width)?
        } else {
            [
                finder.matrix(&name("attn_q"), heads, width)?,
                finder.matrix(&name("attn_k"), kv, width)?,
                finder.matrix(&name("attn_v"), kv, width)?,
            ]
        };
        let [gate, up] = if row.has_fused_gate {
            finder.stacked(&name("ffn_up"), [ffn, ffn], width)?
        } else {
            [
                finder.matrix(&name("ffn_gate"), ffn, width)?,
                finder.matrix(&name("ffn_up"), ffn, width)?,
            ]
        };
        let mut vector =
            |is_present, name: String, size| optional(is_present, || finder.vector(&name, size));
        let (has_bias, has_norms) = (row.has_qkv_bias, row.has_head_norms);
        Ok(Self {
            attention_norm,
            query,
            key,
            value,
            query_bias: vector(has_bias, bias("attn_q"), heads)?,
            key_bias: vector(has_bias, bias("attn_k"), kv)?,
            value_bias: vector(has_bias, bias("attn_v"), kv)?,
            query_norm: vector(has_norms, name("attn_q_norm"), head)?,
            key_norm: vector(has_norms, name("attn_k_norm"), head)?,
            attention_post_norm: vector(row.has_post_norms, name("post_attention_norm"), width)?,
            ffn_post_norm: vector(row.has_post_norms, name("post_ffw_norm"), width)?,
            attention_output: finder.matrix(&name("attn_output"), width, heads)?,
            ffn_norm: finder.vector(&name("ffn_norm"), width)?,
            gate,
            up,
            down: finder.matrix(&name("ffn_down"), width, ffn)?,
        })
    }
}

impl<W> LayerWeights<W> {
    fn each<'w>(&'w self, visit: &mut impl FnMut(&'w W)) {
        // `try_map` names every weight in one place, and can't fail here.
        let Ok(_) = self.try_map(&mut |weight| {
            visit(weight);
            Ok::<_, std::convert::Infallible>(())
        });
    }

    fn try_map<'w, V, E>(
        &'w self,
        to: &mut impl FnMut(&'w W) -> Result<V, E>,
    ) -> Result<LayerWeights<V>, E> {
        Ok(LayerWeights {
            attention_norm: to(&self.attention_norm)?,
            query: to(&self.query)?,
            key: to(&self.key)?,
            value: to(&self.value)?,
            query_bias: self.query_bias.as_ref().map(&mut *to).transpose()?,
            key_bias: self.key_bias.as_ref().map(&mut *to).transpose()?,
            value_bias: self.value_bias.as_ref().map(&mut *to).transpose()?,
            query_norm: self.query_norm.as_ref().map(&mut *to).transpose()?,
            key_norm: self.key_norm.as_ref().map(&mut *to).transpose()?,
            attention_output: to(&self.attention_output)?,
            attention_post_norm: self.attention_post_norm.as_ref().map(&mut *to).transpose()?,
            ffn_norm: to(&self.ffn_norm)?,
            gate: to(&self.gate)?,
            up: to(&self.up)?,
            down: to(&self.down)?,
            ffn_post_norm: self.ffn_post_norm.as_ref().map(&mut *to).transpose()?,
        })
    }
}

/// A weight, if the architecture has it.
fn optional<W>(
    is_present: bool,
    find: impl FnOnce() -> Result<W, ModelError>,
) -> Result<Option<W>, ModelError> {
    is_present.then(find).transpose()
}
