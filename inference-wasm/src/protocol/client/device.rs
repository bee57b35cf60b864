//! What a page reports about its device, for the hybrid client.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::capability::CapabilityReport;

/// All that the page found out about its device.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Capabilities {
    /// Backends, memory, cores and storage.
    #[serde(flatten)]
    pub report: CapabilityReport,
    /// The browser brings a model of its own (the Prompt API).
    pub built_in_model: Option<bool>,
    /// `navigator.getBattery()`; few browsers tell.
    pub battery: Option<Battery>,
    /// `navigator.connection`; few browsers tell.
    pub connection: Connection,
    /// What tells a phone from a tablet from a desktop.
    pub hints: FormHints,
    /// Adapters that compute on the CPU count as hardware, for tests on machines without a GPU.
    pub accepts_software: bool,
}

/// The state of a battery.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Battery {
    /// Charge, 0 to 1.
    pub level: f64,
    /// It is being charged.
    pub charging: bool,
}

/// The network, as the browser describes it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Connection {
    /// `effectiveType`: `slow-2g`, `2g`, `3g`, `4g`.
    pub effective_type: Option<String>,
    /// The connection is paid by volume (`type` is `cellular`, or the user said so).
    pub metered: Option<bool>,
    /// `saveData`.
    pub save_data: Option<bool>,
}

/// What tells the form of a device.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct FormHints {
    /// `navigator.userAgentData.mobile`.
    pub mobile: Option<bool>,
    /// `navigator.maxTouchPoints`.
    pub max_touch_points: Option<u32>,
    /// `matchMedia("(pointer: coarse)")`: the first pointing device is a finger.
    pub coarse_pointer: Option<bool>,
    /// The shorter side of the screen in CSS pixels.
    pub screen_short_side: Option<u32>,
}

/// The form of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// Held in a hand.
    Phone,
    /// Larger than a phone, and touched.
    Tablet,
    /// Desktop or laptop, with a touch screen or without.
    Desktop,
}
