//! How weights are stored: one file a format.
//!
//! A [`Format`] is a row of a table: sizes, and functions that turn blocks into numbers. To add
//! one, write its file and name it in [`FORMATS`]. Nothing here knows tensors or models.

#![expect(clippy::inline_always, reason = "unpacking runs once a block, in the innermost loop")]

mod bf16;
mod f16;
mod f32;
mod iq4_nl;
mod q2_k;
mod q3_k;
mod q4_0;
mod q4_1;
mod q4_k;
mod q5_0;
mod q5_1;
mod q5_k;
mod q6_k;
mod q8_0;
mod superblock;

use super::backend::product::{BlockJob, FloatJob};

/// Every format that this engine reads, in the order of their numbers.
pub static FORMATS: [&Format; 14] = [
    &f32::FORMAT,
    &f16::FORMAT,
    &q4_0::FORMAT,
    &q4_1::FORMAT,
    &q5_0::FORMAT,
    &q5_1::FORMAT,
    &q8_0::FORMAT,
    &q2_k::FORMAT,
    &q3_k::FORMAT,
    &q4_k::FORMAT,
    &q5_k::FORMAT,
    &q6_k::FORMAT,
    &iq4_nl::FORMAT,
    &bf16::FORMAT,
];

/// How one type of weights is stored, as GGUF numbers and ggml lays them out.
pub struct Format {
    /// The number of the type in a GGUF file.
    pub id: u32,
    /// The name that ggml gives it.
    pub name: &'static str,
    /// Weights in a block; 1 for plain floats.
    pub block_weights: usize,
    /// Bytes of a block.
    pub block_bytes: usize,
    /// Turns whole blocks into `f32`, one weight after another, the plain way. The reference
    /// backend runs on this; kernels have their own way to the same numbers.
    ///
    /// `blocks` holds a whole number of blocks, `weights` as many floats as they store.
    pub dequantize: fn(blocks: &[u8], weights: &mut [f32]),
    /// Multiplies them as they are stored.
    pub(crate) kernel: Kernel,
}

/// How the CPU kernels multiply a format.
#[derive(Clone, Copy)]
pub(crate) enum Kernel {
    /// By activations in blocks of integers.
    Blocks(fn(BlockJob<'_>)),
    /// By activations in `f32`.
    Floats(fn(FloatJob<'_>)),
}

/// The half-precision number that a block begins with, as stored.
#[inline(always)]
fn first_half<const BYTES: usize>(block: &[u8; BYTES]) -> &[u8; 2] {
    &block.as_chunks::<2>().0[0]
}

impl Format {
    /// The format with this number; `None` if this engine does not read it.
    pub fn of(id: u32) -> Option<&'static Self> {
        FORMATS.iter().find(|format| format.id == id).copied()
    }

    /// Every name, for messages.
    pub fn names() -> String {
        FORMATS.map(|format| format.name).join(", ")
    }

    /// A type's number with ggml's name, where it is a known one that this engine does not read.
    pub fn describe(id: u32) -> String {
        let name = match id {
            9 => "Q8_1",
            15 => "Q8_K",
            16 => "IQ2_XXS",
            17 => "IQ2_XS",
            18 => "IQ3_XXS",
            19 => "IQ1_S",
            21 => "IQ3_S",
            22 => "IQ2_S",
            23 => "IQ4_XS",
            24 => "I8",
            25 => "I16",
            26 => "I32",
            27 => "I64",
            28 => "F64",
            29 => "IQ1_M",
            34 => "TQ1_0",
            35 => "TQ2_0",
            39 => "MXFP4",
            _ => return id.to_string(),
        };
        format!("{id} ({name})")
    }
}

impl std::fmt::Debug for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for Format {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "values that are exact")]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::engine::backend::activation;
    use crate::engine::backend::product::{Blocks, both_ways};

    #[derive(serde::Deserialize)]
    struct Vector {
        /// What the block is: quantized numbers, or bytes of one kind or another.
        case: String,
        /// Stored blocks, in hex.
        bytes: String,
        /// The weights as little-endian `f32`, in hex.
        weights: String,
    }

    /// `quant.json` is made by `fixtures/reference/weight_types.py`: blocks that ggml's quantizers
    /// make of random numbers, and blocks at the ends of the range, with what the Python package
    /// `gguf` 0.19 and ggml's C code agree that they hold.
    #[test]
    fn weights_are_those_of_the_gguf_package() {
        let vectors = include_str!("../../../tests/vectors/quant.json");
        let vectors: BTreeMap<String, Vec<Vector>> = serde_json::from_str(vectors).unwrap();
        assert_eq!(vectors.len(), FORMATS.len(), "a format without vectors");
        for (name, vectors) in vectors {
            let format = FORMATS.iter().find(|format| format.name == name).unwrap();
            assert!(vectors.len() >= 5, "{name}");
            for Vector { case, bytes, weights } in vectors {
                let blocks = hex::decode(bytes).unwrap();
                let weights = hex::decode(weights).unwrap();
                let expected = weights.as_chunks::<4>().0.iter().map(|w| f32::from_le_bytes(*w));
                let expected: Vec<u32> = expected.map(f32::to_bits).collect();
                let mut found = vec![f32::NAN; expected.len()];
                (format.dequantize)(&blocks, &mut found);
                let found: Vec<u32> = found.into_iter().map(f32::to_bits).collect();
                assert_eq!(found, expected, "{name}, {case}");
            }
        }
    }

    #[test]
    fn formats_are_in_the_order_of_their_numbers() {
        assert!(FORMATS.is_sorted_by_key(|format| format.id));
        for format in FORMATS {
            assert_eq!(Format::of(format.id), Some(format));
            assert_eq!(Format::describe(format.id), format.id.to_string(), "known, and unread");
        }
    }

    #[test]
    fn floats_are_as_they_are() {
        let mut weights = [0.0; 2];
        (f32::FORMAT.dequantize)(&[0, 0, 0x80, 0x3f, 0, 0, 0x20, 0xc1], &mut weights);
        assert_eq!(weights, [1.0, -10.0]);
    }

    /// As bytes and as 16-bit integers, over blocks of every byte there is and activations up to
    /// the greatest.
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
    fn products_of_bytes_are_those_of_integers() {
        multiplies_bytes_exactly::<q4_0::Q40, _>();
        multiplies_bytes_exactly::<q4_1::Q41, _>();
        multiplies_bytes_exactly::<q5_0::Q50, _>();
        multiplies_bytes_exactly::<q5_1::Q51, _>();
        multiplies_bytes_exactly::<q4_k::Q4K, _>();
        multiplies_bytes_exactly::<q5_k::Q5K, _>();
    }
}
