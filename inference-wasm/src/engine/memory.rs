//! How much memory this instance of the engine has taken from its surroundings.

/// Bytes of the module's linear memory, which grows and never shrinks; `None` natively, where
/// memory is shared with everything else in the process.
#[cfg(target_arch = "wasm32")]
#[expect(clippy::unnecessary_wraps, reason = "natively there is no such number")]
pub(crate) fn linear_bytes() -> Option<u64> {
    const PAGE_BYTES: u64 = 65_536;
    Some(core::arch::wasm32::memory_size(0) as u64 * PAGE_BYTES)
}

/// Bytes of the module's linear memory, which grows and never shrinks; `None` natively, where
/// memory is shared with everything else in the process.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn linear_bytes() -> Option<u64> {
    None
}
