//! Error bounds: a number of units in the last place (ULP) for each op, from the conformance tests
//! of WebNN (`webnn/resources/utils.js` of web-platform-tests) and from the guarantees of shading
//! languages for their functions.
//!
//! No number here is measured. Each is a count of roundings, ours and the reference's, scaled by
//! the magnitude at which they happen. For a sum that is `Σ |a·b|` and not the sum itself: terms
//! that cancel leave their rounding errors in the result.
//!
//! | op | ULP | of | source |
//! |---|---|---|---|
//! | `matmul` | 2K | `Σ \|w·x\|` | WebNN `matmul`; K columns |
//! | `embed` | 4 | the parts of a weight | scale · sub-scale · integer − least value · its scale; 0 for plain floats |
//! | `rms_norm` | n + 10 | the value | WebNN `reduceMean` n + 2; `inverseSqrt` 2, a division 2.5, 3 products and sums |
//! | `rope` | 4 | `\|a·cos\| + \|b·sin\|` | WebNN `matmul` with K = 2 |
//! | `attention` | 2d + 2 in a score, 3 + 2\|x\| in its `exp`, 5n + 3 in the sum | `Σ p·\|v\|` | WebNN `matmul` of d, `softmax` 3n + 3, `matmul` of n positions; WGSL `exp` |
//! | `gated`, SiLU | 12 + 2\|x\| | the value | WGSL `exp` 3 + 2\|x\|, division 2.5, 3 roundings, and the reference's own; WebNN has 34 for `sigmoid` alone |
//! | `gated`, GELU | 16 | `\|x·up\|` | `1 + tanh` cancels, so the magnitude is that of the 1 |
//! | `soft_cap` | 12 | the cap | `tanh` by way of `exp`, see [`TANH_ULPS`] |
//! | `add`, `add_bias`, `scale` | 1 | the value | WebNN `add`, `mul`; WGSL lets them round either way |
//! | `rows`, `read`, `best` | 0 | | nothing is computed |
//!
//! In addition, numbers below 2⁻¹²⁶ may count as zero (WGSL and GLSL ES allow it), once for each
//! term.

use crate::protocol::BackendName;

/// One unit in the last place of a number from 1 to 2.
pub(super) const ULP: f64 = 1.0 / 8_388_608.0;

/// The smallest normal number.
pub(super) const TINY: f64 = f32::MIN_POSITIVE as f64;

/// The error of `tanh(y)`, in ULPs of 1, if computed as `1 − 2 / (e²ʸ + 1)`.
///
/// With WGSL's `exp` the part `2e / (1 + e)²` of its 3 + 4|y| ULPs, at most 2; the sum with 1 adds
/// 1, the division 2.5, the difference 1, a preceding division by the cap 2.5 · y / cosh² y, at
/// most 1.1; the product with the cap 1. With the reference's own 3 that makes 12. Shaders that
/// call the language's own `tanh`, which guarantees only 10⁻⁵, are not covered.
pub(super) const TANH_ULPS: f64 = 12.0;

/// The arithmetic of a family of backends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Arithmetic {
    /// Activations are rounded to 16 bits in groups of 32 if weights are in blocks: by half a step,
    /// which is their greatest magnitude over 32639.
    pub(super) has_integer_activations: bool,
    /// A number that is converted to half precision may be rounded up or down, as WGSL and GLSL ES
    /// allow, where the reference takes the nearest: they may differ by a unit of half precision.
    pub(super) rounds_halves_freely: bool,
}

impl Arithmetic {
    /// The arithmetic of a backend.
    pub(super) fn of(backend: BackendName) -> Self {
        match backend {
            BackendName::Cpu | BackendName::Wasm => {
                Self { has_integer_activations: true, rounds_halves_freely: false }
            }
            BackendName::Webgpu | BackendName::Webgl => {
                Self { has_integer_activations: false, rounds_halves_freely: true }
            }
            BackendName::Reference => {
                Self { has_integer_activations: false, rounds_halves_freely: false }
            }
        }
    }

    /// The relative error of a stored half.
    pub(super) fn half(self) -> f64 {
        if self.rounds_halves_freely { 1.0 / 1024.0 } else { 0.0 }
    }
}
