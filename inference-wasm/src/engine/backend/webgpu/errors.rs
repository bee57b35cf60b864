//! What went wrong on the device, where it can't be overlooked.
//!
//! WebGPU tells of errors late and elsewhere. They all end up in one [`Errors`]: the first is
//! kept, and whoever reads an answer asks here before it gives it out.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wgpu::{DeviceLostReason, Error};

use crate::engine::backend::Loss;
use crate::protocol::{EngineError, EngineErrorKind, LossReason};

/// The first error of a device; shared with the device's own callbacks.
#[derive(Debug, Clone, Default)]
pub(super) struct Errors(Arc<Mutex<Found>>);

#[derive(Debug, Default)]
struct Found {
    first: Option<EngineError>,
    loss: Option<Loss>,
}

impl Errors {
    /// Keeps an error, unless there is one.
    pub(super) fn put(&self, error: EngineError) {
        self.found().first.get_or_insert(error);
    }

    /// Fails with the first error if there is one.
    pub(super) fn check(&self) -> Result<(), EngineError> {
        self.found().first.clone().map_or(Ok(()), Err)
    }

    /// Why the device is gone, if it is.
    pub(super) fn loss(&self) -> Option<Loss> {
        self.found().loss.clone()
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the device report here.
    pub(super) fn watch(&self, device: &wgpu::Device) {
        let errors = self.clone();
        device.on_uncaptured_error(Arc::new(move |error| errors.put(of_device(&error))));
        let errors = self.clone();
        device.set_device_lost_callback(move |reason, message| {
            let loss = lost(reason, &message);
            errors.put(loss.error());
            errors.found().loss = Some(loss);
        });
    }
}

/// An error of the device, as the engine knows it.
pub(super) fn of_device(error: &Error) -> EngineError {
    let (kind, what, hint) = match error {
        Error::OutOfMemory { .. } => {
            let hint = "use a smaller model, or fewer positions with `context_tokens`";
            (EngineErrorKind::OutOfMemory, "the GPU has no memory left", Some(hint.to_owned()))
        }
        Error::Validation { .. } => {
            (EngineErrorKind::GpuError, "the GPU was given a command that is not valid", None)
        }
        Error::Internal { .. } => {
            (EngineErrorKind::GpuError, "the GPU could not carry out a command", None)
        }
    };
    let message = format!("backend `webgpu`: {what}: {error}");
    EngineError { kind, message, hint }
}

fn lost(reason: DeviceLostReason, message: &str) -> Loss {
    let (reason, name) = match reason {
        DeviceLostReason::Destroyed => (LossReason::Destroyed, "destroyed"),
        DeviceLostReason::Unknown => (LossReason::Unknown, "unknown"),
    };
    let message = format!("backend `webgpu`: the device is lost, reason `{name}`: {message}");
    Loss { reason, message }
}

/// What can't be had here, and why.
pub(super) fn unavailable(why: &str, hint: &str) -> EngineError {
    EngineError {
        kind: EngineErrorKind::BackendUnavailable,
        message: format!("backend `webgpu` is not available: {why}"),
        hint: Some(hint.into()),
    }
}
