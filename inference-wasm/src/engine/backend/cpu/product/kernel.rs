//! Which kernel multiplies which format.

use super::blocks::{BlockJob, Blocks};
use super::blocks_of_32::{Iq4Nl, Q40, Q41, Q50, Q51, Q80};
use super::float::{self, Bf16, F16, F32, FloatJob};
use super::superblocks::{Q2K, Q3K, Q4K, Q5K, Q6K};
use super::{panel, row};
use crate::engine::quant::Format;
use crate::protocol::EngineError;

/// Multiplies stored weights of one format by activations.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kernel {
    /// By activations in blocks of integers.
    Blocks(fn(BlockJob<'_>)),
    /// By activations in `f32`.
    Floats(fn(FloatJob<'_>)),
}

impl Kernel {
    /// The kernel of a format; `unsupported-model` for a format without one.
    pub(crate) fn of(format: &Format) -> Result<Self, EngineError> {
        Ok(match format.name {
            "F32" => Self::Floats(float::multiply::<F32, _>),
            "F16" => Self::Floats(float::multiply::<F16, _>),
            "BF16" => Self::Floats(float::multiply::<Bf16, _>),
            "Q4_0" => Self::Blocks(multiply::<Q40, _>),
            "Q4_1" => Self::Blocks(multiply::<Q41, _>),
            "Q5_0" => Self::Blocks(multiply::<Q50, _>),
            "Q5_1" => Self::Blocks(multiply::<Q51, _>),
            "Q8_0" => Self::Blocks(multiply::<Q80, _>),
            "IQ4_NL" => Self::Blocks(multiply::<Iq4Nl, _>),
            "Q2_K" => Self::Blocks(multiply::<Q2K, _>),
            "Q3_K" => Self::Blocks(multiply::<Q3K, _>),
            "Q4_K" => Self::Blocks(multiply::<Q4K, _>),
            "Q5_K" => Self::Blocks(multiply::<Q5K, _>),
            "Q6_K" => Self::Blocks(multiply::<Q6K, _>),
            name => {
                return Err(EngineError::unsupported_model(format!(
                    "the CPU kernels can't multiply weights of type `{name}`"
                )));
            }
        })
    }
}

/// One row of activations goes to the loop for decoding, several go to the loop for prefill.
fn multiply<F: Blocks<BYTES>, const BYTES: usize>(job: BlockJob<'_>) {
    if job.x.len() == job.row_groups {
        row::multiply::<F, BYTES>(job);
    } else {
        panel::multiply::<F, BYTES>(job);
    }
}

#[cfg(test)]
mod tests {
    use super::super::row::both_ways;
    use super::*;
    use crate::engine::backend::cpu::activation;
    use crate::engine::quant::FORMATS;
    use crate::protocol::EngineErrorKind;

    #[test]
    fn every_format_has_a_kernel() {
        for format in FORMATS {
            let kernel = Kernel::of(format).unwrap();
            assert_eq!(matches!(kernel, Kernel::Blocks(_)), format.block_weights > 1, "{format:?}");
        }
        let unknown = Format { name: "Q8_1", ..*FORMATS[0] };
        assert_eq!(Kernel::of(&unknown).unwrap_err().kind, EngineErrorKind::UnsupportedModel);
    }

    /// As bytes and as 16-bit integers, over random blocks and activations up to the greatest.
    fn multiplies_bytes_exactly<F: Blocks<BYTES>, const BYTES: usize>() {
        let mut state = 0x2545_f491_u32;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state
        };
        for round in 0..200 {
            let blocks: [[u8; BYTES]; 4] =
                std::array::from_fn(|_| std::array::from_fn(|_| (next() >> 9) as u8));
            let values: Vec<f32> = (0..32)
                .map(|_| match round {
                    0 => activation::GREATEST,
                    1 => -activation::GREATEST,
                    _ => (next() % 65_279) as f32 - activation::GREATEST,
                })
                .collect();
            let mut x = Vec::new();
            activation::quantize_row(&values, &mut x);
            for group in 0..F::GROUPS {
                let [words, bytes] = both_ways::<F, BYTES>(blocks.each_ref(), group, &x[0]);
                assert_eq!(words, bytes, "round {round}, group {group}");
            }
        }
    }

    #[test]
    fn products_of_bytes_equal_those_of_integers() {
        multiplies_bytes_exactly::<Q40, _>();
        multiplies_bytes_exactly::<Q41, _>();
        multiplies_bytes_exactly::<Q50, _>();
        multiplies_bytes_exactly::<Q51, _>();
        multiplies_bytes_exactly::<Q4K, _>();
        multiplies_bytes_exactly::<Q5K, _>();
    }
}
