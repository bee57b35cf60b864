//! A run of the size of the default matrix.

use super::{Script, script, stream};
use crate::run::event::RunEvent;

const MODELS: [&str; 5] =
    ["scribe-low-F16", "scribe-low-Q8_0", "scribe-low-Q4_0", "scribe-mid-Q8_0", "scribe-mid-Q4_0"];

const SCENARIOS: [&str; 9] = [
    "tokens/greedy",
    "logits/teacher-forced",
    "lifecycle/create-release-create",
    "lifecycle/cancel",
    "lifecycle/second-turn",
    "lifecycle/context-overflow",
    "load/missing-shard",
    "load/truncated-model",
    "load/html-instead-of-weights",
];

/// 405 cells, 135 of them run, some of those not as expected.
pub(crate) fn large() -> Vec<RunEvent> {
    let mut scripts: Vec<Script> = Vec::new();
    for browser in ["chrome", "firefox", "webkit"] {
        for backend in ["webgpu", "webgl", "wasm"] {
            for model in MODELS {
                for scenario in SCENARIOS {
                    let cell = format!("{browser}/{backend}/tierproof/{model}/{scenario}");
                    scripts.push(script(&cell, &attempts(browser, backend, model, scenario)));
                }
            }
        }
    }
    stream(&scripts, Vec::new(), vec!["Xvfb was started for `firefox`".to_owned()], false)
}

fn attempts(browser: &str, backend: &str, model: &str, scenario: &str) -> String {
    if backend != "wasm" {
        return format!("unsupported this browser has no `{backend}`");
    }
    match (browser, model, scenario) {
        ("chrome", "scribe-mid-Q4_0", "tokens/greedy") => "mismatch",
        ("chrome", "scribe-mid-Q4_0", "logits/teacher-forced") => "logits",
        ("firefox", "scribe-low-Q8_0", "lifecycle/cancel") => "hung",
        ("firefox", "scribe-mid-Q8_0", "tokens/greedy") => "infrastructure pass",
        ("webkit", "scribe-low-F16", "lifecycle/cancel") => "known-failure panicked",
        ("webkit", "scribe-low-Q4_0", "lifecycle/second-turn") => "panicked pass",
        ("webkit", "scribe-mid-Q8_0", "load/missing-shard") => "infrastructure infrastructure",
        _ => "pass",
    }
    .to_owned()
}
