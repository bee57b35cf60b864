//! Whether the browser or the server answers a request, by product rules.
//!
//! The control plane and the client both call [`route`]. It considers device, models and request,
//! but not the request's text. The state machine combines the decision with the state of the local
//! engine. [`FeatureDecision`]s record why a feature is routed as it is.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::capability::GpuClass;
use super::registry::{Need, choose};
use crate::protocol::client::{Battery, Capabilities, ModelVariant, Tier};
pub use crate::protocol::client::{Complexity, Preference, RouterConfig};

/// A request to route. It has the prompt's length, never the prompt.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RoutingRequest {
    /// The device.
    pub capabilities: Capabilities,
    /// Length of the prompt in characters.
    pub prompt_length: u32,
    /// Maximum number of tokens to generate.
    pub max_tokens: u32,
    /// Its complexity.
    pub complexity: Complexity,
    /// The capability that the model must have: `chat`, `code`, …
    pub capability: Option<String>,
    /// The feature that makes the request, as named in [`RouterConfig::prefer_browser_for`].
    pub feature: Option<String>,
    /// The user's preference.
    pub preference: Preference,
}

/// A routing decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RoutingDecision {
    /// The browser answers.
    pub use_browser: bool,
    /// The reason.
    pub reason: RoutingReason,
    /// The best tier of the device with a suitable model.
    pub tier: Option<Tier>,
    /// That model variant.
    pub model_info: Option<ModelVariant>,
}

/// The reason for a routing decision.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum RoutingReason {
    /// The operator disabled inference in the browser.
    BrowserInferenceDisabled,
    /// The user prefers the server.
    UserPreference,
    /// The device has no usable tier, or too little memory.
    InsufficientDeviceCapabilities,
    /// The request needs a larger model.
    RequestTooComplex,
    /// The device is capable, but no model suits it.
    NoCompatibleBrowserModel,
    /// The battery is low.
    LowBattery,
    /// The browser answers.
    OptimalForBrowser,
}

/// Routes one request.
///
/// The rules apply in this order: operator, user, device, battery, request, models. The user's
/// preference cannot make up for a missing capability of the device.
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

/// An upper estimate of the positions that a request needs: one token per two characters of the
/// prompt, whatever its script, plus the tokens to generate.
pub fn context_tokens(prompt_length: u32, max_tokens: u32) -> u32 {
    prompt_length.div_ceil(2).saturating_add(max_tokens)
}

/// The author's declaration, or an estimate by lengths if there is none.
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

/// Why a device lacks a tier, by its capabilities alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Absence {
    /// The browser lacks the API, or a part of it that the tier needs.
    Absent,
    /// The API exists, but offers no adapter.
    AdapterNull,
    /// The adapter computes on the CPU, which lower tiers do faster.
    SoftwareAdapter,
}

/// Why a device lacks a tier; `None` if its capabilities allow it. Only the first dispatch verifies
/// it.
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

/// The record of a decision on how to route a feature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FeatureDecision {
    /// The feature.
    pub feature: String,
    /// Where it is answered, policy permitting.
    pub preference: Preference,
    /// The axis that decided.
    pub dominant_axis: DominantAxis,
    /// Disadvantages that were accepted.
    pub accepted_costs: Vec<String>,
    /// The event after which to reconsider the decision.
    pub re_evaluation_trigger: String,
}

/// The axis that decided how to route a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DominantAxis {
    /// The text must not leave the device.
    Privacy,
    /// The first token is needed sooner than a network allows.
    Latency,
    /// Requests to the server cost money.
    Cost,
    /// The answer needs a larger model.
    Quality,
    /// It must work without a network.
    Availability,
}

#[cfg(test)]
mod tests;
