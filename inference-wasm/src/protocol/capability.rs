//! What a browser can do, as a page in it found out.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Everything that decides where a model can run. Probed once per launch profile.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CapabilityReport {
    /// `navigator.userAgent`.
    pub user_agent: String,
    /// `isSecureContext`.
    pub secure_context: bool,
    /// `crossOriginIsolated`.
    pub cross_origin_isolated: bool,
    /// `navigator.hardwareConcurrency`.
    pub hardware_concurrency: Option<u32>,
    /// `navigator.deviceMemory` in GiB; most browsers do not report it.
    pub device_memory_gib: Option<f64>,
    /// WebAssembly and the proposals that the browser implements.
    pub wasm: WasmReport,
    /// WebGPU.
    pub webgpu: WebGpuReport,
    /// WebGL2.
    pub webgl2: WebGl2Report,
    /// Where weights can be kept.
    pub storage: StorageReport,
}

/// WebAssembly features, each detected by validating a small module that uses it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "one per feature")]
pub struct WasmReport {
    /// `WebAssembly` exists.
    pub present: bool,
    /// Fixed-width SIMD.
    pub simd128: bool,
    /// Relaxed SIMD.
    pub relaxed_simd: bool,
    /// Atomics validate, and a shared memory can be created and posted to a worker.
    pub threads: bool,
    /// Exception handling.
    pub exceptions: bool,
    /// 64-bit memories.
    pub memory64: bool,
}

/// WebGPU support.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct WebGpuReport {
    /// `navigator.gpu` exists.
    pub present: bool,
    /// The adapter that `requestAdapter()` returned.
    pub adapter: Option<WebGpuAdapter>,
    /// Why there is no adapter: `absent`, `adapter-null`, or the browser's error.
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
    /// `isFallbackAdapter`: the adapter computes on the CPU.
    pub is_fallback: Option<bool>,
    /// Optional features that the adapter has.
    pub features: Vec<String>,
    /// Limits of the adapter by name.
    pub limits: BTreeMap<String, f64>,
}

/// WebGL2 support.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct WebGl2Report {
    /// A context could be created.
    pub present: bool,
    /// Why no context could be created.
    pub reason: Option<String>,
    /// `UNMASKED_RENDERER_WEBGL`, or `RENDERER` if the browser hides it.
    pub renderer: String,
    /// The matching vendor string.
    pub vendor: String,
    /// Supported extensions.
    pub extensions: Vec<String>,
    /// Mantissa bits of `highp float` in fragment shaders; 23 in a full f32.
    pub highp_bits: Option<u32>,
    /// `MAX_TEXTURE_SIZE` in texels.
    pub max_texture_size: Option<u32>,
    /// An R32F render target returned the values that were drawn.
    pub float_readback: bool,
    /// A worker can get a context on an `OffscreenCanvas`.
    pub in_worker: bool,
}

/// Browser storage that can hold weights between visits.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct StorageReport {
    /// The origin private file system works.
    pub opfs: bool,
    /// The Cache API works.
    pub cache: bool,
    /// IndexedDB works.
    pub indexed_db: bool,
    /// `estimate().quota` in bytes.
    pub quota_bytes: Option<f64>,
    /// `persisted()`.
    pub persisted: Option<bool>,
}
