//! Whether a request is answered in the browser or by the server, in product terms.
//!
//! [`route`] is what the control plane answers to a page, and what the client asks itself before
//! each request: the same function on both sides. It knows devices, models and requests, and no
//! request's text. What the state of the local engine makes of the decision is the state
//! machine's business; why a feature is routed as it is, is kept in [`FeatureDecision`]s.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::capability::GpuClass;
use super::registry::{Need, choose};
use crate::protocol::client::{Battery, Capabilities, ModelVariant, Tier};
pub use crate::protocol::client::{Complexity, Preference, RouterConfig};

/// What is to be routed. It has the prompt's length, never the prompt.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RoutingRequest {
    /// The device.
    pub capabilities: Capabilities,
    /// Characters of the prompt.
    pub prompt_length: u32,
    /// The most tokens to generate.
    pub max_tokens: u32,
    /// How hard it is.
    pub complexity: Complexity,
    /// What the model must be good for: `chat`, `code`, …
    pub capability: Option<String>,
    /// The feature that asks, as [`RouterConfig::prefer_browser_for`] names it.
    pub feature: Option<String>,
    /// What the user wants.
    pub preference: Preference,
}

/// What a routing comes to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RoutingDecision {
    /// In the browser.
    pub use_browser: bool,
    /// Why, or why not.
    pub reason: RoutingReason,
    /// The best tier of the device that has a model for it.
    pub tier: Option<Tier>,
    /// That model.
    pub model_info: Option<ModelVariant>,
}

/// Why a request is routed as it is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum RoutingReason {
    /// The operator has switched it off.
    BrowserInferenceDisabled,
    /// The user wants the server.
    UserPreference,
    /// Nothing on the device computes, or it has too little memory.
    InsufficientDeviceCapabilities,
    /// The server answers it better.
    RequestTooComplex,
    /// The device would do, and no model is for it.
    NoCompatibleBrowserModel,
    /// The battery is low.
    LowBattery,
    /// The browser does it.
    OptimalForBrowser,
}

/// Decides one request.
///
/// In this order: the operator, the user, the device, the battery, the request, the models. What
/// the user prefers does not make a device able.
pub fn route(
    request: &RoutingRequest,
    config: &RouterConfig,
    registry: &[ModelVariant],
) -> RoutingDecision {
    let server =
        |reason| RoutingDecision { use_browser: false, reason, tier: None, model_info: None };
    if !config.enable_browser_inference {
        return server(RoutingReason::BrowserInferenceDisabled);
    }
    if request.preference == Preference::Never {
        return server(RoutingReason::UserPreference);
    }
    let device = &request.capabilities;
    let is_able =
        Tier::CHAIN.iter().any(|tier| absence(*tier, device).is_none() && *tier != Tier::Server);
    if !is_able || device.memory_budget_gib() < config.min_ram_gib {
        return server(RoutingReason::InsufficientDeviceCapabilities);
    }
    if request.preference == Preference::Auto {
        if device.battery.is_some_and(Battery::is_low) {
            return server(RoutingReason::LowBattery);
        }
        if is_complex(request, config) {
            return server(RoutingReason::RequestTooComplex);
        }
    }
    let excluded = BTreeSet::new();
    for tier in Tier::CHAIN.into_iter().filter(|tier| absence(*tier, device).is_none()) {
        let need = Need {
            tier,
            device,
            capability: request.capability.as_deref(),
            context_tokens: context_tokens(request.prompt_length, request.max_tokens),
            max_bytes: config.max_browser_model_size_bytes,
            excluded: &excluded,
            preferred: None,
        };
        if let Some(variant) = choose(registry, &need).variant {
            return RoutingDecision {
                use_browser: true,
                reason: RoutingReason::OptimalForBrowser,
                tier: Some(tier),
                model_info: Some(variant.clone()),
            };
        }
    }
    server(RoutingReason::NoCompatibleBrowserModel)
}

/// Positions that a request takes at most: a token for two characters, since scripts differ, and
/// what is generated.
pub fn context_tokens(prompt_length: u32, max_tokens: u32) -> u32 {
    prompt_length.div_ceil(2).saturating_add(max_tokens)
}

/// What the author says holds; lengths tell where nothing is said.
fn is_complex(request: &RoutingRequest, config: &RouterConfig) -> bool {
    if let Some(feature) = &request.feature
        && config.prefer_browser_for.contains(feature)
    {
        return false;
    }
    match request.complexity {
        Complexity::Simple | Complexity::Medium => false,
        Complexity::Complex => true,
        Complexity::Auto => {
            request.prompt_length > config.complex_prompt_length
                || request.max_tokens > config.complex_max_tokens
        }
    }
}

/// Why a tier is not on a device at all, before anything is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Absence {
    /// The browser lacks the API, or what the tier needs of it.
    Absent,
    /// The API is there, and gave no adapter.
    AdapterNull,
    /// It is computed by the CPU, which the tier below does better.
    SoftwareAdapter,
}

/// Whether a device has a tier, as far as reports tell; the first dispatch will tell the rest.
pub fn absence(tier: Tier, device: &Capabilities) -> Option<Absence> {
    match tier {
        Tier::Webgpu if !device.report.webgpu.present => Some(Absence::Absent),
        Tier::Webgpu if device.report.webgpu.adapter.is_none() => Some(Absence::AdapterNull),
        Tier::Webgpu => device.hardware_adapter().is_none().then_some(Absence::SoftwareAdapter),
        Tier::Webgl if !device.has_float_webgl2() => Some(Absence::Absent),
        Tier::Webgl => {
            let is_software = device.gpu_class() == Some(GpuClass::Software);
            (is_software && !device.accepts_software).then_some(Absence::SoftwareAdapter)
        }
        Tier::Wasm => (!device.report.wasm.present).then_some(Absence::Absent),
        Tier::Server => None,
    }
}

/// Why a feature is routed as it is: a record of the decision, as data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FeatureDecision {
    /// The feature.
    pub feature: String,
    /// Where it is answered, policy permitting.
    pub preference: Preference,
    /// What decided.
    pub dominant_axis: DominantAxis,
    /// What is worse for it, known and accepted.
    pub accepted_costs: Vec<String>,
    /// What would make the decision worth taking again.
    pub re_evaluation_trigger: String,
}

/// What decided about a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DominantAxis {
    /// The text must not leave the device.
    Privacy,
    /// The first token must be there before a network could bring it.
    Latency,
    /// Each request on the server is paid for.
    Cost,
    /// The answer needs a larger model.
    Quality,
    /// It must work without a network.
    Availability,
}

#[cfg(test)]
mod tests;
