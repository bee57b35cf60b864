//! Why a device was lost.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `GPUDeviceLostInfo.reason`; for a lost WebGL context, `unknown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LossReason {
    /// The GPU process or the driver died.
    Unknown,
    /// Someone other than the client called `destroy()`; the client never does.
    Destroyed,
}
