//! How far a value may be off: a number of units in the last place (ULP) for each op, after the
//! conformance tests of WebNN (`webnn/resources/utils.js` of web-platform-tests), and what the
//! shading languages promise of their functions.
//!
//! No number here comes from a measurement. Each is a count of roundings, ours and the
//! reference's, and is scaled by the magnitude that they happen at: for a sum that is `Σ |a·b|`,
//! not the sum, since terms that cancel leave the roundings and take the ULPs away.
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
//! On top of these: numbers below 2⁻¹²⁶ may count as zero (WGSL and GLSL ES let them), once for
//! each term.

use crate::protocol::BackendName;

/// One unit in the last place of a number from 1 to 2.
pub(super) const ULP: f64 = 1.0 / 8_388_608.0;

/// The least normal number.
pub(super) const TINY: f64 = f32::MIN_POSITIVE as f64;

/// What `tanh(y)` is off by, in ULPs of 1, if it is `1 − 2 / (e²ʸ + 1)`.
///
/// With WGSL's `exp` the part `2e / (1 + e)²` of its 3 + 4|y| ULPs, 2 at most; the sum with 1 adds 1,
/// the division 2.5, the difference 1, a division before by the cap 2.5 · y / cosh² y, 1.1 at most;
/// the product with the cap 1. With the reference's own 3 that makes 12. Shaders that call the
/// language's own `tanh` are promised no more than 10⁻⁵ and are not meant by this.
pub(super) const TANH_ULPS: f64 = 12.0;

/// What a family of backends computes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Arithmetic {
    /// Activations are rounded to 16 bits for each 32 of them where weights are in blocks: by half
    /// of a step, which is their greatest magnitude over 32639.
    pub(super) has_integer_activations: bool,
    /// A number that goes into half precision may be rounded up or down, as WGSL and GLSL ES have
    /// it, where the reference takes the nearest: a unit of half precision between the two.
    pub(super) rounds_halves_freely: bool,
}

impl Arithmetic {
    /// That of a backend.
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

    /// What a stored half may be off by, as a part of it.
    pub(super) fn half(self) -> f64 {
        if self.rounds_halves_freely { 1.0 / 1024.0 } else { 0.0 }
    }
}
