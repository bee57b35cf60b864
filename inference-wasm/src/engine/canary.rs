//! The canary op: a dot product whose rounding shows which backend computed it.
//!
//! `f32` addition is not associative, so the bits of a sum reveal the order in which it was taken.
//! Each backend's matrix product has an order of its own by construction:
//!
//! | backend | order of the 64 products `p[i]` |
//! |---|---|
//! | `reference` | one sum, first to last |
//! | `cpu`, `wasm` | four lanes, lane `j` sums `p[j], p[j+4], …`; then `(l0 + l1) + (l2 + l3)` |
//! | `webgpu` | the same of the first 32 and of the last 32 apart, then the sum of both |
//! | `webgl` | eight lanes, lane `j` sums `p[j], p[j+8], …`; `m[j] = l[j] + l[j+4]`; then `(m0 + m1) + (m2 + m3)` |
//!
//! The products themselves are exact, since a GPU may add a product to a sum with one rounding or
//! with two.
//!
//! The op goes through the backend's own [`matmul`](super::backend::Backend::matmul) on its own
//! weights and activations, so neither a constant nor another backend can stand in for it.
//! [`expected`] is computed without any kernel.

use super::backend::{Backend, ModelBytes};
use super::model::TensorInfo;
use super::quant::Format;
use crate::protocol::{BackendName, Canary, EngineError};

const LENGTH: usize = 64;

/// GGUF's number for `F32`.
const F32: u32 = 0;

/// Value `i` of both vectors. Their products have both signs and very different sizes and almost
/// cancel in the end, so that what partial sums lost to rounding shows in the result. The numbers
/// have 10 and 11 bits, so that their products are exact.
fn vectors(i: usize) -> (f32, f32) {
    let j = i * 23 % LENGTH;
    let k = j % 32;
    let sign = if j < 32 { 1.0 } else { -1.0 };
    let size = (1_u32 << (k * 5 % 17)) as f32;
    (sign * size * (k * k + 3) as f32, (3500 / (k + 3) + j / 32) as f32 / 4096.0)
}

/// Runs the op on a backend.
#[expect(clippy::missing_panics_doc, reason = "`F32` is in the table of formats")]
pub async fn run<B: Backend>(backend: &mut B) -> Result<Canary, EngineError> {
    let (a, b): (Vec<f32>, Vec<f32>) = (0..LENGTH).map(vectors).unzip();
    let bytes: Vec<u8> = a.iter().flat_map(|value| value.to_le_bytes()).collect();
    let tensor = TensorInfo {
        name: "canary".into(),
        dimensions: vec![LENGTH, 1],
        format: Format::of(F32).expect("`F32` is in the table of formats"),
        bytes: 0..bytes.len(),
        entry_offset: 0,
    };
    let weight = backend.weight(&ModelBytes::new(bytes), &tensor)?;
    let x = backend.constant(LENGTH, &b)?;
    let mut out = backend.tensor(1, 1)?;
    backend.matmul(&weight, &x, &mut out);
    let mut result = Vec::new();
    backend.read(&out, &mut result).await?;
    Ok(Canary { bits: result.first().copied().unwrap_or(f32::NAN).to_bits() })
}

/// The bits that a backend's order of summation gives.
pub fn expected(backend: BackendName) -> Option<u32> {
    let products = (0..LENGTH).map(vectors).map(|(a, b)| a * b);
    let sum = match backend {
        BackendName::Reference => products.fold(0.0, |sum, product| sum + product),
        BackendName::Cpu | BackendName::Wasm => four_lanes(products),
        BackendName::Webgpu => {
            let half = LENGTH / 2;
            four_lanes(products.clone().take(half)) + four_lanes(products.skip(half))
        }
        BackendName::Webgl => {
            let mut lanes = [0.0_f32; 8];
            for (i, product) in products.enumerate() {
                lanes[i % 8] += product;
            }
            let merged: [f32; 4] = std::array::from_fn(|i| lanes[i] + lanes[i + 4]);
            (merged[0] + merged[1]) + (merged[2] + merged[3])
        }
    };
    Some(sum.to_bits())
}

fn four_lanes(products: impl Iterator<Item = f32>) -> f32 {
    let mut lanes = [0.0_f32; 4];
    for (i, product) in products.enumerate() {
        lanes[i % 4] += product;
    }
    (lanes[0] + lanes[1]) + (lanes[2] + lanes[3])
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;
    use crate::engine::backend::{Cpu, Reference};

    #[test]
    fn kernels_sum_in_their_documented_order() {
        let reference = block_on(run(&mut Reference::default())).unwrap();
        assert_eq!(Some(reference.bits), expected(BackendName::Reference));
        let cpu = block_on(run(&mut Cpu::default())).unwrap();
        assert_eq!(Some(cpu.bits), expected(BackendName::Cpu));
    }

    #[test]
    fn products_are_exact() {
        for (a, b) in (0..LENGTH).map(vectors) {
            assert_eq!(f64::from(a * b).to_bits(), (f64::from(a) * f64::from(b)).to_bits());
        }
    }

    #[test]
    fn every_order_gives_different_bits() {
        let known = BackendName::ALL.into_iter().filter(|&name| name != BackendName::Wasm);
        let known: Vec<_> = known.map(expected).collect();
        assert_eq!(known.iter().collect::<std::collections::BTreeSet<_>>().len(), known.len());
        // A driver may sum in a tree.
        let mut tree: Vec<f32> = (0..LENGTH).map(vectors).map(|(a, b)| a * b).collect();
        while tree.len() > 1 {
            let half = tree.len() / 2;
            tree = (0..half).map(|i| tree[i] + tree[i + half]).collect();
        }
        let exact: f64 = (0..LENGTH).map(vectors).map(|(a, b)| f64::from(a * b)).sum();
        for other in [tree[0], exact as f32] {
            assert!(!known.contains(&Some(other.to_bits())), "{other}");
        }
    }
}
