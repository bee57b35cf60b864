//! Work that is recorded, submitted at once, and waited for.
//!
//! Ops record dispatches; nothing reaches the device before a value is read, so that a forward pass
//! is one submission. The parameters of all its dispatches are in one buffer, each at its own
//! offset, and are uploaded in one write.

use std::collections::HashMap;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use futures::channel::oneshot;
use web_time::Instant;
use wgpu::{
    BindGroup, BindGroupDescriptor, BindGroupEntry, BindingResource, BufferBinding,
    BufferDescriptor, BufferUsages, ComputePassDescriptor, ErrorFilter, ErrorScopeGuard, MapMode,
    PollType,
};
#[cfg(target_arch = "wasm32")]
use {
    futures::channel::oneshot::Canceled,
    futures::future::{Either, select},
    gloo_timers::future::TimeoutFuture,
};

use super::buffers::Buffer;
use super::errors::of_device;
use super::gpu::Gpu;
use super::kernels::Pipeline;
use crate::protocol::{EngineError, GpuTime};

/// The most dispatches of a submission; twice what models of some thirty layers take.
const SLOTS: usize = 1024;
/// The most bytes of a dispatch's parameters.
pub(super) const SLOT_BYTES: usize = 256;
/// The most buffers of a dispatch, besides its parameters.
const MAX_BUFFERS: usize = 4;

/// Milliseconds between polls for an answer; browsers don't repeat shorter timers.
#[cfg(target_arch = "wasm32")]
const POLL_MS: u32 = 4;

/// A dispatch that has not been submitted.
#[derive(Debug)]
struct Dispatch {
    pipeline: Rc<Pipeline>,
    buffers: BindGroup,
    /// The offset of its parameters, in bytes.
    offset: u32,
    workgroups: [u32; 3],
}

/// The contents of a bind group: a layout, and the ids of the buffers.
type GroupKey = ([u32; 2], [u64; MAX_BUFFERS]);

/// Recorded work, and the objects kept for recording more.
#[derive(Debug)]
pub(super) struct Work {
    dispatches: Vec<Dispatch>,
    /// Parameters of the dispatches, a slot each.
    parameters: Vec<u8>,
    ring: wgpu::Buffer,
    slot_bytes: usize,
    groups: HashMap<GroupKey, BindGroup>,
    /// The buffer that answers are copied into to be read.
    staging: Option<wgpu::Buffer>,
    scopes: Option<Scopes>,
    /// When the first unsubmitted dispatch was recorded.
    started: Option<Instant>,
    time: GpuTime,
    dispatched: u64,
}

impl Work {
    pub(super) fn new(gpu: &Gpu) -> Self {
        let alignment = gpu.limits.min_uniform_buffer_offset_alignment as usize;
        let slot_bytes = SLOT_BYTES.next_multiple_of(alignment.max(1));
        let ring = gpu.device.create_buffer(&BufferDescriptor {
            label: Some("parameters"),
            size: (SLOTS * slot_bytes) as u64,
            usage: BufferUsages::UNIFORM | BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        Self {
            dispatches: Vec::new(),
            parameters: Vec::new(),
            ring,
            slot_bytes,
            groups: HashMap::new(),
            staging: None,
            scopes: Some(Scopes::open(&gpu.device)),
            started: None,
            time: GpuTime::default(),
            dispatched: 0,
        }
    }

    /// Dispatches recorded since it was made.
    pub(super) fn dispatched(&self) -> u64 {
        self.dispatched
    }

    pub(super) fn time(&self) -> GpuTime {
        self.time
    }

    /// Records a dispatch.
    pub(super) fn record(
        &mut self,
        gpu: &Gpu,
        pipeline: Rc<Pipeline>,
        buffers: &[&Buffer],
        parameters: &[u32],
        workgroups: [u32; 3],
    ) {
        if self.dispatches.len() == SLOTS {
            self.submit(gpu, None);
        }
        self.started.get_or_insert_with(Instant::now);
        let offset = self.parameters.len();
        self.parameters.extend_from_slice(bytemuck::cast_slice(parameters));
        self.parameters.resize(offset + self.slot_bytes, 0);
        let buffers = self.group(gpu, &pipeline, buffers);
        let offset = offset as u32;
        self.dispatches.push(Dispatch { pipeline, buffers, offset, workgroups });
        self.dispatched += 1;
    }

    /// The bind group of some buffers, made when first needed.
    fn group(&mut self, gpu: &Gpu, pipeline: &Pipeline, buffers: &[&Buffer]) -> BindGroup {
        let mut ids = [0; MAX_BUFFERS];
        for (id, buffer) in ids.iter_mut().zip(buffers) {
            *id = buffer.id;
        }
        let make = || {
            let parameters = BindingResource::Buffer(BufferBinding {
                buffer: &self.ring,
                offset: 0,
                size: std::num::NonZeroU64::new(self.slot_bytes as u64),
            });
            let buffers = buffers.iter().map(|buffer| buffer.raw.as_entire_binding());
            let entries: Vec<_> = (0..)
                .zip(std::iter::once(parameters).chain(buffers))
                .map(|(binding, resource)| BindGroupEntry { binding, resource })
                .collect();
            let layout = &pipeline.layout;
            gpu.device.create_bind_group(&BindGroupDescriptor {
                label: None,
                layout,
                entries: &entries,
            })
        };
        self.groups.entry((pipeline.bindings, ids)).or_insert_with(make).clone()
    }

    /// Drops the bind groups of destroyed buffers.
    pub(super) fn forget(&mut self, ids: &[u64]) {
        if !ids.is_empty() {
            self.groups.retain(|(_, of), _| !of.iter().any(|id| ids.contains(id)));
        }
    }

    /// Submits the recorded work, and a copy of the first bytes of one buffer into another.
    fn submit(&mut self, gpu: &Gpu, copy: Option<(&Buffer, &wgpu::Buffer, u64)>) {
        gpu.queue.write_buffer(&self.ring, 0, &self.parameters);
        let mut encoder =
            gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        {
            let mut pass = encoder.begin_compute_pass(&ComputePassDescriptor::default());
            for dispatch in &self.dispatches {
                let [x, y, z] = dispatch.workgroups;
                pass.set_pipeline(&dispatch.pipeline.raw);
                pass.set_bind_group(0, &dispatch.buffers, &[dispatch.offset]);
                pass.dispatch_workgroups(x, y, z);
            }
        }
        if let Some((from, to, bytes)) = copy {
            encoder.copy_buffer_to_buffer(&from.raw, 0, to, 0, bytes);
        }
        gpu.queue.submit([encoder.finish()]);
        self.dispatches.clear();
        self.parameters.clear();
        if let Some(started) = self.started.take() {
            self.time.encode_ms += started.elapsed().as_secs_f64() * 1000.0;
        }
    }

    /// Submits the recorded work, waits for it and appends the first `bytes` of a buffer, whole
    /// words, to `into`. Fails with the first error since the last read.
    pub(super) async fn read(
        &mut self,
        gpu: &Gpu,
        from: &Buffer,
        bytes: u64,
        into: &mut Vec<u8>,
    ) -> Result<(), EngineError> {
        let staging = self.staging(gpu, bytes);
        self.submit(gpu, Some((from, &staging, bytes)));
        let submitted = Instant::now();
        let done: Arc<Mutex<Option<Instant>>> = Arc::default();
        let when_done = Arc::clone(&done);
        gpu.queue.on_submitted_work_done(move || {
            *when_done.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        });
        let (sender, receiver) = oneshot::channel();
        staging.map_async(MapMode::Read, 0..bytes, move |result| {
            // The receiver is gone if the command was abandoned.
            let _ = sender.send(result.is_ok());
        });
        let errors = self.scopes.take().map(Scopes::close).unwrap_or_default();
        self.scopes = Some(Scopes::open(&gpu.device));
        // Natively the device must be polled; a browser reports by itself.
        let polled = gpu.device.poll(PollType::wait_indefinitely());
        #[cfg(target_arch = "wasm32")]
        let receiver = submit_until_mapped(&gpu.queue, receiver);
        let is_mapped = receiver.await.unwrap_or(false) && polled.is_ok();
        for error in errors {
            if let Some(error) = error.await {
                gpu.errors.put(of_device(&error));
            }
        }
        gpu.errors.check()?;
        let view = if is_mapped { staging.get_mapped_range(0..bytes).ok() } else { None };
        let Some(view) = view else {
            return Err(unreadable());
        };
        into.extend_from_slice(&view);
        drop(view);
        staging.unmap();
        self.staging = Some(staging);
        let done = done.lock().unwrap_or_else(PoisonError::into_inner).unwrap_or_else(Instant::now);
        self.time.compute_ms += done.duration_since(submitted).as_secs_f64() * 1000.0;
        self.time.readback_ms += done.elapsed().as_secs_f64() * 1000.0;
        Ok(())
    }

    /// A buffer of at least `bytes` to read from. It is reused after a successful read; after an
    /// error it may still be mapped.
    fn staging(&mut self, gpu: &Gpu, bytes: u64) -> wgpu::Buffer {
        match self.staging.take() {
            Some(staging) if staging.size() >= bytes => staging,
            _ => gpu.device.create_buffer(&BufferDescriptor {
                label: Some("answers"),
                size: bytes.max(4096),
                usage: BufferUsages::MAP_READ | BufferUsages::COPY_DST,
                mapped_at_creation: false,
            }),
        }
    }
}

/// Waits for a buffer to be mapped, with an empty submission now and then.
///
/// Firefox polls its devices every 100 ms, and after each submission: without these, a faster token
/// would wait for the rest of that time.
#[cfg(target_arch = "wasm32")]
async fn submit_until_mapped<T>(
    queue: &wgpu::Queue,
    mut mapped: oneshot::Receiver<T>,
) -> Result<T, Canceled> {
    loop {
        match select(mapped, TimeoutFuture::new(POLL_MS)).await {
            Either::Left((result, _)) => return result,
            Either::Right(((), pending)) => mapped = pending,
        }
        queue.submit([]);
    }
}

fn unreadable() -> EngineError {
    EngineError::device_lost(
        "backend `webgpu`: the answer could not be read back: mapping its buffer failed, \
                  as it does when the device is gone",
    )
    .with_hint("load the model again")
}

/// Error scopes from one answer to the next. Uncaptured errors are reported some time later; that a
/// scope is clean is known before the answer is returned.
#[derive(Debug)]
struct Scopes(Vec<ErrorScopeGuard>);

type PendingError = Pin<Box<dyn Future<Output = Option<wgpu::Error>>>>;

impl Scopes {
    fn open(device: &wgpu::Device) -> Self {
        let filters = [ErrorFilter::Internal, ErrorFilter::Validation, ErrorFilter::OutOfMemory];
        Self(filters.map(|filter| device.push_error_scope(filter)).into())
    }

    /// Closes them and returns their future errors.
    fn close(mut self) -> Vec<PendingError> {
        let last_first = std::iter::from_fn(|| self.0.pop());
        last_first.map(|scope| Box::pin(scope.pop()) as PendingError).collect()
    }
}

impl Drop for Scopes {
    /// Remaining scopes must close in reverse order, or `wgpu` panics.
    fn drop(&mut self) {
        while self.0.pop().is_some() {}
    }
}
