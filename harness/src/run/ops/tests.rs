//! How results are reported, and how the command ends for them.

use inference_wasm::protocol::{
    BackendName, Canary, ExecutionReport, OpFailure, OpTally, OpWorst, OpsReport, SimdLevel,
};

use super::*;
use crate::run::exit::Exit;
use crate::spec::cell::BrowserName;

fn tally(op: &str, weights: &str, passed: u32, failed: u32, left_out: u32) -> OpTally {
    let (op, weights) = (op.to_owned(), weights.to_owned());
    OpTally { op, weights, passed, failed, left_out, unguarded: passed }
}

fn execution(backend: BackendName, adapter: Option<&str>) -> ExecutionReport {
    ExecutionReport {
        requested: backend,
        actual: backend,
        target: "wasm32".to_owned(),
        bundle: "base".to_owned(),
        bundle_reason: String::new(),
        simd: SimdLevel::Simd128,
        on_main_thread: false,
        effective_threads: 1,
        memory_bytes: None,
        kernel_calls: 1,
        gpu_dispatches: 0,
        adapter: adapter.map(str::to_owned),
        adapter_is_software: adapter.map(|_| true),
        limits_sha256: None,
        canary: Canary { bits: 0 },
    }
}

fn held(backend: BackendName, failures: &[&str], adapter: Option<&str>) -> Held {
    let wrong = failures.len() as u32;
    let ratio = if adapter.is_some() { 0.5 } else { 0.25 };
    let report = OpsReport {
        table_cases: 40,
        tallies: vec![
            tally("matmul", "F32", 20 - wrong, wrong, 0),
            tally("matmul", "Q4_0", 12, 0, 0),
            tally("best", "F32", 0, 0, 4),
        ],
        worst: vec![OpWorst {
            op: "matmul".to_owned(),
            case: "matmul/F32/rows=1,columns=3,outputs=2".to_owned(),
            error: 1e-6,
            allowed: 1e-6 / ratio,
            ratio,
            nmse: 3e-14,
        }],
        failures: failures
            .iter()
            .map(|case| OpFailure {
                case: (*case).to_owned(),
                message: format!("`{case}` on `{backend}`: row 0, column 1: off"),
            })
            .collect(),
        elapsed_ms: 1234.0,
        execution: execution(backend, adapter),
    };
    let result = HeldResult::Held { report: Box::new(report), missing_proof: Vec::new() };
    Held { browser: BrowserName::Chrome, backend, result }
}

fn without_report(result: HeldResult) -> Held {
    Held { browser: BrowserName::Webkit, backend: BackendName::Webgpu, result }
}

#[test]
fn results_are_tables_and_every_failure_is_listed_in_full() {
    let case = "matmul/F32/rows=5,columns=33,outputs=3";
    let all = [
        held(BackendName::Webgl, &[case], Some("SwiftShader")),
        held(BackendName::Wasm, &[], None),
        without_report(HeldResult::Unsupported { reason: "WebKitGTK has no WebGPU".to_owned() }),
    ];
    insta::assert_snapshot!(render(&all));
}

#[test]
fn a_wrong_answer_comes_before_trouble_and_trouble_before_nothing() {
    let right = || held(BackendName::Wasm, &[], None);
    let wrong = || held(BackendName::Wasm, &["c"], None);
    let message = "m".to_owned();
    let trouble = || without_report(HeldResult::Trouble { message: message.clone() });
    let broken = || without_report(HeldResult::Broken { message: message.clone() });
    let unsupported = || without_report(HeldResult::Unsupported { reason: message.clone() });
    let unproven = || {
        let mut held = right();
        if let HeldResult::Held { missing_proof, .. } = &mut held.result {
            missing_proof.push("no kernel call was counted".to_owned());
        }
        held
    };
    for (all, expected) in [
        (vec![right(), unsupported()], Exit::Expected),
        (vec![unsupported()], Exit::NothingRan),
        (vec![], Exit::NothingRan),
        (vec![right(), trouble()], Exit::Setup),
        (vec![trouble(), wrong()], Exit::Unexpected),
        (vec![right(), broken()], Exit::Unexpected),
        (vec![right(), unproven()], Exit::Unexpected),
    ] {
        assert_eq!(exit(&all), expected, "{all:?}");
    }
}
