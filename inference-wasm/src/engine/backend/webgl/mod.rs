//! Backend `webgl`: every op is a fragment pass over float textures, in WebGL2.
//!
//! WebGL2 has no compute shaders and no storage buffers, so an op draws a rectangle whose pixels
//! are its output, and reads its inputs texel by texel. [`layout`] defines the layout of tensors in
//! textures, [`weights`] that of weights, and `shaders/` the computation of each pass.
//!
//! An op that reads and writes the same tensor draws to the tensor's second texture, since a pass
//! can't read what it writes. Nothing is allocated once every op has run.

#[cfg(target_arch = "wasm32")]
mod attention;
#[cfg(target_arch = "wasm32")]
mod best;
#[cfg(target_arch = "wasm32")]
mod context;
#[cfg(target_arch = "wasm32")]
mod device;
#[cfg(target_arch = "wasm32")]
mod errors;
mod layout;
#[cfg(target_arch = "wasm32")]
mod liveness;
#[cfg(target_arch = "wasm32")]
mod ops;
#[cfg(target_arch = "wasm32")]
mod passes;
#[cfg(target_arch = "wasm32")]
mod program;
#[cfg(target_arch = "wasm32")]
mod read;
#[cfg(target_arch = "wasm32")]
mod shader;
#[cfg(target_arch = "wasm32")]
mod tensor;
#[cfg(target_arch = "wasm32")]
mod texture;
mod weights;

#[cfg(target_arch = "wasm32")]
pub use passes::Webgl;
