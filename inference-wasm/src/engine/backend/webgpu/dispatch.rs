//! The backend object, and recording dispatches with it.

use super::buffers::{Buffer, Buffers};
use super::gpu::Gpu;
use super::kernel::{Element, Kernel, MatmulStrategy, THREADS};
use super::kernels::Kernels;
use super::packing::GROUP;
use super::tensor::Tensor;
use super::weights::Weight;
use super::work::Work;
use crate::engine::backend::Counters;
use crate::engine::mutant::Mutants;
use crate::protocol::{EngineError, EngineErrorKind, SeededFault};

/// Workgroups along a dimension that every adapter supports.
pub(super) const MAX_WORKGROUPS: u32 = 65_535;

/// The backend of compute shaders.
#[derive(Debug)]
pub struct Webgpu {
    // Dropped first: its error scopes belong to the device.
    pub(super) work: Work,
    pub(super) kernels: Kernels,
    pub(super) buffers: Buffers,
    /// The results of [`Backend::best`](crate::engine::backend::Backend::best).
    pub(super) found: Buffer,
    pub(super) gpu: Gpu,
    pub(super) counters: Counters,
    split: bool,
}

/// Options for tests.
#[derive(Debug, Clone, Copy, Default)]
pub struct WebgpuOptions {
    /// Use only the limits that WebGPU guarantees everywhere.
    pub least_limits: bool,
    /// The most bytes of a binding, if less than the limit.
    pub binding_bytes: Option<u64>,
    /// Whether several invocations share an output of a matrix product; by default, the kind of
    /// adapter decides.
    pub split: Option<bool>,
    /// A mutant; a build without them refuses it.
    pub fault: Option<SeededFault>,
}

impl Webgpu {
    /// A backend on a device of its own; fails with `backend-unavailable` and the reason if there
    /// is none.
    pub async fn new() -> Result<Self, EngineError> {
        Self::with(WebgpuOptions::default()).await
    }

    /// The same, with options for a test.
    pub async fn with(options: WebgpuOptions) -> Result<Self, EngineError> {
        let mutants = Mutants::new(options.fault)?;
        let gpu = Gpu::open(|limits| {
            if options.least_limits {
                *limits = wgpu::Limits::default();
            }
            if let Some(bytes) = options.binding_bytes {
                limits.max_storage_buffer_binding_size = bytes;
            }
        })
        .await?;
        let work = Work::new(&gpu);
        let mut buffers = Buffers::default();
        let found = buffers.make(&gpu, 512, "the greatest values")?;
        // On a CPU an invocation is a lane of a vector, and a barrier costs more than it gains.
        let split = options.split.unwrap_or(!gpu.adapter.is_software);
        let (kernels, counters) = (Kernels::new(mutants), Counters::default());
        Ok(Self { work, kernels, buffers, found, gpu, counters, split })
    }

    /// Destroys the device, as a crashing driver would.
    pub fn destroy_device(&self) {
        self.gpu.device.destroy();
    }

    /// Records a dispatch of `workgroups` × `layers` workgroups.
    pub(super) fn dispatch(
        &mut self,
        kernel: Kernel,
        buffers: &[&Buffer],
        parameters: &[u32],
        workgroups: usize,
        layers: usize,
    ) {
        if workgroups == 0 || layers == 0 {
            return;
        }
        let workgroups = workgroups as u32;
        let x = workgroups.min(MAX_WORKGROUPS);
        let grid = [x, workgroups.div_ceil(x), layers as u32];
        let pipeline = self.kernels.get(&self.gpu.device, kernel);
        self.work.record(&self.gpu, pipeline, buffers, parameters, grid);
    }

    /// Sets a tensor's number of rows; records an error if it has no room for them.
    pub(super) fn resize(&self, out: &mut Tensor, rows: usize) {
        if rows > out.room {
            self.gpu.errors.put(EngineError::new(
                EngineErrorKind::GpuError,
                format!(
                    "backend `webgpu`: {rows} rows for a tensor of {} columns, expected at most \
                     {}, for which it has room",
                    out.columns, out.room
                ),
            ));
        }
        out.rows = rows.min(out.room);
    }

    pub(super) fn each(
        &mut self,
        element: Element,
        x: &Tensor,
        y: Option<&Buffer>,
        first: usize,
        factor: f32,
    ) {
        let parameters = [x.count() as u32, x.columns as u32, first as u32, factor.to_bits()];
        let workgroups = x.count().div_ceil(THREADS as usize);
        let kernel = Kernel::Each(element);
        match y {
            Some(y) => self.dispatch(kernel, &[y, &x.buffer], &parameters, workgroups, 1),
            None => self.dispatch(kernel, &[&x.buffer], &parameters, workgroups, 1),
        }
    }

    /// The strategy of a product with `rows` rows of x.
    pub(super) fn strategy(&self, groups: usize, rows: usize) -> MatmulStrategy {
        if !self.split {
            return match rows {
                1 => MatmulStrategy::PerOutput,
                _ => MatmulStrategy::Rows { threads: 1, rows: 4 },
            };
        }
        // As many invocations as have work, as a power of two.
        let most = if rows == 1 { 32 } else { 8 };
        let threads = (groups.max(1) as u32).min(most);
        let threads = 1 << threads.ilog2();
        match rows {
            1 => MatmulStrategy::Split { threads },
            _ => MatmulStrategy::Rows { threads, rows: 8 },
        }
    }

    /// Makes the pipelines for products with a matrix.
    pub(super) fn prepare(&mut self, matrix: &Weight) {
        let groups = matrix.columns.div_ceil(GROUP);
        for rows in [1, 2] {
            let strategy = self.strategy(groups, rows);
            let kernel = matrix.product(strategy);
            self.kernels.get(&self.gpu.device, kernel);
        }
    }

    /// Reads `count` values of a buffer.
    pub(super) async fn floats(
        &mut self,
        buffer: &Buffer,
        count: usize,
        into: &mut Vec<f32>,
    ) -> Result<(), EngineError> {
        let mut bytes = Vec::new();
        if count == 0 {
            return Ok(());
        }
        self.work.read(&self.gpu, buffer, count as u64 * 4, &mut bytes).await?;
        self.work.forget(&self.buffers.destroy_dropped());
        into.extend(bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)));
        Ok(())
    }
}
