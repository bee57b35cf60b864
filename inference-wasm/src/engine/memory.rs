//! Memory: allocations that may fail, and how much this instance of the engine has taken.

use crate::protocol::EngineError;

/// Bytes of the module's linear memory, which never shrinks; `None` natively, where memory is
/// shared with the rest of the process.
#[cfg(target_arch = "wasm32")]
#[expect(clippy::unnecessary_wraps, reason = "natively there is no such number")]
pub(crate) fn linear_bytes() -> Option<u64> {
    const PAGE_BYTES: u64 = 65_536;
    Some(core::arch::wasm32::memory_size(0) as u64 * PAGE_BYTES)
}

/// Bytes of the module's linear memory, which never shrinks; `None` natively, where memory is
/// shared with the rest of the process.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn linear_bytes() -> Option<u64> {
    None
}

/// Allocates `count` zeros. Fails with `out-of-memory`, naming `what`.
pub(crate) fn zeros<T: bytemuck::Zeroable + Clone>(
    count: Option<usize>,
    what: &str,
) -> Result<Vec<T>, EngineError> {
    let mut values = Vec::new();
    let count = count.unwrap_or(usize::MAX);
    if values.try_reserve_exact(count).is_err() {
        return Err(EngineError::out_of_memory(format!(
            "no memory for {what}: {count} numbers of {} bytes",
            size_of::<T>()
        ))
        .with_hint("ask for a smaller context with `context_tokens`"));
    }
    values.resize(count, T::zeroed());
    Ok(values)
}
