//! A loaded model, by the backend that runs it.

#[cfg(target_arch = "wasm32")]
use crate::engine::backend::Webgl;
#[cfg(any(target_arch = "wasm32", feature = "native-gpu"))]
use crate::engine::backend::Webgpu;
use crate::engine::backend::{Cpu, Reference};
use crate::engine::session::Session;

pub(super) enum Model {
    Reference(Box<Session<Reference>>),
    Cpu(Box<Session<Cpu>>),
    #[cfg(target_arch = "wasm32")]
    Webgl(Box<Session<Webgl>>),
    #[cfg(any(target_arch = "wasm32", feature = "native-gpu"))]
    Webgpu(Box<Session<Webgpu>>),
}

/// Evaluates an expression with the session of the loaded backend.
macro_rules! on_session {
    ($model:expr, $session:ident => $run:expr) => {
        match $model {
            Model::Reference($session) => $run,
            Model::Cpu($session) => $run,
            #[cfg(target_arch = "wasm32")]
            Model::Webgl($session) => $run,
            #[cfg(any(target_arch = "wasm32", feature = "native-gpu"))]
            Model::Webgpu($session) => $run,
        }
    };
}

pub(super) use on_session;
