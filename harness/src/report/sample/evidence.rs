//! What the made-up attempts saw.

use std::collections::BTreeMap;

use inference_wasm::protocol::{
    BackendName, Canary, CapabilityReport, ExecutionReport, FinishReason, SimdLevel, StorageReport,
    Timings, WasmReport, WebGl2Report, WebGpuAdapter, WebGpuReport,
};

use super::is_gpu;
use crate::judge::compare::{
    Candidate, Comparison, Divergence, Flip, LogitsComparison, Mismatch, TokensComparison,
};
use crate::judge::outcome::Outcome;
use crate::judge::proof::Proof;
use crate::run::event::{Evidence, RunEventKind, StepEvidence};
use crate::spec::cell::{BrowserName, CellId};
use crate::spec::tolerance::ToleranceClass;

const CASES: [(&str, &str); 6] = [
    ("fix-001", "Please film the tutorial before Friday."),
    ("fix-002", "Boys who once pulled rickshaws now pedal pedicabs."),
    ("fix-003", "The owners decided to move and to close the factory."),
    ("tone-001", "positive"),
    ("tone-002", "negative"),
    ("title-001", "A Quiet Morning at the Harbour"),
];

pub(super) fn probed(browser: BrowserName) -> RunEventKind {
    let (version, agent, renderer) = match browser {
        BrowserName::Chrome => (
            "149.0.7812.20",
            "Chrome/149.0.0.0 Safari/537.36",
            "ANGLE (Google, Vulkan 1.3.0 (SwiftShader Device (Subzero)), SwiftShader driver)",
        ),
        BrowserName::Firefox => {
            ("152.0", "Gecko/20100101 Firefox/152.0", "llvmpipe (LLVM 19.1.7, 256 bits)")
        }
        BrowserName::Webkit => ("2.50.1", "AppleWebKit/605.1.15 Version/26.0 Safari/605.1.15", ""),
        BrowserName::Safari | BrowserName::Native => ("0.1.0", "native", ""),
    };
    let has_gpu = browser == BrowserName::Chrome;
    RunEventKind::Probed {
        browser,
        profile: "default".to_owned(),
        version: version.to_owned(),
        report: Box::new(CapabilityReport {
            user_agent: format!("Mozilla/5.0 (X11; Linux x86_64) {agent}"),
            secure_context: true,
            cross_origin_isolated: true,
            hardware_concurrency: Some(2),
            device_memory_gib: has_gpu.then_some(4.0),
            wasm: WasmReport {
                present: true,
                simd128: true,
                relaxed_simd: browser != BrowserName::Webkit,
                threads: true,
                exceptions: true,
                memory64: has_gpu,
            },
            webgpu: WebGpuReport {
                present: has_gpu,
                adapter: has_gpu.then(|| WebGpuAdapter {
                    vendor: "google".to_owned(),
                    architecture: "swiftshader".to_owned(),
                    is_fallback: Some(true),
                    features: vec!["shader-f16".to_owned(), "timestamp-query".to_owned()],
                    limits: BTreeMap::from([("maxBufferSize".to_owned(), 268_435_456.0)]),
                    ..WebGpuAdapter::default()
                }),
                reason: (!has_gpu).then(|| "absent".to_owned()),
            },
            webgl2: WebGl2Report {
                present: !renderer.is_empty(),
                reason: renderer.is_empty().then(|| "no context could be made".to_owned()),
                renderer: renderer.to_owned(),
                highp_bits: Some(23),
                max_texture_size: Some(8192),
                float_readback: true,
                in_worker: true,
                ..WebGl2Report::default()
            },
            storage: StorageReport {
                opfs: true,
                cache: true,
                indexed_db: true,
                quota_bytes: Some(10_737_418_240.0),
                persisted: Some(false),
            },
        }),
    }
}

pub(super) fn execution(backend: BackendName) -> ExecutionReport {
    ExecutionReport {
        requested: backend,
        actual: backend,
        target: "wasm32".to_owned(),
        bundle: "base".to_owned(),
        bundle_reason: "the best that runs here".to_owned(),
        simd: SimdLevel::Simd128,
        memory_bytes: None,
        on_main_thread: false,
        effective_threads: 1,
        kernel_calls: if is_gpu(backend) { 0 } else { 18_204 },
        gpu_dispatches: if is_gpu(backend) { 9_311 } else { 0 },
        adapter: is_gpu(backend).then(|| "google swiftshader".to_owned()),
        adapter_is_software: is_gpu(backend).then_some(true),
        limits_sha256: is_gpu(backend).then(|| "9f86d081884c7d65".to_owned()),
        canary: Canary { bits: 0x3f8c_cccd },
    }
}

/// Read from a log, as a replayed proof is: a made-up one passes no verification.
pub(super) fn proof(backend: BackendName) -> Proof {
    serde_json::from_value(serde_json::to_value(execution(backend)).unwrap()).unwrap()
}

pub(super) fn of(cell: &CellId, outcome: &Outcome) -> Evidence {
    let is_pass = matches!(outcome, Outcome::Pass { .. });
    let lines = |lines: &[&str]| lines.iter().map(|&line| line.to_owned()).collect::<Vec<_>>();
    let mut evidence = Evidence {
        browser_version: Some("149.0.7812.20".to_owned()),
        driver_log: Some(format!("drivers/{}-0.log", cell.browser)),
        ..Evidence::default()
    };
    if !is_pass {
        evidence.driver_log_tail = lines(&[
            "1780000000123 geckodriver INFO Listening on 127.0.0.1:40721",
            "1780000001456 webdriver::server DEBUG -> POST /session/8f2e/execute/async",
            "1780000002201 Marionette WARN <script>alert(1)</script> & \"quotes\"",
        ]);
        evidence.page_messages = lines(&["warn: shader-f16 is not used by this backend"]);
    }
    if outcome.is_infrastructure() {
        return evidence;
    }
    evidence.steps.push(StepEvidence {
        step: "1 load".to_owned(),
        notes: lines(&["loaded 1.5 MB in 80 ms, prepared in 21 ms"]),
        ..StepEvidence::default()
    });
    match outcome {
        Outcome::Mismatch(mismatch) if matches!(mismatch.comparison, Comparison::Tokens(_)) => {
            evidence.steps.push(generated(cell.backend, 0));
            let mut wrong = generated(cell.backend, 1);
            wrong.text = Some("Boys who once pulled rickshaws today pedal pedicabs.".to_owned());
            wrong.comparisons = vec![mismatch.comparison.clone()];
            evidence.steps.push(wrong);
        }
        Outcome::Mismatch(mismatch) => {
            let mut scored = generated(cell.backend, 0);
            scored.step = "2 score".to_owned();
            scored.comparisons = vec![mismatch.comparison.clone()];
            evidence.steps.push(scored);
        }
        Outcome::Pass { .. } if cell.scenario.starts_with("logits/") => {
            evidence.steps.extend((0..CASES.len()).map(|case| scored(cell.backend, case)));
        }
        Outcome::Pass { .. } if cell.scenario.starts_with("tokens/") => {
            evidence.steps.extend((0..CASES.len()).map(|case| generated(cell.backend, case)));
        }
        _ => evidence.steps.push(generated(cell.backend, 0)),
    }
    evidence
}

fn generated(backend: BackendName, case: usize) -> StepEvidence {
    let (name, text) = CASES[case];
    let generated_ids: Vec<u32> = (0..text.len() as u32 / 3).map(|i| 260 + i * 37 % 900).collect();
    let steps = generated_ids.len() as u32;
    StepEvidence {
        step: "2 generate".to_owned(),
        case: Some(name.to_owned()),
        prompt_ids: (0..48).map(|i| 1 + i * 53 % 1000).collect(),
        generated_ids,
        text: Some(text.to_owned()),
        finish_reason: Some(FinishReason::Stop),
        timings: Some(Timings {
            prefill_ms: 61.5,
            prefill_tokens: 48,
            first_token_ms: 64.25,
            decode_ms: f64::from(steps) * 3.5,
            decode_tokens: steps.saturating_sub(1),
            decode_gpu: None,
            decode_dispatches: 0,
        }),
        execution: Some(execution(backend)),
        client: None,
        comparisons: vec![Comparison::Tokens(TokensComparison {
            reference_steps: steps,
            matching_steps: steps,
            divergence: None,
        })],
        notes: Vec::new(),
    }
}

fn scored(backend: BackendName, case: usize) -> StepEvidence {
    let mut step = generated(backend, case);
    step.step = "2 score".to_owned();
    step.text = None;
    step.finish_reason = None;
    let mut comparison = logits();
    comparison.max_kld = (31 + 10 * case) as f64 / 1e6;
    comparison.max_abs = 0.021;
    comparison.flips.clear();
    step.comparisons = vec![Comparison::Logits(comparison)];
    step
}

fn candidate(id: u32, text: &str, reference: Option<f64>, measured: Option<f64>) -> Candidate {
    Candidate { id, text: text.to_owned(), reference_logit: reference, measured_logit: measured }
}

pub(super) fn tokens_mismatch() -> Mismatch {
    let comparison = Comparison::Tokens(TokensComparison {
        reference_steps: 14,
        matching_steps: 7,
        divergence: Some(Divergence {
            step: 7,
            reference: Some(candidate(612, " now", Some(14.8213), Some(11.9021))),
            measured: Some(candidate(937, " today", Some(12.6702), Some(13.4410))),
            margin: Some(2.1511),
            is_explained: false,
            text_diff: "-Boys who once pulled rickshaws now pedal pedicabs.\n\
                        +Boys who once pulled rickshaws today pedal pedicabs.\n"
                .to_owned(),
        }),
    });
    Mismatch {
        place: "step 2 (generate), case fix-002".to_owned(),
        metric: "token at step 7".to_owned(),
        measured: "937 ` today`".to_owned(),
        allowed: "612 ` now`, or a near tie within 0.05 logits".to_owned(),
        detail: "reference  612 ` now`    logit 14.8213 (measured 11.9021)\n\
                 measured   937 ` today`  logit 12.6702 (measured 13.4410)\n\
                 the reference prefers its own by 2.1511 logits\n\
                 - Boys who once pulled rickshaws now pedal pedicabs.\n\
                 + Boys who once pulled rickshaws today pedal pedicabs."
            .to_owned(),
        comparison,
    }
}

fn logits() -> LogitsComparison {
    LogitsComparison {
        rows: 14,
        class: ToleranceClass {
            name: "q4".to_owned(),
            mean_kld: 1e-4,
            max_kld: 1e-3,
            max_abs: 0.25,
            flip_margin: 0.05,
        },
        mean_kld: 1.21e-5,
        max_kld: 3.4e-3,
        max_kld_row: 9,
        max_abs: 0.61,
        max_abs_row: 9,
        max_abs_id: 937,
        top1_agreement: 13,
        flips: vec![Flip {
            row: 9,
            reference: candidate(612, " now", Some(14.82), Some(14.21)),
            measured: candidate(937, " today", Some(14.79), Some(14.33)),
            margin: 0.03,
            is_explained: true,
        }],
    }
}

pub(super) fn logits_mismatch() -> Mismatch {
    Mismatch {
        place: "step 2 (score), case fix-001".to_owned(),
        metric: "max KLD".to_owned(),
        measured: "3.40e-3 at row 9".to_owned(),
        allowed: "1.00e-3 (class `q4`)".to_owned(),
        detail: String::new(),
        comparison: Comparison::Logits(logits()),
    }
}
