//! Buffers on the device, and what becomes of them when nobody needs them.

use std::cell::RefCell;
use std::rc::Rc;

use wgpu::{BufferDescriptor, BufferUsages};

use super::gpu::Gpu;
use crate::protocol::{EngineError, EngineErrorKind};

/// A buffer that kernels read and write. Dropped, it is destroyed once all that uses it has been
/// handed over.
#[derive(Debug)]
pub(super) struct Buffer {
    pub(super) raw: wgpu::Buffer,
    /// No other buffer of this backend has it.
    pub(super) id: u64,
    dropped: Dropped,
}

/// Buffers that nobody holds any more.
type Dropped = Rc<RefCell<Vec<(u64, wgpu::Buffer)>>>;

/// Makes buffers, and takes them back.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    made: u64,
    dropped: Dropped,
}

/// What a buffer's size is rounded up to, in bytes: kernels may look at four words at once.
const ALIGNMENT: u64 = 16;

impl Buffers {
    /// A buffer of zeros. Fails with `out-of-memory` if no binding can be so large.
    pub(super) fn make(
        &mut self,
        gpu: &Gpu,
        bytes: u64,
        what: &str,
    ) -> Result<Buffer, EngineError> {
        let most = most_bytes(gpu);
        let size = bytes.next_multiple_of(ALIGNMENT).max(ALIGNMENT);
        if size > most {
            return Err(EngineError {
                kind: EngineErrorKind::OutOfMemory,
                message: format!(
                    "no buffer for {what}: {bytes} bytes, expected at most {most}, which is what \
                     the adapter binds at once"
                ),
                hint: Some("ask for a smaller context with `context_tokens`".into()),
            });
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

    /// Destroys what was dropped; returns the ids.
    pub(super) fn bury(&mut self) -> Vec<u64> {
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

/// Most bytes of one buffer that a kernel can see.
pub(super) fn most_bytes(gpu: &Gpu) -> u64 {
    gpu.limits.max_storage_buffer_binding_size.min(gpu.limits.max_buffer_size) / ALIGNMENT
        * ALIGNMENT
}
