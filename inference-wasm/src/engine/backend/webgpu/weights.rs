//! Weights on the device.
//!
//! A matrix larger than the largest binding is stored in several buffers, with whole rows in each.
//! Uploads go in pieces, so that a second copy of a matrix never exists.

use super::buffers::{Buffer, Buffers, max_bytes};
use super::gpu::Gpu;
use super::kernel::{Kernel, MatmulStrategy};
use super::packing::{GROUP, Packing};
use crate::engine::backend::ModelBytes;
use crate::engine::memory::zeros;
use crate::engine::model::TensorInfo;
use crate::engine::quant::Format;
use crate::protocol::EngineError;

/// The approximate number of bytes packed and uploaded at a time.
const PIECE: usize = 4 << 20;

/// A matrix or a vector of weights.
#[derive(Debug)]
pub struct Weight {
    pub(super) format: &'static Format,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) row_words: usize,
    /// At least one.
    pub(super) parts: Vec<Part>,
    /// A single row as floats, if stored in another format: an operand of element-wise ops.
    floats: Option<Buffer>,
}

/// Some rows of a matrix.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) buffer: Buffer,
    pub(super) first_row: usize,
    pub(super) rows: usize,
}

impl Weight {
    /// Uploads a weight from the file; returns it and its size on the device in bytes.
    pub(super) fn upload(
        gpu: &Gpu,
        buffers: &mut Buffers,
        file: &ModelBytes,
        tensor: &TensorInfo,
    ) -> Result<(Self, u64), EngineError> {
        let packing = Packing::of(tensor.format);
        let (rows, columns) = (tensor.rows(), tensor.columns());
        let row_words = packing.row_words(columns);
        let part_rows = (max_bytes(gpu) / (row_words as u64 * 4).max(1)) as usize;
        if part_rows == 0 {
            return Err(too_wide(gpu, tensor, row_words));
        }
        let stored = &file[tensor.bytes.clone()];
        let row_bytes = stored.len() / rows.max(1);
        let mut parts = Vec::new();
        let mut bytes = 0;
        for first_row in (0..rows).step_by(part_rows) {
            let rows = part_rows.min(rows - first_row);
            let part_bytes = rows as u64 * row_words as u64 * 4;
            let buffer = buffers.make(gpu, part_bytes, &tensor.name)?;
            let stored = &stored[first_row * row_bytes..][..rows * row_bytes];
            write(gpu, &buffer, packing, stored, row_bytes);
            bytes += part_bytes;
            parts.push(Part { buffer, first_row, rows });
        }
        let mut weight =
            Self { format: tensor.format, rows, columns, row_words, parts, floats: None };
        if rows == 1 && tensor.format.name != "F32" {
            let mut floats: Vec<f32> = zeros(Some(columns), &tensor.name)?;
            (tensor.format.dequantize)(stored, &mut floats);
            let buffer = buffers.make(gpu, columns as u64 * 4, &tensor.name)?;
            gpu.queue.write_buffer(&buffer.raw, 0, bytemuck::cast_slice(&floats));
            weight.floats = Some(buffer);
            bytes += columns as u64 * 4;
        }
        Ok((weight, bytes))
    }

    /// A single row as floats.
    pub(super) fn vector(&self) -> &Buffer {
        self.floats.as_ref().unwrap_or(&self.parts[0].buffer)
    }

    /// The kernel of a product with this matrix.
    pub(super) fn product(&self, strategy: MatmulStrategy) -> Kernel {
        let is_whole = self.columns.is_multiple_of(GROUP);
        Kernel::Matmul { format: self.format.id, strategy, is_whole }
    }
}

/// Packs and uploads rows, some at a time.
fn write(gpu: &Gpu, buffer: &Buffer, packing: Packing, stored: &[u8], row_bytes: usize) {
    let rows_at_once = (PIECE / row_bytes.max(1)).max(1);
    let mut packed = Vec::new();
    let mut offset = 0;
    for rows in stored.chunks(rows_at_once * row_bytes.max(1)) {
        packed.clear();
        for row in rows.chunks_exact(row_bytes) {
            packing.pack_row(row, &mut packed);
        }
        gpu.queue.write_buffer(&buffer.raw, offset, &packed);
        offset += packed.len() as u64;
    }
}

fn too_wide(gpu: &Gpu, tensor: &TensorInfo, row_words: usize) -> EngineError {
    EngineError::out_of_memory(format!(
        "a row of `{}` has {} bytes, expected at most {}, which is what the adapter binds at \
             once",
        tensor.name,
        row_words * 4,
        max_bytes(gpu)
    ))
}
