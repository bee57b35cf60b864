//! What the architectures that this engine computes differ in: one table, a row for each.
//!
//! A row holds what no key of a model file says. What keys do say, with a row's defaults, is read
//! by [`HyperParameters`](super::HyperParameters); the forward pass follows those and the weights
//! that are there, and never asks for the name of an architecture.
//!
//! Names, key names and layouts are those of llama.cpp's converter and loader:
//! the converter reorders the rows of queries and keys of some architectures so that rotary pairs
//! are neighbours, and stores norms of the Gemma family with their 1 added.

use super::activation::Activation;
use super::rope::RotaryPairs;

/// One row of the table.
#[derive(Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "a row of a table, each an independent column")]
pub struct Architecture {
    /// Value of `general.architecture`, and prefix of its keys.
    pub name: &'static str,
    /// How rotary pairs lie in a head.
    pub pairs: RotaryPairs,
    /// What the feed-forward's gate goes through.
    pub activation: Activation,
    /// Queries, keys and values have biases.
    pub has_qkv_bias: bool,
    /// Query and key heads are normalised before they are turned.
    pub has_head_norms: bool,
    /// Attention and feed-forward are normalised behind as well as in front.
    pub has_post_norms: bool,
    /// Gate and up lie in one tensor, `ffn_up`, the gate's rows first.
    pub has_fused_gate: bool,
    /// Embeddings are multiplied by the root of the width.
    pub has_scaled_embedding: bool,
    /// Which layers see a window only, and whose.
    pub windows: Option<Windows>,
    /// The caps of scores and logits, where keys can set them.
    pub caps: Option<Caps>,
    /// Every so-many-th layer has no positions at all.
    pub unrotated_every: Option<usize>,
    /// Where a file may have factors for the frequencies of the rotary embedding.
    pub factors: FactorTensors,
    /// The one size of the family whose queries are scaled by width / heads, by its number of
    /// layers; no key tells. All others go by the size of a head.
    pub scaled_by_width: Option<usize>,
}

/// The layers that see only the last positions.
#[derive(Debug, PartialEq)]
pub struct Windows {
    /// Every so-many-th layer sees all, the others a window; `None`: all see a window. What
    /// `attention.sliding_window_pattern` overrides.
    pub global_every: Option<usize>,
    /// Positions, where `attention.sliding_window` does not say; `None`: no window then.
    pub default: Option<usize>,
    /// Base of the rotary embedding in those layers, and no scaling of it, where
    /// `rope.freq_base_swa` does not say; `None`: that of the other layers, scaled as they are.
    pub rope_base: Option<f32>,
}

/// `cap · tanh(x / cap)`, where keys don't say; `None`: no cap then.
#[derive(Debug, PartialEq)]
pub struct Caps {
    /// `attn_logit_softcapping`: of attention's scores. Known to this architecture if there.
    pub scores: Option<f32>,
    /// `final_logit_softcapping`: of the logits.
    pub logits: Option<f32>,
}

/// Tensors with factors that divide the frequencies of the rotary embedding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FactorTensors {
    /// The architecture has none.
    Never,
    /// `rope_freqs`, if it is there (Llama 3); `rope_factors_*` where the scaling is `longrope`.
    ByType,
    /// `rope_factors_long` and `rope_factors_short`, if they are there, whatever the type says.
    ByPresence,
}

/// What most have: `llama`, and the base of the other rows.
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

/// As `llama`, with pairs as GPT-NeoX has them and no factors.
const QWEN: Architecture =
    Architecture { pairs: RotaryPairs::Halves, factors: FactorTensors::Never, ..LLAMA };

const GEMMA: Architecture = Architecture {
    name: "gemma",
    activation: Activation::GeluTanh,
    has_scaled_embedding: true,
    ..QWEN
};

/// All of them, in the order of messages. Mistral's models are `llama`.
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
