//! The gate of a feed-forward: an activation and a product, element by element.

#![expect(clippy::inline_always, reason = "the activation is one line of the loop")]

use crate::engine::lanes::{F32x4, padded};
use crate::engine::model::Activation;

/// `gates ← activation(gates) · ups`.
pub(super) fn apply_gate(gates: &mut [f32], ups: &[f32], activation: Activation) {
    let gated = |gate: &[f32; 4], up: &[f32; 4]| {
        let (gate, up) = (F32x4::load(gate), F32x4::load(up));
        activated(gate, activation).mul(up)
    };
    let (gates, last_gates) = gates.as_chunks_mut::<4>();
    let (ups, last_ups) = ups.as_chunks::<4>();
    for (gate, up) in gates.iter_mut().zip(ups) {
        gated(gate, up).store(gate);
    }
    let mut last = [0.0; 4];
    gated(&padded(last_gates), &padded(last_ups)).store(&mut last);
    last_gates.copy_from_slice(&last[..last_gates.len()]);
}

/// The activation. Both kinds are `x` times the logistic function: `(1 + tanh y) / 2` is the
/// logistic function of `2y`.
#[inline(always)]
fn activated(x: F32x4, activation: Activation) -> F32x4 {
    match activation {
        Activation::Silu => x.times_logistic(x),
        Activation::GeluTanh => {
            // 2 · √(2/π) · (x + 0.044715 · x³)
            let cube = x.mul(x).mul(x).mul(F32x4::splat(0.044_715));
            x.times_logistic(x.add(cube).mul(F32x4::splat(1.595_769)))
        }
    }
}
