//! Backends: what a transformer asks of one, and the implementations.
//!
//! A [`Backend`] owns its tensors; the forward pass only passes handles around, so that weights and
//! activations can live on a GPU. Work is queued in order, and results are visible only through
//! [`Backend::read`], which is `async` because a browser can't block on a GPU.
//!
//! A backend never hands work to another one.

mod contract;
mod cpu;
mod reference;
mod report;
#[cfg(any(test, target_arch = "wasm32"))]
mod webgl;
#[cfg(any(target_arch = "wasm32", feature = "native-gpu"))]
mod webgpu;

pub use contract::{Backend, CHUNK_ROWS, Heads, ModelBytes, Rotary};
pub use cpu::Cpu;
pub use reference::Reference;
pub use report::{Adapter, Candidate, Counters, Loss};
#[cfg(target_arch = "wasm32")]
pub use webgl::Webgl;
#[cfg(any(target_arch = "wasm32", feature = "native-gpu"))]
pub use webgpu::{Webgpu, WebgpuOptions};
