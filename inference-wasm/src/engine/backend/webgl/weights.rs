//! The layout of stored blocks of weights in textures: which bytes of a block go where.
//!
//! Weights keep the bits of the file. Shaders read whole texels of 16 bytes, so a block is split in
//! two: its *body*, as many bytes as make whole texels, in an `RGBA32UI` texture, and its *head*,
//! the rest (mostly a scale), one texel of 16-bit numbers in a texture of its own. Only `Q3_K` and
//! `Q5_0` get two bytes of padding. `shaders/weights/NAME.glsl` unpacks each format, 32 weights at
//! a time.
//!
//! Plain floats have no blocks: their rows are padded with zeros to whole groups of 32.
//!
//! Texels follow each other line by line; lines are a power of two long.

#![cfg_attr(
    all(not(target_arch = "wasm32"), not(test)),
    expect(dead_code, reason = "the upload, which exists only in a browser, uses the rest")
)]

use std::ops::Range;

use crate::engine::model::TensorInfo;
use crate::protocol::EngineError;

/// Weights that a shader unpacks at a time.
pub(super) const GROUP: usize = 32;

const TEXEL_BYTES: usize = 16;

/// A row of the table of packings.
#[derive(Debug, PartialEq)]
pub(super) struct Packing {
    pub(super) format: &'static str,
    pub(super) unpack: &'static str,
    /// Log2 of the groups in a block.
    pub(super) block_shift: i32,
    /// Bytes of a stored block; of a group of 32, for plain floats.
    block_bytes: usize,
    /// The bytes of the body; padded to whole texels.
    body: Range<usize>,
    /// The bytes of the head, in 16-bit numbers; padded to 1, 2 or 4 of them.
    head: Range<usize>,
}

macro_rules! packing {
    ($format:literal, $file:literal, $groups:literal, $bytes:literal, $body:expr, $head:expr) => {
        Packing {
            format: $format,
            unpack: include_str!(concat!("shaders/weights/", $file, ".glsl")),
            block_shift: $groups,
            block_bytes: $bytes,
            body: $body,
            head: $head,
        }
    };
}

/// How every format of [`FORMATS`](crate::engine::quant::FORMATS) is split.
static PACKINGS: [Packing; 14] = [
    packing!("F32", "f32", 0, 128, 0..128, 0..0),
    packing!("F16", "f16", 0, 64, 0..64, 0..0),
    packing!("BF16", "bf16", 0, 64, 0..64, 0..0),
    packing!("Q4_0", "q4_0", 0, 18, 2..18, 0..2),
    packing!("Q4_1", "q4_1", 0, 20, 4..20, 0..4),
    packing!("Q5_0", "q5_0", 0, 22, 6..22, 0..6),
    packing!("Q5_1", "q5_1", 0, 24, 8..24, 0..8),
    packing!("Q8_0", "q8_0", 0, 34, 2..34, 0..2),
    packing!("IQ4_NL", "iq4_nl", 0, 18, 2..18, 0..2),
    packing!("Q2_K", "q2_k", 3, 84, 0..80, 80..84),
    packing!("Q3_K", "q3_k", 3, 110, 0..110, 0..0),
    packing!("Q4_K", "q4_k", 3, 144, 0..144, 0..0),
    packing!("Q5_K", "q5_k", 3, 176, 0..176, 0..0),
    packing!("Q6_K", "q6_k", 3, 210, 0..208, 208..210),
];

impl Packing {
    /// How a format is split; fails with `unsupported-model` if it is not in the table.
    pub(super) fn of(format: &str) -> Result<&'static Self, EngineError> {
        PACKINGS.iter().find(|packing| packing.format == format).ok_or_else(|| {
            EngineError::unsupported_model(format!(
                "backend `webgl` has no shader for weights of type `{format}`"
            ))
        })
    }

    /// Texels of a block's body.
    pub(super) fn body_texels(&self) -> usize {
        self.body.len().div_ceil(TEXEL_BYTES)
    }

    /// 16-bit numbers of a block's head: 0, 1, 2 or 4.
    pub(super) fn head_numbers(&self) -> usize {
        match self.head.len().div_ceil(2) {
            3 => 4,
            numbers => numbers,
        }
    }
}

/// A matrix of weights, ready to be split into textures.
#[derive(Debug, Clone, Copy)]
pub(super) struct Packed<'f> {
    pub(super) packing: &'static Packing,
    bytes: &'f [u8],
    /// Bytes of a row as stored.
    row_bytes: usize,
    /// Blocks of a row; groups of 32, for plain floats.
    row_blocks: usize,
    /// Blocks of the whole matrix.
    pub(super) blocks: usize,
    /// Groups of 32 weights in a row, the last of which may have padding.
    pub(super) row_groups: usize,
}

impl<'f> Packed<'f> {
    /// Prepares a tensor whose place in the file has been checked.
    pub(super) fn new(file: &'f [u8], tensor: &TensorInfo) -> Result<Self, EngineError> {
        let packing = Packing::of(tensor.format.name)?;
        let (rows, columns) = (tensor.rows(), tensor.columns());
        let row_bytes = columns / tensor.format.block_weights * tensor.format.block_bytes;
        let row_blocks = columns.div_ceil(GROUP << packing.block_shift);
        Ok(Self {
            packing,
            bytes: file.get(tensor.bytes.clone()).unwrap_or_default(),
            row_bytes,
            row_blocks,
            blocks: rows * row_blocks,
            row_groups: row_blocks << packing.block_shift,
        })
    }

    /// The bytes of a block: the last one of a row of plain floats may be short.
    fn block(&self, block: usize) -> &'f [u8] {
        let (row, in_row) = (block / self.row_blocks, block % self.row_blocks);
        let start = in_row * self.packing.block_bytes;
        let end = (start + self.packing.block_bytes).min(self.row_bytes);
        let row_start = row * self.row_bytes;
        self.bytes.get(row_start + start..row_start + end).unwrap_or_default()
    }

    /// Texels of all bodies.
    pub(super) fn body_texels(&self) -> usize {
        self.blocks * self.packing.body_texels()
    }

    /// Writes the bodies of some blocks, each padded with zeros to whole texels.
    pub(super) fn write_bodies(&self, blocks: Range<usize>, into: &mut Vec<u8>) {
        let bytes = self.packing.body_texels() * TEXEL_BYTES;
        self.write(blocks, &self.packing.body, bytes, into);
    }

    /// Writes the heads of some blocks, each padded with zeros.
    pub(super) fn write_heads(&self, blocks: Range<usize>, into: &mut Vec<u8>) {
        self.write(blocks, &self.packing.head, 2 * self.packing.head_numbers(), into);
    }

    fn write(&self, blocks: Range<usize>, part: &Range<usize>, bytes: usize, into: &mut Vec<u8>) {
        for block in blocks {
            let block = self.block(block);
            let part = part.start.min(block.len())..part.end.min(block.len());
            let end = into.len() + bytes;
            into.extend_from_slice(&block[part]);
            into.resize(end, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::quant::{FORMATS, Format};
    use crate::protocol::EngineErrorKind;

    #[test]
    fn every_format_is_split_into_whole_texels_and_loses_no_byte() {
        assert_eq!(PACKINGS.len(), FORMATS.len());
        for format in FORMATS {
            let packing = Packing::of(format.name).unwrap();
            let weights = GROUP << packing.block_shift;
            let stored = weights / format.block_weights * format.block_bytes;
            assert_eq!(packing.block_bytes, stored, "{}", format.name);
            let cut = packing.body.len() + packing.head.len();
            assert_eq!(cut, stored, "{}", format.name);
            let padded = packing.body_texels() * TEXEL_BYTES + 2 * packing.head_numbers();
            assert!(padded - stored <= 2, "{}: {padded} bytes for {stored}", format.name);
            assert!(matches!(packing.head_numbers(), 0 | 1 | 2 | 4), "{}", format.name);
        }
    }

    #[test]
    fn a_format_without_a_shader_is_refused() {
        let error = Packing::of("Q8_1").unwrap_err();
        assert_eq!(error.kind, EngineErrorKind::UnsupportedModel);
        assert!(error.message.contains("`Q8_1`"), "{}", error.message);
    }

    fn tensor(name: &str, columns: usize, rows: usize) -> (Vec<u8>, TensorInfo) {
        let format = FORMATS.iter().find(|format| format.name == name).copied();
        let format: &'static Format = format.unwrap();
        let bytes = rows * columns / format.block_weights * format.block_bytes;
        let tensor = TensorInfo {
            name: "t".into(),
            dimensions: vec![columns, rows],
            format,
            bytes: 0..bytes,
            entry_offset: 0,
        };
        ((0..bytes).map(|i| (i % 251) as u8).collect(), tensor)
    }

    #[test]
    fn bodies_and_heads_are_the_bytes_of_the_blocks() {
        let (file, info) = tensor("Q8_0", 64, 2);
        let packed = Packed::new(&file, &info).unwrap();
        assert_eq!((packed.blocks, packed.row_groups, packed.body_texels()), (4, 2, 8));
        let (mut bodies, mut heads) = (Vec::new(), Vec::new());
        packed.write_bodies(1..3, &mut bodies);
        packed.write_heads(1..3, &mut heads);
        let expected: Vec<u8> = [&file[36..68], &file[70..102]].concat();
        assert_eq!(bodies, expected);
        assert_eq!(heads, [&file[34..36], &file[68..70]].concat());
    }

    #[test]
    fn rows_of_plain_floats_are_padded_to_whole_groups() {
        let (file, info) = tensor("F16", 33, 2);
        let packed = Packed::new(&file, &info).unwrap();
        assert_eq!((packed.blocks, packed.row_groups), (4, 2));
        let mut bodies = Vec::new();
        packed.write_bodies(0..4, &mut bodies);
        assert_eq!(bodies.len(), 4 * 64);
        assert_eq!(bodies[..66], file[..66]);
        assert!(bodies[66..128].iter().all(|&byte| byte == 0));
        assert_eq!(bodies[128..194], file[66..132]);
    }
}
