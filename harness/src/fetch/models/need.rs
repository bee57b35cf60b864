//! The memory that a model needs in a page, computed before anything is fetched or allocated.

use inference_wasm::protocol::CacheType;

use super::catalogue::Entry;

/// Bytes that 32-bit linear memory can hold: 65,536 pages of 64 KiB.
pub const LINEAR_BYTES: u64 = 65_536 * 65_536;
/// Bytes of the largest single allocation in it. A model file is one allocation, and Rust allows at
/// most `isize::MAX` bytes.
pub const PIECE_BYTES: u64 = i32::MAX as u64;
/// Positions of the cache for which sizes are shown by default.
pub const USUAL_POSITIONS: u32 = 2_048;

/// Bytes of a model in a page without its key-value cache: the file, and at most 15 percent more
/// for everything else, the engine included.
pub fn weight_bytes(file_bytes: u64) -> u64 {
    file_bytes.saturating_add(file_bytes.saturating_mul(15) / 100)
}

/// Bytes of the key-value cache: a key and a value for each position and layer.
pub fn cache_bytes(layers: u32, kv_width: u32, positions: u32, cache_type: CacheType) -> u64 {
    let bytes = match cache_type {
        CacheType::F32 => 4,
        CacheType::F16 => 2,
    };
    let sizes = [layers, kv_width, positions, 2 * bytes].map(u64::from);
    sizes.into_iter().fold(1, u64::saturating_mul)
}

impl Entry {
    /// Positions of the cache for which the list shows the memory.
    pub fn usual_positions(&self) -> u32 {
        self.context.min(USUAL_POSITIONS)
    }

    /// Bytes in a page with a cache of `positions`.
    pub fn memory_bytes(&self, positions: u32, cache_type: CacheType) -> u64 {
        weight_bytes(self.bytes) + cache_bytes(self.layers, self.kv_width, positions, cache_type)
    }

    /// The reason why a page can't hold the model, even with an F16 cache of the usual size.
    pub fn too_large_for_a_page(&self) -> Option<String> {
        let advice = "this build does not offer memory64; use a smaller quantization, or \
                      fetch it with `--for-native` for `--browser native`";
        if self.bytes > PIECE_BYTES {
            return Some(format!(
                "the file has {} bytes, and 32-bit linear memory holds it in one piece of at most \
                 {PIECE_BYTES}; {advice}",
                self.bytes
            ));
        }
        let positions = self.usual_positions();
        let need = self.memory_bytes(positions, CacheType::F16);
        (need > LINEAR_BYTES).then(|| {
            format!(
                "it needs {need} bytes with a cache of {positions} positions, and 32-bit linear \
                 memory holds {LINEAR_BYTES}; {advice}"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_has_a_key_and_a_value_for_each_position_and_layer() {
        // SmolLM2-135M: 30 layers, 3 heads of 64, so 2 x 30 x 192 x 8,192 numbers.
        assert_eq!(cache_bytes(30, 192, 8_192, CacheType::F32), 377_487_360);
        assert_eq!(cache_bytes(30, 192, 8_192, CacheType::F16), 188_743_680);
        assert_eq!(cache_bytes(u32::MAX, u32::MAX, u32::MAX, CacheType::F16), u64::MAX);
    }

    #[test]
    fn a_model_is_its_file_and_at_most_15_percent() {
        assert_eq!(weight_bytes(100), 115);
        assert_eq!(weight_bytes(0), 0);
        assert_eq!(weight_bytes(u64::MAX), u64::MAX);
    }
}
