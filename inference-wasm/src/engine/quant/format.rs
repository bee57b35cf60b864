//! A weight type: its number, its sizes, and how its blocks become floats.

/// How one type of weights is stored, as GGUF numbers and ggml lays them out.
pub struct Format {
    /// The number of the type in a GGUF file.
    pub id: u32,
    /// ggml's name for the type.
    pub name: &'static str,
    /// Weights in a block; 1 for plain floats.
    pub block_weights: usize,
    /// Bytes in a block.
    pub block_bytes: usize,
    /// Turns whole blocks into `f32` by the type's definition, one weight after another. The
    /// reference backend runs on this; kernels reach the same numbers in their own way.
    ///
    /// `blocks` holds a whole number of blocks, and `weights` has room for all their weights.
    pub dequantize: fn(blocks: &[u8], weights: &mut [f32]),
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
