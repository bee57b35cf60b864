//! Stored capability reports: one file for each launch profile, and a table for people.
//!
//! The page makes a report; `plan` decides what it means for a cell.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use inference_wasm::protocol::adapter::is_software;
use inference_wasm::protocol::{
    CapabilityReport, StorageReport, WasmReport, WebGl2Report, WebGpuAdapter, WebGpuReport,
};
use serde::{Deserialize, Serialize};

use crate::spec::launch::LaunchProfile;

/// Limits of a WebGPU adapter that decide which model fits; the file has all of them.
const TELLING_LIMITS: [&str; 5] = [
    "maxBufferSize",
    "maxStorageBufferBindingSize",
    "maxComputeWorkgroupStorageSize",
    "maxComputeInvocationsPerWorkgroup",
    "maxStorageBuffersPerShaderStage",
];

/// The name that WebKit gives every renderer, so that pages can't distinguish machines.
const MASK: &str = "Apple GPU";

/// The kind of hardware behind a renderer or adapter, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hardware {
    /// It computes on the CPU, by its name or by the browser's word.
    Software,
    /// It names a GPU.
    Gpu,
    /// The browser does not report it.
    Untold,
}

impl Hardware {
    /// The hardware by the name of a renderer or adapter.
    pub fn of_name(name: &str) -> Self {
        if is_software(name) {
            Self::Software
        } else if name.is_empty() || name == MASK {
            Self::Untold
        } else {
            Self::Gpu
        }
    }

    /// The hardware of an adapter, by `isFallbackAdapter` and by its name.
    pub fn of_adapter(is_fallback: Option<bool>, name: &str) -> Self {
        if is_fallback == Some(true) { Self::Software } else { Self::of_name(name) }
    }

    /// An explanation for a reader who sees the word for the first time.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Software => "software: computes on the CPU",
            Self::Gpu => "hardware, by its name",
            Self::Untold => "not reported by the browser",
        }
    }

    /// A renderer or adapter, with `software` before its name if it is that.
    pub fn describe(self, name: &str) -> String {
        match (self, name) {
            (Self::Untold, "") => "not reported by the browser".to_owned(),
            (Self::Untold, _) => format!("not reported by the browser: `{name}`"),
            (Self::Software, "") => "software: unnamed".to_owned(),
            (Self::Software, _) => format!("software: {name}"),
            (Self::Gpu, _) => name.to_owned(),
        }
    }
}

/// The reported parts of an adapter's name, joined.
pub fn adapter_name(adapter: &WebGpuAdapter) -> String {
    let parts = [&adapter.vendor, &adapter.architecture, &adapter.device, &adapter.description];
    let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).cloned().collect();
    parts.join(" ")
}

/// The capabilities of a browser under a launch profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// The profile.
    pub profile: LaunchProfile,
    /// Version of the browser, as its driver reports it.
    pub version: String,
    /// The report of its page.
    pub report: CapabilityReport,
}

/// A probe file that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It can't be read.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// It is not a probe.
    #[error("`{}`: {error}\n  hint: `tierproof probe` writes it again", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The syntax error.
        error: serde_json::Error,
    },
}

/// The path of a profile's probe in a report folder.
pub fn path(report: &Path, profile: LaunchProfile) -> PathBuf {
    report.join("probe").join(format!("{profile}.json"))
}

impl Probe {
    /// Writes it into a report folder, atomically.
    pub fn store(&self, report: &Path) -> std::io::Result<PathBuf> {
        let path = path(report, self.profile);
        let folder = path.parent().unwrap_or(report);
        fs_err::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer_pretty(&mut file, self)?;
        file.write_all(b"\n")?;
        file.persist(&path).map_err(|error| error.error)?;
        Ok(path)
    }

    /// Reads the probe of a profile; `None` if it was never stored.
    pub fn load(report: &Path, profile: LaunchProfile) -> Result<Option<Self>, LoadError> {
        let path = path(report, profile);
        let bytes = match fs_err::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| LoadError::Format { path, error })
    }
}

/// A probe as a table for people.
pub fn render(probe: &Probe) -> String {
    let Probe { profile, version, report } = probe;
    let mut table = Table(format!(
        "{} {}, profile `{}`\n",
        profile.browser,
        printable(version),
        profile.name()
    ));
    table.row("user agent", &report.user_agent);
    table.list(
        "page",
        &[
            ("secure context", report.secure_context),
            ("cross-origin isolated", report.cross_origin_isolated),
        ],
    );
    let memory = report.device_memory_gib.map(|gib| format!("{gib} GiB of memory or more"));
    let threads = report.hardware_concurrency.map(|count| format!("{count} threads"));
    table.row("machine", &join(threads.into_iter().chain(memory)));
    wasm(&mut table, &report.wasm);
    webgpu(&mut table, &report.webgpu);
    webgl2(&mut table, &report.webgl2);
    storage(&mut table, &report.storage);
    table.0
}

/// Lines of a label and a value.
struct Table(String);

impl Table {
    fn row(&mut self, name: &str, value: &str) {
        let value = if value.is_empty() { "-".to_owned() } else { printable(value) };
        // Writing into a string can't fail.
        let _ = writeln!(self.0, "  {name:<18} {value}");
    }

    /// The available parts, then the missing ones.
    fn list(&mut self, name: &str, parts: &[(&str, bool)]) {
        let names = |has: bool| {
            let names = parts.iter().filter(move |part| part.1 == has);
            names.map(|part| part.0).collect::<Vec<_>>().join(", ")
        };
        let (present, absent) = (names(true), names(false));
        self.row(
            name,
            &match (present.is_empty(), absent.is_empty()) {
                (_, true) => present,
                (true, false) => format!("without {absent}"),
                (false, false) => format!("{present}; without {absent}"),
            },
        );
    }
}

fn wasm(table: &mut Table, report: &WasmReport) {
    if !report.present {
        return table.row("wasm", "absent");
    }
    let parts = [
        ("simd128", report.simd128),
        ("relaxed-simd", report.relaxed_simd),
        ("threads", report.threads),
        ("exceptions", report.exceptions),
        ("memory64", report.memory64),
    ];
    table.list("wasm", &parts);
}

fn webgpu(table: &mut Table, report: &WebGpuReport) {
    let Some(adapter) = &report.adapter else {
        let presence = if report.present { "no adapter" } else { "absent" };
        let reason = report.reason.as_deref().filter(|reason| *reason != presence);
        let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        return table.row("webgpu", &format!("{presence}{reason}"));
    };
    let name = adapter_name(adapter);
    let hardware = Hardware::of_adapter(adapter.is_fallback, &name);
    table.row("webgpu", &hardware.describe(&name));
    table.row("  features", &adapter.features.join(", "));
    let limits = TELLING_LIMITS
        .iter()
        .filter_map(|name| Some(format!("{name} {}", adapter.limits.get(*name)?)));
    table.row("  limits", &join(limits));
}

fn webgl2(table: &mut Table, report: &WebGl2Report) {
    if !report.present {
        let reason = report.reason.as_deref().map(|reason| format!(": {reason}"));
        return table.row("webgl2", &format!("absent{}", reason.unwrap_or_default()));
    }
    let hardware = Hardware::of_name(&report.renderer);
    table.row("webgl2", &hardware.describe(&report.renderer));
    table.list(
        "  can",
        &[("R32F readback", report.float_readback), ("run in a worker", report.in_worker)],
    );
    let precision = report.highp_bits.map(|bits| format!("highp has {bits} bits"));
    let texture = report.max_texture_size.map(|texels| format!("textures of {texels} texels"));
    table.row("  limits", &join(precision.into_iter().chain(texture)));
    table.row("  extensions", &format!("{}", report.extensions.len()));
}

fn storage(table: &mut Table, report: &StorageReport) {
    let parts = [
        ("OPFS", report.opfs),
        ("Cache", report.cache),
        ("IndexedDB", report.indexed_db),
        ("persisted", report.persisted == Some(true)),
    ];
    table.list("storage", &parts);
    if let Some(bytes) = report.quota_bytes {
        table.row("  quota", &format!("{:.1} GiB", bytes / f64::from(1 << 30)));
    }
}

fn join(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

/// Removes control characters: a browser's strings go to a terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use inference_wasm::protocol::WebGpuAdapter;

    use super::*;

    #[test]
    fn software_is_recognised_and_a_mask_is_not_a_gpu() {
        for (renderer, hardware) in [
            ("ANGLE (Google, Vulkan 1.3.0 (SwiftShader Device (Subzero)))", Hardware::Software),
            ("llvmpipe (LLVM 19.1.7, 256 bits)", Hardware::Software),
            ("ANGLE (Microsoft, Microsoft Basic Render Driver, D3D11)", Hardware::Software),
            ("ANGLE (NVIDIA, NVIDIA GeForce RTX 3060, OpenGL 4.5)", Hardware::Gpu),
            ("Apple M3", Hardware::Gpu),
            ("Apple GPU", Hardware::Untold),
            ("", Hardware::Untold),
        ] {
            assert_eq!(Hardware::of_name(renderer), hardware, "{renderer}");
        }
        assert_eq!(Hardware::of_adapter(Some(true), ""), Hardware::Software);
    }
    use crate::spec::cell::BrowserName;

    fn probe() -> Probe {
        let adapter = WebGpuAdapter {
            vendor: "google".to_owned(),
            architecture: "swiftshader".to_owned(),
            is_fallback: Some(true),
            features: vec!["subgroups".to_owned(), "timestamp-query".to_owned()],
            limits: [("maxBufferSize".to_owned(), 1_073_741_824.0), ("x".to_owned(), 1.0)].into(),
            ..WebGpuAdapter::default()
        };
        Probe {
            profile: LaunchProfile::new(BrowserName::Chrome, false),
            version: "156.0.8078.79".to_owned(),
            report: CapabilityReport {
                user_agent: "Mozilla/5.0\u{1b}[31m".to_owned(),
                secure_context: true,
                cross_origin_isolated: true,
                hardware_concurrency: Some(2),
                device_memory_gib: Some(16.0),
                wasm: WasmReport { present: true, simd128: true, ..WasmReport::default() },
                webgpu: WebGpuReport { present: true, adapter: Some(adapter), reason: None },
                webgl2: WebGl2Report {
                    reason: Some("getContext() is null".to_owned()),
                    ..WebGl2Report::default()
                },
                storage: StorageReport {
                    opfs: true,
                    cache: true,
                    indexed_db: true,
                    quota_bytes: Some(10_737_418_240.0),
                    persisted: Some(false),
                },
            },
        }
    }

    #[test]
    fn a_probe_is_readable() {
        insta::assert_snapshot!(render(&probe()));
    }

    #[test]
    fn a_bare_probe_is_readable() {
        let report = CapabilityReport::default();
        insta::assert_snapshot!(render(&Probe { report, ..probe() }));
    }

    #[test]
    fn a_stored_probe_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let probe = probe();
        assert!(Probe::load(folder.path(), probe.profile).unwrap().is_none());
        let path = probe.store(folder.path()).unwrap();
        assert!(path.ends_with("probe/chrome-default.json"));
        assert_eq!(Probe::load(folder.path(), probe.profile).unwrap(), Some(probe.clone()));
        // No temporary file is left.
        assert_eq!(fs_err::read_dir(folder.path().join("probe")).unwrap().count(), 1);
        fs_err::write(&path, "{").unwrap();
        let error = Probe::load(folder.path(), probe.profile).unwrap_err().to_string();
        assert!(error.contains("tierproof probe"), "{error}");
    }
}
