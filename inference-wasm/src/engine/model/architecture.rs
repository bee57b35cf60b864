//! The differences between the architectures that this engine supports: one table, with a row for
//! each.
//!
//! A row holds what no key of a model file says. [`HyperParameters`](super::HyperParameters)
//! combines it with the keys. The forward pass depends on hyper-parameters and weights, and never
//! on the name of an architecture.
//!
//! Names, key names and layouts are those of llama.cpp's converter and loader. The converter
//! reorders the rows of queries and keys of some architectures so that rotary pairs are neighbours,
//! and it adds 1 to the norms of the Gemma family.

use super::activation::Activation;
use super::rope::RotaryPairs;

/// One row of the table.
#[derive(Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "a row of a table, each an independent column")]
pub struct Architecture {
    /// The value of `general.architecture`, and the prefix of its keys.
    pub name: &'static str,
    /// The layout of rotary pairs in a head.
    pub pairs: RotaryPairs,
    /// The activation function of the feed-forward's gate.
    pub activation: Activation,
    /// Queries, keys and values have biases.
    pub has_qkv_bias: bool,
    /// Query and key heads are normalised before they are rotated.
    pub has_head_norms: bool,
    /// Attention and feed-forward are followed by a norm as well as preceded by one.
    pub has_post_norms: bool,
    /// Gate and up are in one tensor, `ffn_up`, the gate's rows first.
    pub has_fused_gate: bool,
    /// Embeddings are multiplied by the square root of the width.
    pub has_scaled_embedding: bool,
    /// Which layers see only a window, and its defaults.
    pub windows: Option<Windows>,
    /// The caps of scores and logits, where keys can set them.
    pub caps: Option<Caps>,
    /// Every n-th layer has no positions.
    pub unrotated_every: Option<usize>,
    /// Which factors a file may have for the frequencies of the rotary embedding.
    pub factors: FactorTensors,
    /// The size of the family, by its number of layers, that scales queries by width / heads; no
    /// key says so. All others scale by the head size.
    pub scaled_by_width: Option<usize>,
}

/// Layers that see only the last positions.
#[derive(Debug, PartialEq)]
pub struct Windows {
    /// Every n-th layer sees all positions, the others a window; `None` if all see a window.
    /// `attention.sliding_window_pattern` overrides it.
    pub global_every: Option<usize>,
    /// The window in positions, if `attention.sliding_window` is absent; `None` for no window.
    pub default: Option<usize>,
    /// The base of the rotary embedding in local layers, unscaled, if `rope.freq_base_swa` is
    /// absent; `None` for the rotary embedding of the other layers, scaled as theirs is.
    pub rope_base: Option<f32>,
}

/// The defaults of `cap · tanh(x / cap)`, if the keys are absent; `None` for no cap.
#[derive(Debug, PartialEq)]
pub struct Caps {
    /// `attn_logit_softcapping`: of attention's scores. The architecture knows the key only if this
    /// is set.
    pub scores: Option<f32>,
    /// `final_logit_softcapping`: of the logits.
    pub logits: Option<f32>,
}

/// Tensors with factors that divide the frequencies of the rotary embedding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FactorTensors {
    /// The architecture has none.
    Never,
    /// `rope_freqs`, if present (Llama 3); `rope_factors_*` if the scaling is `longrope`.
    ByType,
    /// `rope_factors_long` and `rope_factors_short`, if present, whatever the scaling.
    ByPresence,
}

/// `llama`, and the base of the other rows.
const LLAMA: Architecture = Architecture {
    name: "llama",
    pairs: RotaryPairs::Interleaved,
    activation: Activation::Silu,
    has_qkv_bias: false,
    has_head_norms: false,
    has_post_norms: false,
    has_fused_gate: false,
    has_scaled_embedding: false,
    windows: None,
    caps: None,
    unrotated_every: None,
    factors: FactorTensors::ByType,
    scaled_by_width: None,
};

/// As `llama`, with GPT-NeoX's pairs and without factors.
const QWEN: Architecture =
    Architecture { pairs: RotaryPairs::Halves, factors: FactorTensors::Never, ..LLAMA };

const GEMMA: Architecture = Architecture {
    name: "gemma",
    activation: Activation::GeluTanh,
    has_scaled_embedding: true,
    ..QWEN
};

/// All architectures, in the order of messages. Mistral's models are `llama`.
pub static ARCHITECTURES: [Architecture; 8] = [
    LLAMA,
    Architecture { name: "qwen2", has_qkv_bias: true, ..QWEN },
    Architecture { name: "qwen3", has_head_norms: true, ..QWEN },
    Architecture {
        name: "phi3",
        has_fused_gate: true,
        windows: Some(Windows { global_every: None, default: None, rope_base: None }),
        factors: FactorTensors::ByPresence,
        ..QWEN
    },
    GEMMA,
    Architecture {
        name: "gemma2",
        has_post_norms: true,
        windows: Some(Windows { global_every: Some(2), default: Some(4096), rope_base: None }),
        caps: Some(Caps { scores: Some(50.0), logits: Some(30.0) }),
        scaled_by_width: Some(46),
        ..GEMMA
    },
    Architecture {
        name: "gemma3",
        has_post_norms: true,
        has_head_norms: true,
        windows: Some(Windows { global_every: Some(6), default: None, rope_base: Some(10_000.0) }),
        caps: Some(Caps { scores: None, logits: None }),
        scaled_by_width: Some(62),
        ..GEMMA
    },
    Architecture {
        name: "smollm3",
        unrotated_every: Some(4),
        factors: FactorTensors::Never,
        ..LLAMA
    },
];

impl Architecture {
    /// The row of that name.
    pub fn of(name: &str) -> Option<&'static Self> {
        ARCHITECTURES.iter().find(|row| row.name == name)
    }

    /// All names, for messages.
    pub fn names() -> String {
        let names: Vec<&str> = ARCHITECTURES.iter().map(|row| row.name).collect();
        format!("`{}`", names.join("`, `"))
    }
}
