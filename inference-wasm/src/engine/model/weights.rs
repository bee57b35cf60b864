//! The weights of a `llama` model, by their place in the network.
//!
//! Generic over what a weight is: its place in the file as read here, a backend's own handle once
//! it is loaded. Shapes are `[rows × columns]`; a row of a matrix makes one output.

use super::{Gguf, HyperParameters, ModelError, TensorInfo};

/// All weights.
#[derive(Debug)]
pub struct Weights<W> {
    /// `[vocabulary × width]`: the vector of each token.
    pub token_embedding: W,
    /// One for each layer, in order.
    pub layers: Vec<LayerWeights<W>>,
    /// `[width]`: scale of the last RMS norm.
    pub output_norm: W,
    /// `[vocabulary × width]`: from the residual stream to logits. `None`: tied, the token
    /// embedding does it.
    pub output: Option<W>,
}

/// The weights of a layer.
#[derive(Debug)]
pub struct LayerWeights<W> {
    /// `[width]`: scale of the RMS norm before attention.
    pub attention_norm: W,
    /// `[heads · head_size × width]`: to queries, rotary pairs interleaved.
    pub query: W,
    /// `[kv_heads · head_size × width]`: to keys, rotary pairs interleaved.
    pub key: W,
    /// `[kv_heads · head_size × width]`: to values.
    pub value: W,
    /// `[width × heads · head_size]`: from the heads back to the residual stream.
    pub attention_output: W,
    /// `[width]`: scale of the RMS norm before the feed-forward.
    pub ffn_norm: W,
    /// `[ffn_width × width]`: to what is gated by `SiLU`.
    pub gate: W,
    /// `[ffn_width × width]`: to what it gates.
    pub up: W,
    /// `[width × ffn_width]`: back to the residual stream.
    pub down: W,
}

impl Weights<TensorInfo> {
    /// Finds every weight, checks its shape, and refuses tensors that nothing would use (biases,
    /// rotary factors): to leave one out would be to compute another model.
    pub fn find(gguf: &Gguf<'_>, hyper: &HyperParameters) -> Result<Self, ModelError> {
        let mut finder = Finder { gguf, used: 0 };
        let (width, vocabulary) = (hyper.width, hyper.vocabulary);
        let token_embedding = finder.matrix("token_embd.weight", vocabulary, width)?;
        let mut layers = Vec::new();
        for layer in 0..hyper.layers {
            layers.push(LayerWeights::find(&mut finder, hyper, layer)?);
        }
        let output_norm = finder.vector("output_norm.weight", width)?;
        let output = if gguf.tensors.contains_key("output.weight") {
            Some(finder.matrix("output.weight", vocabulary, width)?)
        } else {
            None
        };
        let weights = Self { token_embedding, layers, output_norm, output };
        weights.check_all_used(gguf, finder.used)?;
        Ok(weights)
    }

    fn check_all_used(&self, gguf: &Gguf<'_>, used: usize) -> Result<(), ModelError> {
        if used == gguf.tensors.len() {
            return Ok(());
        }
        let mut names = std::collections::HashSet::new();
        self.each(&mut |weight| {
            names.insert(weight.name.as_str());
        });
        match gguf.tensors.values().find(|tensor| !names.contains(tensor.name.as_str())) {
            None => Ok(()),
            Some(unused) => Err(ModelError::unsupported(
                format!("tensor `{}`", unused.name),
                unused.entry_offset,
                "only tensors that the `llama` architecture of this engine uses",
                "one that it does not",
            )),
        }
    }
}

impl<W> Weights<W> {
    /// Calls `visit` with every weight.
    pub fn each<'w>(&'w self, visit: &mut impl FnMut(&'w W)) {
        visit(&self.token_embedding);
        for layer in &self.layers {
            for weight in layer.all() {
                visit(weight);
            }
        }
        visit(&self.output_norm);
        if let Some(output) = &self.output {
            visit(output);
        }
    }

    /// The same weights as another kind of thing.
    pub fn try_map<V, E>(&self, mut to: impl FnMut(&W) -> Result<V, E>) -> Result<Weights<V>, E> {
        let to = &mut to;
        Ok(Weights {
            token_embedding: to(&self.token_embedding)?,
            layers: self.layers.iter().map(|layer| layer.try_map(to)).collect::<Result<_, E>>()?,
            output_norm: to(&self.output_norm)?,
            output: self.output.as_ref().map(to).transpose()?,
        })
    }
}

impl LayerWeights<TensorInfo> {
    fn find(
        finder: &mut Finder<'_, '_>,
        hyper: &HyperParameters,
        layer: usize,
    ) -> Result<Self, ModelError> {
        let name = |part: &str| format!("blk.{layer}.{part}.weight");
        let (width, ffn) = (hyper.width, hyper.ffn_width);
        let (query, kv) = (hyper.query_width(), hyper.kv_width());
        Ok(Self {
            attention_norm: finder.vector(&name("attn_norm"), width)?,
            query: finder.matrix(&name("attn_q"), query, width)?,
            key: finder.matrix(&name("attn_k"), kv, width)?,
            value: finder.matrix(&name("attn_v"), kv, width)?,
            attention_output: finder.matrix(&name("attn_output"), width, query)?,
            ffn_norm: finder.vector(&name("ffn_norm"), width)?,
            gate: finder.matrix(&name("ffn_gate"), ffn, width)?,
            up: finder.matrix(&name("ffn_up"), ffn, width)?,
            down: finder.matrix(&name("ffn_down"), width, ffn)?,
        })
    }
}

impl<W> LayerWeights<W> {
    fn all(&self) -> [&W; 9] {
        [
            &self.attention_norm,
            &self.query,
            &self.key,
            &self.value,
            &self.attention_output,
            &self.ffn_norm,
            &self.gate,
            &self.up,
            &self.down,
        ]
    }

    fn try_map<V, E>(&self, to: &mut impl FnMut(&W) -> Result<V, E>) -> Result<LayerWeights<V>, E> {
        Ok(LayerWeights {
            attention_norm: to(&self.attention_norm)?,
            query: to(&self.query)?,
            key: to(&self.key)?,
            value: to(&self.value)?,
            attention_output: to(&self.attention_output)?,
            ffn_norm: to(&self.ffn_norm)?,
            gate: to(&self.gate)?,
            up: to(&self.up)?,
            down: to(&self.down)?,
        })
    }
}

/// Looks tensors up by name and shape, and counts them.
struct Finder<'g, 'a> {
    gguf: &'g Gguf<'a>,
    used: usize,
}

impl Finder<'_, '_> {
    fn vector(&mut self, name: &str, size: usize) -> Result<TensorInfo, ModelError> {
        self.tensor(name, &[size])
    }

    fn matrix(
        &mut self,
        name: &str,
        rows: usize,
        columns: usize,
    ) -> Result<TensorInfo, ModelError> {
        self.tensor(name, &[columns, rows])
    }

    fn tensor(&mut self, name: &str, dimensions: &[usize]) -> Result<TensorInfo, ModelError> {
        let what = format!("tensor `{name}`");
        let expected = format!("dimensions {dimensions:?}");
        let Some(tensor) = self.gguf.tensors.get(name) else {
            return Err(ModelError::broken(what, None, expected, "no such tensor"));
        };
        if tensor.dimensions != dimensions {
            let found = format!("{:?}", tensor.dimensions);
            return Err(ModelError::broken(what, tensor.entry_offset, expected, found));
        }
        self.used += 1;
        Ok(tensor.clone())
    }
}
