//! What a browser is launched with, as a value that cells can be grouped by.
//!
//! Two cells with equal launch profiles can use one browser after the other; another profile
//! means another launch. What a variant means to a vendor stands in the vendor's own module.

use std::fmt;

use inference_wasm::protocol::BackendName;
use serde::{Deserialize, Serialize};

use crate::spec::cell::BrowserName;

/// Everything that forces a relaunch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LaunchProfile {
    /// The browser.
    pub browser: BrowserName,
    /// With a window on the user's own display.
    pub is_headed: bool,
    /// The set of flags.
    pub variant: Variant,
    /// The GPU that the flags ask for.
    #[serde(default)]
    pub gpu: Gpu,
}

/// A set of flags, by the capabilities that it gives or takes.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Variant {
    /// Every tier that the browser can have is on.
    #[default]
    Default,
    /// `webgpu` is off.
    WithoutWebgpu,
    /// `webgl` is off. In Chromium `webgpu` with it, since nothing else reaches the contexts that
    /// workers make.
    WithoutWebgl,
    /// WebAssembly is off, and so are all tiers.
    WithoutWasm,
    /// `webgpu` and `webgl` are off.
    WithoutGpu,
    /// The GPU has a process of its own, which may crash as often as it likes: browsers stop
    /// trying otherwise, and Firefox needs a window for one.
    CrashableGpu,
}

/// The GPU that a browser is launched for.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Gpu {
    /// Whatever the browser takes by itself: on a machine without a display, software.
    #[default]
    Any,
    /// The machine's own, by flags where a browser has them. What came of it is for the proof.
    Hardware,
}

impl Gpu {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Any, Self::Hardware];

    /// The name as it stands in TOML and in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Hardware => "hardware",
        }
    }
}

impl Variant {
    /// The name as it stands in files and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::WithoutWebgpu => "without-webgpu",
            Self::WithoutWebgl => "without-webgl",
            Self::WithoutWasm => "without-wasm",
            Self::WithoutGpu => "without-gpu",
            Self::CrashableGpu => "crashable-gpu",
        }
    }

    /// The one that switches a backend off; `None` for what exists natively only.
    pub fn without(backend: BackendName) -> Option<Self> {
        match backend {
            BackendName::Webgpu => Some(Self::WithoutWebgpu),
            BackendName::Webgl => Some(Self::WithoutWebgl),
            BackendName::Wasm => Some(Self::WithoutWasm),
            BackendName::Cpu | BackendName::Reference => None,
        }
    }
}

impl LaunchProfile {
    /// The default profile of a browser.
    pub fn new(browser: BrowserName, is_headed: bool) -> Self {
        Self { browser, is_headed, variant: Variant::Default, gpu: Gpu::Any }
    }

    /// The profile's name beside the browser's: `default`, `without-webgl`, `default-headed`.
    pub fn name(&self) -> String {
        let gpu = match self.gpu {
            Gpu::Any => "",
            Gpu::Hardware => "-hardware",
        };
        let window = if self.is_headed { "-headed" } else { "" };
        format!("{}{gpu}{window}", self.variant.as_str())
    }
}

impl fmt::Display for LaunchProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.browser, self.name())
    }
}
