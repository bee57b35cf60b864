//! The table of the weight types that this engine reads, and look-ups in it.

use super::format::Format;

/// Every format that this engine reads, by rising number.
pub static FORMATS: [&Format; 14] = [
    &super::f32::FORMAT,
    &super::f16::FORMAT,
    &super::q4_0::FORMAT,
    &super::q4_1::FORMAT,
    &super::q5_0::FORMAT,
    &super::q5_1::FORMAT,
    &super::q8_0::FORMAT,
    &super::q2_k::FORMAT,
    &super::q3_k::FORMAT,
    &super::q4_k::FORMAT,
    &super::q5_k::FORMAT,
    &super::q6_k::FORMAT,
    &super::iq4_nl::FORMAT,
    &super::bf16::FORMAT,
];

impl Format {
    /// The format with this number; `None` if this engine does not read it.
    pub fn of(id: u32) -> Option<&'static Self> {
        FORMATS.iter().find(|format| format.id == id).copied()
    }

    /// All names, for messages.
    pub fn names() -> String {
        FORMATS.map(|format| format.name).join(", ")
    }

    /// A type's number, with ggml's name if it is a known type that this engine does not read.
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

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "values that are exact")]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(serde::Deserialize)]
    struct Vector {
        /// Where the block comes from: quantized numbers, or made-up bytes.
        case: String,
        /// Stored blocks, in hex.
        bytes: String,
        /// The weights as little-endian `f32`, in hex.
        weights: String,
    }

    /// `quant.json` comes from `fixtures/reference/weight_types.py`: blocks that ggml's quantizers
    /// make of random numbers, and blocks at the ends of the range, with the weights that the
    /// Python package `gguf` 0.19 and ggml's C code agree on.
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
            assert_eq!(Format::describe(format.id), format.id.to_string(), "known as unread");
        }
    }

    #[test]
    fn floats_are_as_they_are() {
        let mut weights = [0.0; 2];
        (FORMATS[0].dequantize)(&[0, 0, 0x80, 0x3f, 0, 0, 0x20, 0xc1], &mut weights);
        assert_eq!(weights, [1.0, -10.0]);
    }
}
