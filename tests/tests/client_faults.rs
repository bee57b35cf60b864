//! Seeded faults of the hybrid client: a client with a known defect turns a scenario of
//! `matrices/resilience.toml` red in a real browser, with a message that names what is wrong.
//!
//! Eleven of the twelve. The twelfth, `stale-generation-accepted`, needs events of a device that
//! is gone, and the page ends the worker together with the device: only the native scenario
//! `late-events-of-a-lost-device` can show it.

use tierproof::judge::outcome::Verdict;
use tierproof_tests::command::{Ended, tierproof};
use tierproof_tests::log::RunLog;

const COMMAND: &str = env!("CARGO_BIN_EXE_command");

/// Fault, starting tier, scenario, and a part of what the report says.
const CASES: [[&str; 4]; 11] = [
    ["zeros-on-loss", "webgl", "lost-decode", "tokens of the prompt: measured `0`"],
    ["duplicate-token", "webgl", "lost-decode", "token 0 was shown where token 3 was due"],
    ["lost-token", "webgl", "lost-decode", "the answer has tokens"],
    ["cache-not-verified", "wasm", "storage-byte-flipped", "server (weights-unavailable)"],
    ["template-skew-ignored", "wasm", "storage-other-template", "server (version-skew)"],
    ["wrong-reason", "wasm", "breaker-opens", "g1 gpu-error"],
    ["breaker-never-opens", "wasm", "breaker-opens", "measured `ready (loaded)`, allowed `server`"],
    ["prompt-in-telemetry", "wasm", "first-visit", "its record contains"],
    ["silent-tier-change", "wasm", "worker-crashed-last", "in step 2 request` took longer"],
    ["swallowed-error", "wasm", "server-down-and-nothing-else", "in step 2 request` took longer"],
    ["fallback-skips-tier", "webgpu", "adapter-null", "webgpu>wasm:adapter-null"],
];

#[test]
#[ignore = "needs a browser: run with `-- --ignored browser_chrome`"]
fn browser_chrome_every_fault_of_the_client_is_caught() {
    for [fault, backend, scenario, part] in CASES {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let out = folder.path().to_str().expect("UTF-8");
        let filter = format!("browser=chrome backend={backend} scenario=resilience/{scenario}");
        let run = ["run", "matrices/resilience.toml", "--ci", "--filter", &filter, "--out", out];
        let command = tierproof(COMMAND, &[&run[..], &["--seeded-fault", fault]].concat());
        let ended = Ended::of(command, "").with(1);
        let log = RunLog::of(folder.path());
        assert_eq!(log.verdicts(scenario), [&Verdict::Unexpected], "{fault}: {}", ended.stdout);
        assert!(ended.stdout.contains(part), "`{fault}`: no `{part}` in\n{}", ended.stdout);
    }
}
