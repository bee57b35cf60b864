//! The engine's report on how a command ran: the input of a tier proof.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A backend, by its public name.
///
/// ```
/// # use inference_wasm::protocol::BackendName;
/// assert_eq!(serde_json::to_string(&BackendName::Webgpu).unwrap(), r#""webgpu""#);
/// ```
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
#[derive(strum::Display, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "lowercase")]
pub enum BackendName {
    /// Compute shaders.
    Webgpu,
    /// Fragment passes over WebGL2.
    Webgl,
    /// CPU kernels in WebAssembly.
    Wasm,
    /// The same CPU kernels, compiled natively.
    Cpu,
    /// Plain scalar f32 loops: the native oracle.
    Reference,
}

impl BackendName {
    /// Every backend, in the order of the fallback chain.
    pub const ALL: [Self; 5] = [Self::Webgpu, Self::Webgl, Self::Wasm, Self::Cpu, Self::Reference];

    /// The name in TOML, on the command line and in JSON.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The widest vector instructions that the code was compiled with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[derive(strum::Display, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "kebab-case")]
pub enum SimdLevel {
    /// No vector instructions: lanes are loops.
    Scalar,
    /// WebAssembly's fixed-width 128-bit SIMD.
    Simd128,
    /// SIMD128 with relaxed integer dot products.
    RelaxedSimd,
    /// Whatever a native compiler generates from the portable kernels.
    Native,
}

impl SimdLevel {
    /// The name in JSON.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A bundle: one build of the engine as WebAssembly.
///
/// ```
/// # use inference_wasm::protocol::BundleName;
/// assert_eq!(serde_json::to_string(&BundleName::Relaxed).unwrap(), r#""relaxed""#);
/// ```
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
#[derive(strum::Display, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "lowercase")]
pub enum BundleName {
    /// No vector instructions, for browsers without them.
    Scalar,
    /// SIMD128.
    Base,
    /// SIMD128 and relaxed SIMD.
    Relaxed,
    /// SIMD128, with shared memory and a pool of threads.
    Threads,
}

impl BundleName {
    /// Every bundle.
    pub const ALL: [Self; 4] = [Self::Scalar, Self::Base, Self::Relaxed, Self::Threads];

    /// The name in TOML, on the command line, in addresses and in JSON.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The vector instructions that the bundle is built with.
    pub fn simd(self) -> SimdLevel {
        match self {
            Self::Scalar => SimdLevel::Scalar,
            Self::Base | Self::Threads => SimdLevel::Simd128,
            Self::Relaxed => SimdLevel::RelaxedSimd,
        }
    }
}

/// The result of the canary op: a dot product whose rounding reveals the order of summation.
///
/// Each backend sums in an order of its own, so each returns a different value; see
/// `engine::canary`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Canary {
    /// The bits of the f32 that the backend's dot product returned.
    pub bits: u32,
}

/// How a command was executed, as counted by the engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExecutionReport {
    /// The backend that the host requested.
    pub requested: BackendName,
    /// The backend object that ran.
    pub actual: BackendName,
    /// The architecture that the engine was compiled for: `wasm32`, `x86_64`, `aarch64`.
    pub target: String,
    /// The bundle that ran (`base`), as compiled into the module, or `native`. A build with mutants
    /// appends `+seeded-faults`.
    pub bundle: String,
    /// Why the page loaded that bundle, in a sentence; empty natively.
    #[serde(default)]
    pub bundle_reason: String,
    /// Vector instructions of that build.
    pub simd: SimdLevel,
    /// The engine ran on the page's main thread, for example because workers have no WebGL2, and
    /// not in a worker. `false` natively.
    #[serde(default)]
    pub on_main_thread: bool,
    /// Threads that did work, including the calling one; may be fewer than requested.
    pub effective_threads: u32,
    /// Bytes of the module's linear memory when the command ended. `None` natively.
    #[serde(default)]
    pub memory_bytes: Option<u64>,
    /// Calls of matrix kernels on the CPU since the model was loaded.
    pub kernel_calls: u64,
    /// Dispatches or draws on the GPU since the model was loaded; 0 on a CPU backend.
    pub gpu_dispatches: u64,
    /// Adapter name or renderer string; `None` on a CPU backend.
    pub adapter: Option<String>,
    /// The adapter computes on the CPU, by its type or name; see [`adapter`](super::adapter).
    pub adapter_is_software: Option<bool>,
    /// SHA-256 in hex of the adapter's features and limits; `None` on a CPU backend.
    pub limits_sha256: Option<String>,
    /// The canary op on the backend object that ran.
    pub canary: Canary,
}
