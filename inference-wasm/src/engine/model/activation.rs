//! Activation functions of the feed-forward.

/// The activation function of a feed-forward's gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// `x / (1 + e⁻ˣ)`.
    Silu,
    /// `x / 2 · (1 + tanh(√(2/π) · (x + 0.044715 · x³)))`.
    GeluTanh,
}

impl Activation {
    /// Evaluates the formula.
    pub fn of(self, x: f32) -> f32 {
        match self {
            Self::Silu => x / (1.0 + (-x).exp()),
            Self::GeluTanh => {
                const ROOT: f32 = 0.797_884_6;
                0.5 * x * (1.0 + (ROOT * (x + 0.044_715 * x * x * x)).tanh())
            }
        }
    }
}
