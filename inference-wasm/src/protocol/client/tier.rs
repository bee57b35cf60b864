//! The tiers of the fallback chain and the tiers of devices.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::execution::BackendName;

/// A tier of the fallback chain, best first.
#[derive(strum::Display, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "kebab-case")]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Tier {
    /// Compute shaders.
    #[default]
    Webgpu,
    /// Fragment passes over WebGL2.
    Webgl,
    /// CPU kernels in WebAssembly.
    Wasm,
    /// The server, not this device.
    Server,
}

impl Tier {
    /// The chain, in order.
    pub const CHAIN: [Self; 4] = [Self::Webgpu, Self::Webgl, Self::Wasm, Self::Server];

    /// The next tier in the chain; `None` after the last.
    pub fn next(self) -> Option<Self> {
        match self {
            Self::Webgpu => Some(Self::Webgl),
            Self::Webgl => Some(Self::Wasm),
            Self::Wasm => Some(Self::Server),
            Self::Server => None,
        }
    }

    /// The backend of the tier; `None` for the server.
    pub fn backend(self) -> Option<BackendName> {
        match self {
            Self::Webgpu => Some(BackendName::Webgpu),
            Self::Webgl => Some(BackendName::Webgl),
            Self::Wasm => Some(BackendName::Wasm),
            Self::Server => None,
        }
    }

    /// The name in JSON and traces.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// How capable a device is, weakest first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceTier {
    /// No usable GPU: CPU only.
    NoGpu,
    /// Runs models of a few hundred million parameters.
    Low,
    /// Runs models of about a billion parameters.
    Mid,
    /// Runs models of several billion parameters.
    Flagship,
}
