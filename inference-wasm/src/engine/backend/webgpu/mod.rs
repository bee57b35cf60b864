//! Backend `webgpu`: compute shaders, in a page by the browser's WebGPU and natively by a driver.
//!
//! Weights stay the bits of the file and are unpacked where they are multiplied; sums are `f32`.
//! Ops only record what is to be done, see [`work`]; which kernels there are is in [`kernels`], how
//! weights lie in [`packing`]. Never computes anything on the CPU.

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
