//! The errors of a device.
//!
//! WebGPU reports errors late and in other places. They are all collected in one [`Errors`]: the
//! first is kept, and every read of an answer checks it before returning.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wgpu::{DeviceLostReason, Error};

use crate::engine::backend::Loss;
use crate::protocol::{EngineError, EngineErrorKind, LossReason};

/// The first error of a device; shared with the device's callbacks.
#[derive(Debug, Clone, Default)]
pub(super) struct Errors(Arc<Mutex<Found>>);

#[derive(Debug, Default)]
struct Found {
    first: Option<EngineError>,
    loss: Option<Loss>,
}

impl Errors {
    /// Keeps an error, unless there is one already.
    pub(super) fn put(&self, error: EngineError) {
        self.found().first.get_or_insert(error);
    }

    /// Fails with the first error, if there is one.
    pub(super) fn check(&self) -> Result<(), EngineError> {
        self.found().first.clone().map_or(Ok(()), Err)
    }

    /// Why the device was lost, if it was.
    pub(super) fn loss(&self) -> Option<Loss> {
        self.found().loss.clone()
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the device report its errors here.
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

/// The engine's error for an error of the device.
pub(super) fn of_device(error: &Error) -> EngineError {
    let (kind, what, hint) = match error {
        Error::OutOfMemory { .. } => {
            let hint = "use a smaller model, or fewer positions with `context_tokens`";
            (EngineErrorKind::OutOfMemory, "the GPU has no memory left", Some(hint.to_owned()))
        }
        Error::Validation { .. } => {
            (EngineErrorKind::GpuError, "the GPU was given an invalid command", None)
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

/// The error of an unavailable backend.
pub(super) fn unavailable(why: &str, hint: &str) -> EngineError {
    EngineError::unavailable(format!("backend `webgpu` is not available: {why}")).with_hint(hint)
}
