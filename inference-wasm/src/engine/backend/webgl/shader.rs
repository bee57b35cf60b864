//! The shaders, composed of the pieces in `shaders/*.glsl`.

use super::weights::Packing;
use crate::engine::backend::CHUNK_ROWS;
use crate::engine::model::Activation;

/// The only vertex shader.
pub(super) const VERTEX: &str = include_str!("shaders/vertex.glsl");

/// A fragment shader.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Shader {
    Probe,
    /// Rows of a table of embeddings.
    Embed(&'static Packing),
    /// Outputs of a matrix; whether rows may end within a group of 32.
    Matmul(&'static Packing, bool),
    /// RMS norm of rows, or of heads; whether heads are multiples of four.
    RmsNorm(bool),
    /// An element-wise op.
    Map(Map),
    Rope,
    /// Rows into a cache; whether it holds half precision.
    Append(bool),
    /// Attention's scores; whether heads are multiples of four.
    Scores(bool),
    /// Attention's weighted sums; whether heads are multiples of four.
    Attended(bool),
    /// The greatest values of slices of a row.
    Best,
}

/// The function of a column `x`, with a column `y` or a `factor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Map {
    Copy,
    Add,
    Scale,
    /// `factor · tanh(x / factor)`.
    SoftCap,
    /// `activation(x) · y`.
    Gated(Activation),
}

macro_rules! piece {
    ($name:literal) => {
        include_str!(concat!("shaders/", $name, ".glsl"))
    };
}

impl Map {
    fn text(self) -> &'static str {
        match self {
            Self::Copy => "vec4 apply(vec4 x) { return x; }\n",
            Self::Add => "vec4 apply(vec4 x, vec4 y) { return x + y; }\n",
            Self::Scale => "uniform float factor;\nvec4 apply(vec4 x) { return factor * x; }\n",
            Self::SoftCap => {
                "uniform float factor;\n\
                 vec4 apply(vec4 x) { return factor * tangent(x / factor); }\n"
            }
            Self::Gated(Activation::Silu) => {
                "vec4 apply(vec4 x, vec4 y) { return x * logistic(x) * y; }\n"
            }
            Self::Gated(Activation::GeluTanh) => {
                "vec4 apply(vec4 x, vec4 y) {\n  \
                 vec4 inner = 0.79788456 * (x + 0.044715 * x * x * x);\n  \
                 return 0.5 * x * (1.0 + tangent(inner)) * y;\n}\n"
            }
        }
    }

    /// A separate piece without `y`: even an unread sampler must not be bound to the target of the
    /// pass, or to a texture of another kind.
    fn main(self) -> &'static str {
        match self {
            Self::Copy | Self::Scale | Self::SoftCap => piece!("map_one"),
            Self::Add | Self::Gated(_) => piece!("map_two"),
        }
    }
}

impl Shader {
    /// The whole source.
    pub(super) fn text(self) -> String {
        let common = piece!("common");
        let functions = piece!("functions");
        let unpacking = |packing: &Packing| {
            let (common, group) = (piece!("weights/common"), piece!("weights/group"));
            [common, piece!("weights/superblock"), packing.unpack, group].concat()
        };
        match self {
            Self::Probe => [common, piece!("probe")].concat(),
            Self::Embed(packing) => {
                let embed = piece!("embed").replace("CHUNK_ROWS", &CHUNK_ROWS.to_string());
                [common, &unpacking(packing), &embed].concat()
            }
            Self::Matmul(packing, has_tail) => {
                let take = if has_tail { piece!("take_tail") } else { piece!("take_whole") };
                [common, &unpacking(packing), piece!("matmul"), take].concat()
            }
            Self::RmsNorm(true) => [common, piece!("rms_norm")].concat(),
            Self::RmsNorm(false) => [common, piece!("rms_norm_any")].concat(),
            Self::Map(map) => [common, functions, map.text(), map.main()].concat(),
            Self::Rope => [common, piece!("rope")].concat(),
            Self::Append(is_half) => {
                let stored = if is_half { piece!("stored_f16") } else { piece!("stored_f32") };
                [common, stored, piece!("append")].concat()
            }
            Self::Scores(is_aligned) => {
                [common, functions, four(is_aligned), piece!("scores")].concat()
            }
            Self::Attended(is_aligned) => {
                let attended =
                    if is_aligned { piece!("attended_aligned") } else { piece!("attended_any") };
                [common, four(is_aligned), piece!("attended"), attended].concat()
            }
            Self::Best => [common, piece!("best")].concat(),
        }
    }
}

fn four(is_aligned: bool) -> &'static str {
    if is_aligned { piece!("four_aligned") } else { piece!("four_any") }
}
