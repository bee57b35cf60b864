//! A device and a model for tests of the client.

use crate::protocol::client::{Capabilities, DeviceTier, ModelVariant, Versions};
use crate::protocol::{
    BackendName, CapabilityReport, ModelManifest, Shard, StorageReport, WasmReport, WebGl2Report,
    WebGpuAdapter, WebGpuReport,
};

/// A fast laptop with every feature.
pub(crate) fn device() -> Capabilities {
    let adapter = WebGpuAdapter {
        vendor: "nvidia".into(),
        architecture: "ampere".into(),
        is_fallback: Some(false),
        features: vec!["shader-f16".into()],
        ..WebGpuAdapter::default()
    };
    Capabilities {
        report: CapabilityReport {
            hardware_concurrency: Some(8),
            device_memory_gib: Some(16.0),
            wasm: WasmReport {
                present: true,
                simd128: true,
                threads: true,
                ..WasmReport::default()
            },
            webgpu: WebGpuReport { present: true, adapter: Some(adapter), reason: None },
            webgl2: WebGl2Report {
                present: true,
                renderer: "NVIDIA GeForce RTX 3070".into(),
                highp_bits: Some(23),
                float_readback: true,
                ..WebGl2Report::default()
            },
            storage: StorageReport {
                opfs: true,
                cache: true,
                indexed_db: true,
                ..StorageReport::default()
            },
            ..CapabilityReport::default()
        },
        ..Capabilities::default()
    }
}

/// A model of three shards, for every backend and device.
pub(crate) fn variant(id: &str, parameters: u64, min_ram_gib: f64) -> ModelVariant {
    let shard = |index: u32| Shard {
        url: format!("{id}/{index}.bin"),
        bytes: 100 + u64::from(index),
        sha256: format!("{index:064x}"),
    };
    ModelVariant {
        id: id.into(),
        name: id.into(),
        parameters,
        quantization: "Q4_0".into(),
        context_window: 2048,
        capabilities: vec!["chat".into()],
        min_ram_gib,
        min_device_tier: DeviceTier::NoGpu,
        backends: vec![BackendName::Webgpu, BackendName::Webgl, BackendName::Wasm],
        webgpu_features: Vec::new(),
        versions: Versions {
            weights: "1".into(),
            tokenizer: "1".into(),
            prompt_template: "1".into(),
        },
        file: ModelManifest {
            name: id.into(),
            bytes: 303,
            sha256: "f".repeat(64),
            shards: (0..3).map(shard).collect(),
        },
    }
}
