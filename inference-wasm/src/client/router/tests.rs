use super::*;
use crate::client::capability::Battery;
use crate::client::fixtures::{device, variant};
use crate::client::tier::DeviceTier;

fn registry() -> Vec<ModelVariant> {
    let mut large = variant("large-q8", 1_000_000_000, 1.0);
    large.min_device_tier = DeviceTier::Mid;
    vec![variant("small-q4", 100_000_000, 0.1), large]
}

fn request() -> RoutingRequest {
    RoutingRequest {
        capabilities: device(),
        prompt_length: 40,
        max_tokens: 50,
        ..RoutingRequest::default()
    }
}

fn reason(request: &RoutingRequest) -> RoutingReason {
    route(request, &RouterConfig::default(), &registry()).reason
}

#[test]
fn a_simple_request_stays_in_the_browser() {
    let decision = route(&request(), &RouterConfig::default(), &registry());
    assert!(decision.use_browser);
    assert_eq!(decision.reason, RoutingReason::OptimalForBrowser);
    assert_eq!(decision.tier, Some(Tier::Webgpu));
    assert_eq!(decision.model_info.unwrap().id, "large-q8");
}

#[test]
fn reasons_have_the_names_of_the_control_plane() {
    for (reason, name) in [
        (RoutingReason::BrowserInferenceDisabled, "browser_inference_disabled"),
        (RoutingReason::InsufficientDeviceCapabilities, "insufficient_device_capabilities"),
        (RoutingReason::RequestTooComplex, "request_too_complex"),
        (RoutingReason::NoCompatibleBrowserModel, "no_compatible_browser_model"),
        (RoutingReason::OptimalForBrowser, "optimal_for_browser"),
    ] {
        assert_eq!(serde_json::to_value(reason).unwrap(), name);
    }
}

#[test]
fn each_rule_has_its_reason() {
    let disabled = RouterConfig { enable_browser_inference: false, ..RouterConfig::default() };
    assert_eq!(
        route(&request(), &disabled, &registry()).reason,
        RoutingReason::BrowserInferenceDisabled
    );

    let nothing = RoutingRequest { capabilities: Capabilities::default(), ..request() };
    assert_eq!(reason(&nothing), RoutingReason::InsufficientDeviceCapabilities);
    let mut tiny = request();
    tiny.capabilities.report.device_memory_gib = Some(0.5);
    assert_eq!(reason(&tiny), RoutingReason::InsufficientDeviceCapabilities);

    let empty = route(&request(), &RouterConfig::default(), &[]);
    assert_eq!(empty.reason, RoutingReason::NoCompatibleBrowserModel);
    let code = RoutingRequest { capability: Some("code".into()), ..request() };
    assert_eq!(reason(&code), RoutingReason::NoCompatibleBrowserModel);
}

#[test]
fn complexity_is_declared_or_estimated_by_length() {
    for (prompt_length, max_tokens, complexity, expected) in [
        (2000, 500, Complexity::Auto, RoutingReason::OptimalForBrowser),
        (2001, 500, Complexity::Auto, RoutingReason::RequestTooComplex),
        (2000, 501, Complexity::Auto, RoutingReason::RequestTooComplex),
        (2001, 50, Complexity::Simple, RoutingReason::OptimalForBrowser),
        (10, 10, Complexity::Complex, RoutingReason::RequestTooComplex),
        // Even a simple request has to fit.
        (100_000, 10, Complexity::Simple, RoutingReason::NoCompatibleBrowserModel),
    ] {
        let request = RoutingRequest { prompt_length, max_tokens, complexity, ..request() };
        assert_eq!(reason(&request), expected, "{prompt_length} {max_tokens} {complexity:?}");
    }
    let config =
        RouterConfig { prefer_browser_for: vec!["autocomplete".into()], ..RouterConfig::default() };
    let feature = RoutingRequest {
        feature: Some("autocomplete".into()),
        complexity: Complexity::Complex,
        ..request()
    };
    assert!(route(&feature, &config, &registry()).use_browser);
}

#[test]
fn a_preference_overrides_policy_but_not_capabilities() {
    let always = |change: fn(&mut RoutingRequest)| {
        let mut request = RoutingRequest { preference: Preference::Always, ..request() };
        change(&mut request);
        reason(&request)
    };
    assert_eq!(always(|r| r.complexity = Complexity::Complex), RoutingReason::OptimalForBrowser);
    let drained = |r: &mut RoutingRequest| {
        r.capabilities.battery = Some(Battery { level: 0.1, charging: false });
    };
    assert_eq!(always(drained), RoutingReason::OptimalForBrowser);
    let no_device = |r: &mut RoutingRequest| r.capabilities = Capabilities::default();
    assert_eq!(always(no_device), RoutingReason::InsufficientDeviceCapabilities);

    let mut auto = request();
    drained(&mut auto);
    assert_eq!(reason(&auto), RoutingReason::LowBattery);
    let never = RoutingRequest { preference: Preference::Never, ..request() };
    assert_eq!(reason(&never), RoutingReason::UserPreference);
}

#[test]
fn a_device_without_a_gpu_uses_its_cpu() {
    let mut request = request();
    request.capabilities.report.webgpu = crate::protocol::WebGpuReport::default();
    request.capabilities.report.webgl2 = crate::protocol::WebGl2Report::default();
    let decision = route(&request, &RouterConfig::default(), &registry());
    assert_eq!(decision.tier, Some(Tier::Wasm));
    assert_eq!(decision.model_info.unwrap().id, "small-q4");
}

#[test]
fn reasons_for_a_missing_tier_are_distinguished() {
    let mut device = device();
    assert_eq!(absence(Tier::Webgpu, &device), None);
    device.report.webgpu.adapter.as_mut().unwrap().is_fallback = Some(true);
    assert_eq!(absence(Tier::Webgpu, &device), Some(Absence::SoftwareAdapter));
    device.report.webgpu.adapter = None;
    assert_eq!(absence(Tier::Webgpu, &device), Some(Absence::AdapterNull));
    device.report.webgpu.present = false;
    assert_eq!(absence(Tier::Webgpu, &device), Some(Absence::Absent));
}

#[test]
fn decisions_on_features_are_complete() {
    let json = include_str!("../../../../fixtures/decisions.json");
    let decisions: Vec<FeatureDecision> = serde_json::from_str(json).unwrap();
    assert!(decisions.len() >= 4);
    for decision in decisions {
        assert!(
            !decision.accepted_costs.is_empty(),
            "{}: every choice has a cost",
            decision.feature
        );
        assert!(!decision.re_evaluation_trigger.is_empty(), "{}", decision.feature);
    }
}
