//! Buffers on the device, and their destruction.

use std::cell::RefCell;
use std::rc::Rc;

use wgpu::{BufferDescriptor, BufferUsages};

use super::gpu::Gpu;
use crate::protocol::EngineError;

/// A buffer that kernels read and write. After it is dropped, it is destroyed once all work that
/// uses it has been submitted.
#[derive(Debug)]
pub(super) struct Buffer {
    pub(super) raw: wgpu::Buffer,
    /// Unique among the buffers of this backend.
    pub(super) id: u64,
    dropped: Dropped,
}

/// Buffers that have been dropped.
type Dropped = Rc<RefCell<Vec<(u64, wgpu::Buffer)>>>;

/// Makes buffers, and destroys dropped ones.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    made: u64,
    dropped: Dropped,
}

/// The multiple to which sizes are rounded up, in bytes: kernels may read four words at once.
const ALIGNMENT: u64 = 16;

impl Buffers {
    /// Makes a buffer of zeros. Fails with `out-of-memory` if it is larger than any binding.
    pub(super) fn make(
        &mut self,
        gpu: &Gpu,
        bytes: u64,
        what: &str,
    ) -> Result<Buffer, EngineError> {
        let most = max_bytes(gpu);
        let size = bytes.next_multiple_of(ALIGNMENT).max(ALIGNMENT);
        if size > most {
            return Err(EngineError::out_of_memory(format!(
                "no buffer for {what}: {bytes} bytes, expected at most {most}, which is what \
                     the adapter binds at once"
            ))
            .with_hint("ask for a smaller context with `context_tokens`"));
        }
        let raw = gpu.device.create_buffer(&BufferDescriptor {
            label: Some(what),
            size,
            usage: BufferUsages::STORAGE | BufferUsages::COPY_SRC | BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        self.made += 1;
        Ok(Buffer { raw, id: self.made, dropped: Rc::clone(&self.dropped) })
    }

    /// Destroys dropped buffers; returns their ids.
    pub(super) fn destroy_dropped(&mut self) -> Vec<u64> {
        let dropped = std::mem::take(&mut *self.dropped.borrow_mut());
        dropped
            .into_iter()
            .map(|(id, raw)| {
                raw.destroy();
                id
            })
            .collect()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.dropped.borrow_mut().push((self.id, self.raw.clone()));
    }
}

/// The most bytes of one buffer that a kernel can access.
pub(super) fn max_bytes(gpu: &Gpu) -> u64 {
    gpu.limits.max_storage_buffer_binding_size.min(gpu.limits.max_buffer_size) / ALIGNMENT
        * ALIGNMENT
}
