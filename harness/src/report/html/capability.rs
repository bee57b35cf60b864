//! The capabilities of the probed browsers, as a table: a row a capability, a column a probe.

use inference_wasm::protocol::{CapabilityReport, WebGl2Report, WebGpuReport};
use serde::Serialize;

use crate::judge::capability::{Hardware, adapter_name};
use crate::report::record::Probe;

#[derive(Debug, Default, Serialize)]
pub(super) struct Capabilities {
    heads: Vec<String>,
    rows: Vec<(&'static str, Vec<Value>)>,
}

#[derive(Debug, Serialize)]
struct Value {
    /// `yes`, `no`, `soft`, or nothing for a plain value.
    key: &'static str,
    text: String,
}

pub(super) fn of_probes(probes: &[Probe]) -> Capabilities {
    let row = |label: &'static str, of: &dyn Fn(&CapabilityReport) -> Value| {
        (label, probes.iter().map(|probe| of(&probe.report)).collect::<Vec<_>>())
    };
    Capabilities {
        heads: probes
            .iter()
            .map(|probe| match probe.profile.as_str() {
                "" | "default" => format!("{} {}", probe.browser, probe.version),
                profile => format!("{} {} ({profile})", probe.browser, probe.version),
            })
            .collect(),
        rows: vec![
            row("WebGPU", &|report| webgpu(&report.webgpu)),
            row("WebGPU features", &|report| {
                let features = report.webgpu.adapter.as_ref().map(|adapter| &adapter.features);
                plain(features.map(|features| features.join(", ")).unwrap_or_default())
            }),
            row("WebGL2", &|report| webgl2(&report.webgl2)),
            row("WebGL2 float read-back", &|report| {
                yes(report.webgl2.present && report.webgl2.float_readback)
            }),
            row("WebGL2 in a worker", &|report| yes(report.webgl2.in_worker)),
            row("WebAssembly", &|report| yes(report.wasm.present)),
            row("WASM SIMD128", &|report| yes(report.wasm.simd128)),
            row("WASM relaxed SIMD", &|report| yes(report.wasm.relaxed_simd)),
            row("WASM threads", &|report| yes(report.wasm.threads)),
            row("WASM exceptions", &|report| yes(report.wasm.exceptions)),
            row("WASM 64-bit memory", &|report| yes(report.wasm.memory64)),
            row("Cross-origin isolated", &|report| yes(report.cross_origin_isolated)),
            row("Secure context", &|report| yes(report.secure_context)),
            row("Processors", &|report| {
                plain(report.hardware_concurrency.map(|n| n.to_string()).unwrap_or_default())
            }),
            row("OPFS", &|report| yes(report.storage.opfs)),
            row("Cache API", &|report| yes(report.storage.cache)),
            row("IndexedDB", &|report| yes(report.storage.indexed_db)),
            row("Storage quota", &|report| {
                let gib = |bytes: f64| format!("{:.1} GiB", bytes / f64::from(1 << 30));
                plain(report.storage.quota_bytes.map(gib).unwrap_or_default())
            }),
            row("User agent", &|report| plain(report.user_agent.clone())),
        ],
    }
}

fn yes(is_there: bool) -> Value {
    if is_there {
        Value { key: "yes", text: "yes".to_owned() }
    } else {
        Value { key: "no", text: "no".to_owned() }
    }
}

/// A neutral value; a dash if it is not reported.
fn plain(text: String) -> Value {
    Value { key: "", text: if text.is_empty() { "–".to_owned() } else { text } }
}

fn no(reason: Option<&String>) -> Value {
    let text = reason.map_or_else(|| "no".to_owned(), |reason| format!("no: {reason}"));
    Value { key: "no", text }
}

/// An adapter or renderer, marked if it is software.
fn adapter(name: &str, hardware: Hardware) -> Value {
    let key = match hardware {
        Hardware::Software => "soft",
        Hardware::Gpu => "yes",
        Hardware::Untold => "",
    };
    Value { key, text: hardware.describe(name) }
}

fn webgpu(report: &WebGpuReport) -> Value {
    let Some(found) = &report.adapter else { return no(report.reason.as_ref()) };
    let name = adapter_name(found);
    adapter(&name, Hardware::of_adapter(found.is_fallback, &name))
}

fn webgl2(report: &WebGl2Report) -> Value {
    if report.present {
        adapter(&report.renderer, Hardware::of_name(&report.renderer))
    } else {
        no(report.reason.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use inference_wasm::protocol::WebGpuAdapter;

    #[test]
    fn software_adapters_are_marked() {
        for (renderer, key) in [
            ("ANGLE (Google, Vulkan 1.3.0 (SwiftShader Device (Subzero)))", "soft"),
            ("Apple GPU", ""),
            ("ANGLE (NVIDIA, NVIDIA GeForce RTX 3060, OpenGL 4.5)", "yes"),
        ] {
            let report = WebGl2Report {
                present: true,
                renderer: renderer.to_owned(),
                ..WebGl2Report::default()
            };
            assert_eq!(webgl2(&report).key, key, "{renderer}");
        }
        let fallback = WebGpuAdapter { is_fallback: Some(true), ..WebGpuAdapter::default() };
        let report =
            WebGpuReport { present: true, adapter: Some(fallback), ..WebGpuReport::default() };
        assert_eq!(webgpu(&report).text, "software: unnamed");
        let reason = Some("adapter-null".to_owned());
        let report = WebGpuReport { present: true, adapter: None, reason };
        assert_eq!(webgpu(&report).text, "no: adapter-null");
    }
}
