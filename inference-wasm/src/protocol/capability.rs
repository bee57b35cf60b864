//! What a browser can do, as its own page found out.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Everything that decides where a model can run, probed once for each launch profile.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CapabilityReport {
    /// The browser's own name for itself.
    pub user_agent: String,
    /// `isSecureContext`.
    pub secure_context: bool,
    /// `crossOriginIsolated`.
    pub cross_origin_isolated: bool,
    /// `navigator.hardwareConcurrency`.
    pub hardware_concurrency: Option<u32>,
    /// `navigator.deviceMemory` in GiB; most browsers keep it to themselves.
    pub device_memory_gib: Option<f64>,
    /// WebAssembly and its proposals.
    pub wasm: WasmReport,
    /// WebGPU.
    pub webgpu: WebGpuReport,
    /// WebGL2.
    pub webgl2: WebGl2Report,
    /// Where weights can be kept.
    pub storage: StorageReport,
}

/// WebAssembly features, each found by validating a tiny module that uses it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "one for each feature")]
pub struct WasmReport {
    /// `WebAssembly` exists.
    pub present: bool,
    /// Fixed-width SIMD.
    pub simd128: bool,
    /// Relaxed SIMD.
    pub relaxed_simd: bool,
    /// Atomics validate, a shared memory can be made, and a worker can be sent it.
    pub threads: bool,
    /// Exception handling.
    pub exceptions: bool,
    /// 64-bit memories.
    pub memory64: bool,
}

/// WebGPU as the page found it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct WebGpuReport {
    /// `navigator.gpu` exists.
    pub present: bool,
    /// The adapter that `requestAdapter()` gave.
    pub adapter: Option<WebGpuAdapter>,
    /// Why there is none: `absent`, `adapter-null`, or the browser's error.
    pub reason: Option<String>,
}

/// A WebGPU adapter.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct WebGpuAdapter {
    /// `info.vendor`; may be empty.
    pub vendor: String,
    /// `info.architecture`; may be empty.
    pub architecture: String,
    /// `info.device`; may be empty.
    pub device: String,
    /// `info.description`; may be empty.
    pub description: String,
    /// `isFallbackAdapter`: computes on the CPU.
    pub is_fallback: Option<bool>,
    /// Optional features.
    pub features: Vec<String>,
    /// Limits by name.
    pub limits: BTreeMap<String, f64>,
}

/// WebGL2 as the page found it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct WebGl2Report {
    /// A context could be made.
    pub present: bool,
    /// Why not.
    pub reason: Option<String>,
    /// `UNMASKED_RENDERER_WEBGL`, or `RENDERER` where the browser hides it.
    pub renderer: String,
    /// The vendor string that goes with it.
    pub vendor: String,
    /// Extensions.
    pub extensions: Vec<String>,
    /// Mantissa bits of `highp float` in fragment shaders; 23 for a full f32.
    pub highp_bits: Option<u32>,
    /// `MAX_TEXTURE_SIZE` in texels.
    pub max_texture_size: Option<u32>,
    /// A render target of R32F was written and read back right.
    pub float_readback: bool,
    /// A worker can have a context, on an `OffscreenCanvas`.
    pub in_worker: bool,
}

/// Where weights can be kept between visits.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct StorageReport {
    /// The origin private file system answers.
    pub opfs: bool,
    /// The Cache API answers.
    pub cache: bool,
    /// IndexedDB answers.
    pub indexed_db: bool,
    /// `estimate().quota` in bytes.
    pub quota_bytes: Option<f64>,
    /// `persisted()`.
    pub persisted: Option<bool>,
}
