//! How a browser is launched, as a value that cells can be grouped by.
//!
//! Two cells with equal launch profiles can share a browser, one after the other. A different
//! profile needs another launch. Each vendor's module turns a variant into flags.

use std::fmt;

use inference_wasm::protocol::BackendName;
use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantNames};

use super::document::Named;
use crate::spec::cell::BrowserName;

/// Everything that forces a relaunch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LaunchProfile {
    /// The browser.
    pub browser: BrowserName,
    /// Whether it has a window on the user's own display.
    pub is_headed: bool,
    /// The set of flags.
    pub variant: Variant,
    /// The GPU that the flags ask for.
    #[serde(default)]
    pub gpu: Gpu,
}

/// A set of flags, by the capabilities that it adds or removes.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Default,
    Serialize,
    Deserialize,
    IntoStaticStr,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Variant {
    /// Every tier that the browser supports is on.
    #[default]
    Default,
    /// `webgpu` is off.
    WithoutWebgpu,
    /// `webgl` is off. In Chromium `webgpu` is off as well, since no other flag reaches the
    /// contexts that workers make.
    WithoutWebgl,
    /// WebAssembly is off, and with it every tier.
    WithoutWasm,
    /// `webgpu` and `webgl` are off.
    WithoutGpu,
    /// The GPU has a process of its own, which is restarted after any number of crashes. Otherwise
    /// browsers give up after a few, and Firefox has such a process only with a window.
    CrashableGpu,
}

/// The GPU that a browser is launched for.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Default,
    Serialize,
    Deserialize,
    EnumString,
    IntoStaticStr,
    VariantNames,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Gpu {
    /// The browser's own choice: software, on a machine without a display.
    #[default]
    Any,
    /// The machine's own GPU, by flags where a browser has them. The proof shows whether it was.
    Hardware,
}

impl Named for Gpu {
    const EXPECTED: &'static str = "`any` or `hardware`";
}

impl Gpu {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Any, Self::Hardware];

    /// The name in TOML and in reports.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl Variant {
    /// The name in files and reports.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The variant that switches a backend off; `None` for a backend that exists only natively.
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

    /// The profile's name without the browser's: `default`, `without-webgl`, `default-headed`.
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
