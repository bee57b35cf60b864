//! What makes a report a proof, and each thing that keeps it from being one.

use inference_wasm::protocol::{BackendName, BundleName, Canary, SimdLevel};

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

fn demand(bundle: Option<BundleName>, threads: u32) -> Demand {
    Demand { backend: BackendName::Wasm, bundle: BundleChoice { bundle, threads } }
}

/// What the report lacks, in one line; empty for a proof.
fn lacks(demand: Demand, change: impl FnOnce(&mut ExecutionReport)) -> String {
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
fn another_bundle_than_the_demanded_one_is_no_proof() {
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
fn natively_there_is_no_bundle() {
    let demand = Demand { backend: BackendName::Cpu, bundle: BundleChoice::default() };
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

#[test]
fn a_gpu_tier_needs_dispatches_an_adapter_and_its_limits() {
    type Change = fn(&mut ExecutionReport);
    let table: [(Change, &str); 7] = [
        // Nameless is not unreported: Firefox tells no name.
        (|_| {}, ""),
        (|report| report.gpu_dispatches = 0, "no dispatch or draw was counted"),
        (|report| report.adapter = None, "no adapter or renderer is reported"),
        (|report| report.limits_sha256 = None, "no hash of features and limits"),
        (
            |report| report.adapter_is_software = None,
            "it is not said whether the adapter is software",
        ),
        (|report| report.bundle = "base".to_owned(), "bundle `base` has SIMD level simd128"),
        (|report| report.target = "x86_64".to_owned(), "can't run on target `x86_64`"),
    ];
    for backend in [BackendName::Webgpu, BackendName::Webgl] {
        let demand = Demand { backend, bundle: BundleChoice::default() };
        for (change, lacks) in table {
            let mut report = gpu(backend);
            change(&mut report);
            let found = verify(demand, &report).err().map(|missing| missing.reasons);
            // While a backend has no canary, every report lacks that too.
            let canary = inference_wasm::engine::canary::expected(backend);
            let found: Vec<_> = found
                .into_iter()
                .flatten()
                .filter(|reason| canary.is_some() || !reason.starts_with("no canary is defined"))
                .collect();
            assert_eq!(found.is_empty(), lacks.is_empty(), "{backend}: {found:?}");
            assert!(found.join("; ").contains(lacks), "{backend}: {found:?}");
        }
    }
}
