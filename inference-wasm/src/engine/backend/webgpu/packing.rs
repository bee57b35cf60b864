//! The layout of weights on the device: the bits of the file, with blocks padded to whole words.
//!
//! | format | stored, bytes | inserted | words |
//! |---|---|---|---|
//! | `F32`, `F16`, `BF16` | 32 weights as they are | zeros to whole groups of 32 a row | 32, 16, 16 |
//! | `Q4_0`, `IQ4_NL` | 18 | 2 after the scale | 5 |
//! | `Q5_0` | 22 | 2 after the scale | 6 |
//! | `Q8_0` | 34 | 2 after the scale | 9 |
//! | `Q4_1`, `Q5_1` | 20, 24 | | 5, 6 |
//! | `Q2_K`, `Q4_K`, `Q5_K` | 84, 144, 176 | | 21, 36, 44 |
//! | `Q3_K`, `Q6_K` | 110, 210 | 2 at the end | 28, 53 |
//!
//! The shaders in `shaders/weights/` interpret the bits.

use crate::engine::quant::Format;

/// Weights that kernels unpack at a time.
pub(super) const GROUP: usize = 32;

/// The layout of a format on the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Packing {
    /// Weights of a block: a multiple of [`GROUP`].
    pub(super) weights: usize,
    /// Bytes of a block in the file.
    pub(super) stored: usize,
    /// Byte of the stored block that padding goes before, if there is any.
    pub(super) padded_at: Option<usize>,
    /// Bytes of a block on the device.
    pub(super) bytes: usize,
}

impl Packing {
    /// The layout of a format.
    pub(super) fn of(format: &Format) -> Self {
        if format.block_weights == 1 {
            let bytes = GROUP * format.block_bytes;
            return Self { weights: GROUP, stored: bytes, padded_at: None, bytes };
        }
        let stored = format.block_bytes;
        let bytes = stored.next_multiple_of(4);
        // A block that is 2 bytes short of whole words begins with its scale, or ends with it.
        let at = if format.block_weights == GROUP { 2 } else { stored };
        let padded_at = (bytes > stored).then_some(at);
        Self { weights: format.block_weights, stored, padded_at, bytes }
    }

    /// Blocks of a row.
    pub(super) fn row_blocks(&self, columns: usize) -> usize {
        columns.div_ceil(self.weights)
    }

    /// Words of a row.
    pub(super) fn row_words(&self, columns: usize) -> usize {
        self.row_blocks(columns) * self.bytes / 4
    }

    /// Appends a row, padded.
    pub(super) fn pack_row(&self, row: &[u8], into: &mut Vec<u8>) {
        match self.padded_at {
            None => into.extend_from_slice(row),
            Some(at) => {
                for block in row.chunks_exact(self.stored) {
                    let (before, after) = block.split_at(at);
                    into.extend_from_slice(before);
                    into.extend_from_slice(&[0; 2][..self.bytes - self.stored]);
                    into.extend_from_slice(after);
                }
            }
        }
        // Floats whose row ends inside a group.
        let blocks = row.len().div_ceil(self.stored);
        let missing = blocks * self.stored - row.len();
        into.resize(into.len() + missing, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::quant::FORMATS;

    #[test]
    fn blocks_are_whole_words() {
        let words: Vec<_> = FORMATS.map(|format| (format.name, Packing::of(format).bytes)).into();
        let expected = [
            ("F32", 128),
            ("F16", 64),
            ("Q4_0", 20),
            ("Q4_1", 20),
            ("Q5_0", 24),
            ("Q5_1", 24),
            ("Q8_0", 36),
            ("Q2_K", 84),
            ("Q3_K", 112),
            ("Q4_K", 144),
            ("Q5_K", 176),
            ("Q6_K", 212),
            ("IQ4_NL", 20),
            ("BF16", 64),
        ];
        assert_eq!(words, expected);
    }

    #[test]
    fn padding_goes_after_the_scale_or_to_the_end() {
        let pack = |name: &str, row: &[u8]| {
            let format = FORMATS.iter().find(|format| format.name == name).unwrap();
            let mut packed = Vec::new();
            Packing::of(format).pack_row(row, &mut packed);
            packed
        };
        let row: Vec<u8> = (1..=36).collect();
        let packed = pack("Q4_0", &row);
        assert_eq!(packed[..6], [1, 2, 0, 0, 3, 4]);
        assert_eq!(packed[18..26], [17, 18, 19, 20, 0, 0, 21, 22]);
        let packed = pack("Q6_K", &[7; 210]);
        assert_eq!((packed.len(), &packed[208..]), (212, &[7, 7, 0, 0][..]));
        // 33 halves end inside a second group.
        assert_eq!(pack("F16", &[1; 66])[64..], [[1; 2].as_slice(), &[0; 62]].concat());
    }
}
