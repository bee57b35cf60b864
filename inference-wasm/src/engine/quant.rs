//! How weights are stored: one file a format.
//!
//! A [`Format`] is a row of a table: sizes, and functions that turn blocks into numbers. To add
//! one, write its file and name it in [`FORMATS`]. Nothing here knows tensors or models.

#![expect(clippy::inline_always, reason = "unpacking runs once a block, in the innermost loop")]

mod f16;
mod f32;
mod q4_0;
mod q4_1;
mod q8_0;

use super::backend::product::{BlockJob, FloatJob};

/// Every format that this engine reads.
static FORMATS: [&Format; 5] =
    [&f32::FORMAT, &f16::FORMAT, &q4_0::FORMAT, &q4_1::FORMAT, &q8_0::FORMAT];

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
            6 => "Q5_0",
            7 => "Q5_1",
            9 => "Q8_1",
            10 => "Q2_K",
            11 => "Q3_K",
            12 => "Q4_K",
            13 => "Q5_K",
            14 => "Q6_K",
            15 => "Q8_K",
            20 => "IQ4_NL",
            23 => "IQ4_XS",
            30 => "BF16",
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

    #[derive(serde::Deserialize)]
    struct Vector {
        /// Stored blocks, in hex.
        bytes: String,
        /// Bits of the 64 weights.
        weights: Vec<u32>,
    }

    /// `quant.json` is what the Python package `gguf` 0.19 makes of 64 normal numbers
    /// (`numpy.random.default_rng(7)`; 32 of deviation 0.05, 32 of 3): `gguf.quants.quantize`,
    /// and `gguf.quants.dequantize` of that.
    #[test]
    fn weights_are_those_of_the_gguf_package() {
        let vectors = include_str!("../../tests/vectors/quant.json");
        let vectors: BTreeMap<String, Vector> = serde_json::from_str(vectors).unwrap();
        assert_eq!(vectors.len(), 4);
        for (name, vector) in vectors {
            let format = FORMATS.iter().find(|format| format.name == name).unwrap();
            let bytes: Vec<u8> = (0..vector.bytes.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&vector.bytes[at..at + 2], 16).unwrap())
                .collect();
            let mut weights = [f32::NAN; 64];
            (format.dequantize)(&bytes, &mut weights);
            assert_eq!(weights.map(f32::to_bits).to_vec(), vector.weights, "{name}");
        }
    }

    #[test]
    fn floats_are_as_they_are() {
        let mut weights = [0.0; 2];
        (f32::FORMAT.dequantize)(&[0, 0, 0x80, 0x3f, 0, 0, 0x20, 0xc1], &mut weights);
        assert_eq!(weights, [1.0, -10.0]);
    }
}
