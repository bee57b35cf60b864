//! What a page reports about its device, for the hybrid client.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::capability::CapabilityReport;

/// What a page reports about its device. Any field may be missing.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Capabilities {
    /// Backends, memory, cores and storage.
    #[serde(flatten)]
    pub report: CapabilityReport,
    /// The browser has a built-in model (the Prompt API).
    pub built_in_model: Option<bool>,
    /// `navigator.getBattery()`; few browsers have it.
    pub battery: Option<Battery>,
    /// `navigator.connection`; few browsers have it.
    pub connection: Connection,
    /// Hints at the form: phone, tablet or desktop.
    pub hints: FormHints,
    /// Software adapters count as hardware, for tests on machines without a GPU.
    pub accepts_software: bool,
}

/// The state of a battery.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Battery {
    /// Charge, 0 to 1.
    pub level: f64,
    /// It is charging.
    pub charging: bool,
}

/// The network, as the browser describes it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Connection {
    /// `effectiveType`: `slow-2g`, `2g`, `3g`, `4g`.
    pub effective_type: Option<String>,
    /// The connection is metered (`type` is `cellular`, or by a setting).
    pub metered: Option<bool>,
    /// `saveData`.
    pub save_data: Option<bool>,
}

/// Hints at the form of a device.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct FormHints {
    /// `navigator.userAgentData.mobile`.
    pub mobile: Option<bool>,
    /// `navigator.maxTouchPoints`.
    pub max_touch_points: Option<u32>,
    /// `matchMedia("(pointer: coarse)")`: the primary pointing device is a finger.
    pub coarse_pointer: Option<bool>,
    /// The shorter side of the screen in CSS pixels.
    pub screen_short_side: Option<u32>,
}

/// The form of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// A phone.
    Phone,
    /// A tablet.
    Tablet,
    /// A desktop or laptop, with or without a touch screen.
    Desktop,
}
