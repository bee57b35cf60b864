//! Scenarios of the client are read as they are written, and broken ones are reported well.

use std::fmt::Write;

use inference_wasm::client::machine::{Deadlines, Start, State};
use inference_wasm::client::tier::Tier;
use inference_wasm::protocol::BackendName;

use super::*;
use crate::spec::cell::BrowserName;
use crate::spec::fault::{Fault, FaultPhase};
use crate::spec::launch::Variant;
use crate::spec::matrix::tests::plain;
use crate::spec::scenario::Scenario;

const SCENARIO: &str = r#"title = "t"
why = "w"
layer = "resilience"
golden = "tokens/greedy"
bugs = ["onnxruntime#27596"]
faults = [{ fault = "masked" }]
[client]
tiers = ["webgl", "webgpu"]
start = "progressive"
deadlines = { token_ms = 2000 }
router = { prefer_browser_for = ["caption"] }
[[steps]]
do = "visit"
until = "server"
[[steps]]
do = "request"
fault = { fault = "device-destroyed", token = 2, times = "always" }
[[steps]]
do = "request"
expect = "cancelled"
cancel_after_tokens = 3
same_bits_as = 2
[[steps]]
do = "inject"
faults = [{ fault = "shard-evicted" }, { fault = "device-destroyed" }]
until = "ready"
[[steps]]
do = "wait"
ms = 10
"#;

fn parse(text: &str) -> Result<ClientScenario, String> {
    let scenario =
        Scenario::parse("s.toml", "resilience/s", text).map_err(|error| plain(&error))?;
    Ok(*scenario.client.expect("a scenario of the client"))
}

#[test]
fn a_scenario_is_read() {
    let client = parse(SCENARIO).unwrap();
    assert_eq!(client.tiers, [BackendName::Webgpu, BackendName::Webgl]);
    let Settings { start, has_server, deadlines, router, shard_attempts, .. } = &client.settings;
    assert_eq!((*start, *has_server), (Start::Progressive, true));
    assert_eq!(deadlines, &Deadlines { token_ms: 2000, ..Deadlines::default() });
    assert_eq!(router.prefer_browser_for, ["caption"]);
    assert_eq!(*shard_attempts, 3);
    let plans: Vec<_> = client.faults().map(|plan| (plan.fault, plan.at, plan.times)).collect();
    assert_eq!(
        plans,
        [
            (Fault::Masked, FaultPhase::Start, 1),
            (Fault::DeviceDestroyed, FaultPhase::Decode, u32::MAX),
            (Fault::ShardEvicted, FaultPhase::Idle, 1),
            (Fault::DeviceDestroyed, FaultPhase::Idle, 1),
        ]
    );
    let untils: Vec<_> = client.steps.iter().map(ClientStep::until).collect();
    assert_eq!(untils, [Some(State::Server), None, None, Some(State::Ready), None]);
}

#[test]
fn a_tier_follows_from_the_cell() {
    use BackendName::{Wasm, Webgl, Webgpu};
    for (expected, backend, tier) in [
        (TierExpectation::Start, Webgl, Some(Tier::Webgl)),
        (TierExpectation::Next, Webgpu, Some(Tier::Webgl)),
        (TierExpectation::Next, Wasm, Some(Tier::Server)),
        (TierExpectation::Named(Tier::Wasm), Webgpu, Some(Tier::Wasm)),
        (TierExpectation::Start, BackendName::Cpu, None),
    ] {
        assert_eq!(expected.of(backend), tier, "{expected:?} {backend}");
    }
}

#[test]
fn a_fault_that_can_not_be_injected_has_a_reason() {
    let client = parse(SCENARIO).unwrap();
    assert_eq!(client.unsupported(BrowserName::Webkit, BackendName::Webgl), None);
    let reason = client.unsupported(BrowserName::Webkit, BackendName::Wasm).unwrap();
    assert!(reason.starts_with("fault `device-destroyed`: "), "{reason}");
}

#[test]
fn broken_scenarios_are_reported() {
    let mut reports = String::new();
    for (name, from, to) in [
        ("layer without a client", "[client]\ntiers", "[clint]\ntiers"),
        ("client of another layer", "\"resilience\"", "\"tokens\""),
        ("launch of the engine's", "why =", "launch = \"without-backend\"\nwhy ="),
        ("no report", "onnxruntime#27596", "27596"),
        ("a tier without a page", "\"webgl\", \"webgpu\"", "\"cpu\""),
        ("a server that is never asked", "\"progressive\"", "\"local-only\"\nserver = true"),
        ("a number that is not one", "token_ms = 2000", "token_ms = \"2s\""),
        ("unknown deadline", "token_ms", "tokn_ms"),
        ("nothing open", "do = \"visit\"\nuntil = \"server\"", "do = \"leave\""),
        ("unknown state", "\"server\"\n[[steps]]", "\"serve\"\n[[steps]]"),
        ("unknown fault", "device-destroyed\", token", "device-destroid\", token"),
        ("fault at the wrong time", "token = 2", "at = \"idle\""),
        ("token at the wrong time", "token = 2", "at = \"load\", token = 2"),
        ("never", "\"always\"", "0"),
        ("fault of a launch", "shard-evicted", "without-gpu"),
        (
            "two launches",
            "{ fault = \"masked\" }",
            "{ fault = \"without-gpu\" }, { fault = \"without-wasm\" }",
        ),
        (
            "nothing injected",
            "faults = [{ fault = \"shard-evicted\" }, { fault = \"device-destroyed\" }]\n",
            "",
        ),
        ("a cancelled end without a cancel", "cancel_after_tokens = 3\n", ""),
        ("bits of nothing", "same_bits_as = 2", "same_bits_as = 4"),
        ("all cases", "expect = \"cancelled\"", "expect = \"cancelled\"\ncase = \"all\""),
        (
            "tier of an error",
            "token = 2",
            "token = 2 }\nexpect = \"busy\"\ntier = \"wasm\"\nmeanwhile = { input = \"idle\"",
        ),
        ("two kinds of waiting", "ms = 10", "ms = 10\nuntil = \"ready\""),
        ("nothing checked", "do = \"wait\"\nms = 10", "do = \"inspect\""),
        ("a repeat forwards", "do = \"wait\"\nms = 10", "do = \"repeat\"\nfrom = 5\ntimes = 1"),
        ("a repeat of nothing", "do = \"wait\"\nms = 10", "do = \"repeat\""),
        ("too many rounds", "do = \"wait\"\nms = 10", "do = \"repeat\"\nfrom = 2\ntimes = 10001"),
        (
            "a second round without a page",
            "do = \"wait\"\nms = 10",
            "do = \"leave\"\n[[steps]]\ndo = \"repeat\"\nfrom = 3\ntimes = 2",
        ),
    ] {
        assert!(SCENARIO.contains(from), "{name}");
        let error = parse(&SCENARIO.replacen(from, to, 1)).expect_err(name);
        writeln!(reports, "==== {name}\n{error}\n").unwrap();
    }
    insta::assert_snapshot!(reports);
}

#[test]
fn a_launch_fault_decides_what_is_launched_and_what_may_be_missing() {
    use crate::judge::outcome::Disposition;
    use crate::plan::expectation::{Facts, disposition};
    let mut matrix = crate::spec::matrix::tests::parse(
        r#"
browsers = ["chrome", "webkit"]
backends = ["webgl"]
models = ["scribe-low-F16"]
scenarios = ["resilience/first-visit"]
tolerance = [{ name = "t", mean_kld = 1, max_kld = 1, max_abs = 1, flip_margin = 1, reason = "test" }]
"#,
    )
    .unwrap();
    let cells = crate::spec::matrix::expand(&matrix).cells;
    let [chrome, webkit] = &cells[..] else { panic!("{cells:?}") };
    // What a probe finds under it: no WebAssembly, no WebGL2.
    let facts = Facts {
        reports: [(BrowserName::Chrome, inference_wasm::protocol::CapabilityReport::default())]
            .into(),
        ..Facts::default()
    };
    let of = |matrix: &crate::spec::matrix::Matrix, cell| disposition(cell, matrix, &facts);
    assert!(matches!(of(&matrix, chrome), Disposition::Unsupported { .. }));
    assert_eq!(matrix.profile(chrome, false).variant, Variant::Default);
    let without = SCENARIO.replacen("masked", "without-wasm", 1);
    matrix.clients.insert(chrome.scenario.clone(), parse(&without).unwrap());
    assert_eq!(of(&matrix, chrome), Disposition::Run);
    assert_eq!(of(&matrix, webkit), Disposition::Run);
    assert_eq!(matrix.profile(chrome, false).variant, Variant::WithoutWasm);
    let crash = SCENARIO.replacen("shard-evicted", "gpu-crashed", 1);
    matrix.clients.insert(chrome.scenario.clone(), parse(&crash).unwrap());
    assert_eq!(
        of(&matrix, webkit),
        Disposition::Unsupported {
            reason: "fault `gpu-crashed`: only Chromium has a command for it (CDP)".to_owned()
        }
    );
    let killed = SCENARIO.replacen("shard-evicted", "gpu-killed", 1);
    let killed = parse(&killed).unwrap();
    assert_eq!(killed.variant(BrowserName::Firefox), Some(Variant::CrashableGpu));
    assert!(killed.spoils_browser());
}
