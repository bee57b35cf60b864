//! Backend `webgpu`: compute shaders, in a page through the browser's WebGPU and natively through a
//! driver.
//!
//! Weights keep the bits of the file and are unpacked where they are multiplied; sums are `f32`.
//! The [`ops`] only record dispatches, which [`work`] submits; [`kernel`] lists the kernels, [`wgsl`]
//! composes their source, and [`packing`] defines the layout of weights. Nothing is computed on the
//! CPU.

mod buffers;
mod dispatch;
mod errors;
mod gpu;
mod kernel;
mod kernels;
mod ops;
mod packing;
mod tensor;
mod weights;
mod wgsl;
mod work;

pub use dispatch::{Webgpu, WebgpuOptions};
