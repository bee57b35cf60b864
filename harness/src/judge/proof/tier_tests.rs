//! Reports that are proofs, and each gap that keeps a report from being one.

use inference_wasm::protocol::{BackendName, BundleName, Canary, SimdLevel, WebGpuAdapter};

use super::*;

fn report() -> ExecutionReport {
    ExecutionReport {
        requested: BackendName::Wasm,
        actual: BackendName::Wasm,
        target: "wasm32".to_owned(),
        bundle: "relaxed".to_owned(),
        bundle_reason: "asked for by name".to_owned(),
        simd: SimdLevel::RelaxedSimd,
        on_main_thread: false,
        effective_threads: 1,
        memory_bytes: None,
        kernel_calls: 7,
        gpu_dispatches: 0,
        adapter: None,
        adapter_is_software: None,
        limits_sha256: None,
        canary: Canary {
            bits: inference_wasm::engine::canary::expected(BackendName::Wasm).unwrap(),
        },
    }
}

fn of(backend: BackendName) -> Demand<'static> {
    Demand { backend, bundle: BundleChoice::default(), adapter: AdapterDemand::Any, probed: None }
}

fn demand(bundle: Option<BundleName>, threads: u32) -> Demand<'static> {
    Demand { bundle: BundleChoice { bundle, threads }, ..of(BackendName::Wasm) }
}

/// The gaps of the report on one line; empty for a proof.
fn lacks(demand: Demand<'_>, change: impl FnOnce(&mut ExecutionReport)) -> String {
    let mut report = report();
    change(&mut report);
    verify(demand, &report).err().map(|missing| missing.reasons.join("; ")).unwrap_or_default()
}

fn threaded(threads: u32) -> impl FnOnce(&mut ExecutionReport) {
    move |report| {
        report.bundle = "threads".to_owned();
        report.simd = SimdLevel::Simd128;
        report.effective_threads = threads;
    }
}

#[test]
fn a_bundle_that_was_demanded_or_chosen_is_proven() {
    assert_eq!(lacks(demand(Some(BundleName::Relaxed), 1), |_| {}), "");
    assert_eq!(lacks(demand(None, 1), |_| {}), "");
    // Auto may find no threads here.
    assert_eq!(lacks(demand(None, 4), |_| {}), "");
    assert_eq!(lacks(demand(None, 4), threaded(4)), "");
    assert_eq!(lacks(demand(Some(BundleName::Threads), 4), threaded(2)), "");
    assert_eq!(lacks(demand(Some(BundleName::Threads), 4), threaded(1)), "");
    assert_eq!(lacks(demand(Some(BundleName::Threads), 1), threaded(1)), "");
    let faulty = |report: &mut ExecutionReport| report.bundle += "+seeded-faults";
    assert_eq!(lacks(demand(Some(BundleName::Relaxed), 1), faulty), "");
}

#[test]
fn another_bundle_than_the_demanded_one_is_not_a_proof() {
    let lacks = lacks(demand(Some(BundleName::Base), 1), |_| {});
    assert_eq!(lacks, "bundle `base` expected, `relaxed` ran");
}

#[test]
fn a_bundle_has_the_instructions_and_threads_of_its_name() {
    for (bundle, simd, is_right) in [
        ("scalar", SimdLevel::Scalar, true),
        ("scalar", SimdLevel::Simd128, false),
        ("base", SimdLevel::Simd128, true),
        ("base", SimdLevel::RelaxedSimd, false),
        ("relaxed", SimdLevel::Simd128, false),
        ("threads", SimdLevel::Simd128, true),
        ("threads", SimdLevel::Scalar, false),
        ("native", SimdLevel::Native, false),
    ] {
        let change = |report: &mut ExecutionReport| {
            report.bundle = bundle.to_owned();
            report.simd = simd;
        };
        assert_eq!(lacks(demand(None, 1), change).is_empty(), is_right, "{bundle}, {simd}");
    }
    let two = |report: &mut ExecutionReport| report.effective_threads = 2;
    let lacks_of = |demand, threads| lacks(demand, threaded(threads));
    assert_eq!(lacks(demand(None, 1), two), "bundle `relaxed` has at most 1 threads here, found 2");
    let threads = demand(Some(BundleName::Threads), 2);
    assert_eq!(lacks_of(threads, 3), "bundle `threads` has at most 2 threads here, found 3");
}

#[test]
fn a_native_report_needs_no_bundle() {
    let demand = of(BackendName::Cpu);
    let native = |report: &mut ExecutionReport| {
        report.requested = BackendName::Cpu;
        report.actual = BackendName::Cpu;
        report.target = "x86_64".to_owned();
        report.bundle = "native".to_owned();
        report.simd = SimdLevel::Native;
        report.effective_threads = 2;
    };
    assert_eq!(lacks(demand, native), "");
}

/// A report of a GPU tier, whose canary is any that the backend has.
fn gpu(backend: BackendName) -> ExecutionReport {
    ExecutionReport {
        requested: backend,
        actual: backend,
        kernel_calls: 0,
        gpu_dispatches: 40,
        adapter: Some(String::new()),
        adapter_is_software: Some(true),
        limits_sha256: Some("9f86d081".to_owned()),
        canary: Canary { bits: inference_wasm::engine::canary::expected(backend).unwrap_or(0) },
        ..report()
    }
}

/// What a GPU's report lacks; a backend's own canary apart, while it has none.
fn gpu_lacks(demand: Demand<'_>, change: impl FnOnce(&mut ExecutionReport)) -> String {
    let mut report = gpu(demand.backend);
    change(&mut report);
    let mut reasons = verify(demand, &report).err().map_or(Vec::new(), |missing| missing.reasons);
    reasons.retain(|reason| !reason.starts_with("no canary is defined"));
    reasons.join("; ")
}

const GPUS: [BackendName; 2] = [BackendName::Webgpu, BackendName::Webgl];

#[test]
fn a_gpu_tier_needs_dispatches_an_adapter_and_its_limits() {
    type Change = fn(&mut ExecutionReport);
    let table: [(Change, &str); 7] = [
        // An adapter without a name is still reported, as by Firefox.
        (|_| {}, ""),
        (|report| report.gpu_dispatches = 0, "no dispatch or draw was counted"),
        (|report| report.adapter = None, "no adapter or renderer is reported"),
        (|report| report.limits_sha256 = None, "no hash of features and limits"),
        (
            |report| report.adapter_is_software = None,
            "the report does not say whether the adapter is software",
        ),
        (
            |report| report.bundle = "base".to_owned(),
            "bundle `base` has SIMD level simd128, found relaxed-simd",
        ),
        (|report| report.actual = BackendName::Wasm, "backend `{}` expected, `wasm` ran"),
    ];
    for backend in GPUS {
        for (change, lacks) in table {
            let lacks = lacks.replace("{}", backend.as_str());
            assert_eq!(gpu_lacks(of(backend), change), lacks, "{backend}");
        }
        let native = gpu_lacks(of(backend), |report| report.target = "x86_64".to_owned());
        assert_eq!(native, format!("`{backend}` can't run on target `x86_64`"));
    }
}

/// A build that holds a GPU and lets the CPU compute is caught by the counter and by the canary.
#[test]
fn the_evidence_of_the_cpu_does_not_prove_a_gpu() {
    for backend in GPUS {
        let lacks = gpu_lacks(of(backend), |report| {
            report.kernel_calls = std::mem::take(&mut report.gpu_dispatches);
            report.canary.bits =
                inference_wasm::engine::canary::expected(BackendName::Wasm).unwrap();
        });
        assert!(lacks.contains("no dispatch or draw was counted"), "{lacks}");
        let has_canary = inference_wasm::engine::canary::expected(backend).is_some();
        let is_caught = lacks.contains(&format!("the canary of `{backend}` is "));
        assert_eq!(is_caught, has_canary, "{lacks}");
    }
}

fn named(name: &'static str, is_software: bool) -> impl FnOnce(&mut ExecutionReport) {
    move |report| {
        report.adapter = Some(name.to_owned());
        report.adapter_is_software = Some(is_software);
    }
}

#[test]
fn demanded_hardware_has_to_be_proven() {
    use AdapterDemand::{Any, Hardware, Software};
    for (adapter, name, is_software, lacks) in [
        (Any, "", false, ""),
        (Any, "google swiftshader", true, ""),
        (Hardware, "nvidia hopper", false, ""),
        (
            Hardware,
            "google swiftshader",
            false,
            "a hardware adapter was demanded, it ran on: software: google swiftshader",
        ),
        (
            Hardware,
            "nvidia hopper",
            true,
            "a hardware adapter was demanded, it ran on: software: nvidia hopper",
        ),
        (
            Hardware,
            "",
            false,
            "a hardware adapter was demanded, it ran on: not reported by the browser",
        ),
        (Software, "llvmpipe, or similar", false, ""),
        (
            Software,
            "nvidia hopper",
            false,
            "a software adapter was demanded, it ran on: nvidia hopper",
        ),
    ] {
        for backend in GPUS {
            let demand = Demand { adapter, ..of(backend) };
            assert_eq!(gpu_lacks(demand, named(name, is_software)), lacks, "{backend}");
        }
    }
}

#[test]
fn engine_and_probe_must_describe_one_adapter() {
    let mut probed = CapabilityReport::default();
    probed.webgpu.adapter = Some(WebGpuAdapter {
        vendor: "google".to_owned(),
        architecture: "swiftshader".to_owned(),
        is_fallback: Some(true),
        ..WebGpuAdapter::default()
    });
    probed.webgl2.renderer = "ANGLE (Google, Vulkan 1.3.0 (SwiftShader Device))".to_owned();
    probed.webgl2.in_worker = true;
    let with = |backend| Demand { probed: Some(&probed), ..of(backend) };
    for backend in GPUS {
        // The engine may join the parts differently, or not get them.
        for name in ["google swiftshader", "SwiftShader", ""] {
            assert_eq!(gpu_lacks(with(backend), named(name, true)), "", "{backend}, {name}");
        }
    }
    assert_eq!(
        gpu_lacks(with(BackendName::Webgpu), named("nvidia hopper", false)),
        "the engine reports that it ran on: nvidia hopper; the page's probe found: software: google swiftshader"
    );
    assert_eq!(
        gpu_lacks(with(BackendName::Webgl), named("llvmpipe", true)),
        "the engine reports that it ran on: software: llvmpipe; the page's probe found: software: ANGLE \
         (Google, Vulkan 1.3.0 (SwiftShader Device))"
    );
    // Firefox names no WebGPU adapter, but reports to the page that it is a fallback.
    let demand = Demand { adapter: AdapterDemand::Software, ..with(BackendName::Webgpu) };
    assert_eq!(gpu_lacks(demand, named("", false)), "");
    // The probe of a browser that reports nothing contradicts nothing.
    let untold = CapabilityReport::default();
    let demand = Demand { probed: Some(&untold), ..of(BackendName::Webgpu) };
    assert_eq!(gpu_lacks(demand, named("llvmpipe", true)), "");
    // WebKitGTK has no WebGL in workers.
    let demand = Demand { backend: BackendName::Webgl, ..demand };
    let drawn = |is_main: bool| move |report: &mut ExecutionReport| report.on_main_thread = is_main;
    assert_eq!(gpu_lacks(demand, drawn(true)), "");
    assert_eq!(
        gpu_lacks(demand, drawn(false)),
        "the engine reports that it drew in a worker, where the probe got no WebGL2 context"
    );
}
