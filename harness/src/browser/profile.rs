//! What a browser is launched with, as a value that cells can be grouped by.
//!
//! Two cells with equal launch profiles can use one browser after the other; another profile
//! means another launch. What a variant means to a vendor stands in the vendor's own module.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::vendor::vendor;
use crate::cell::BrowserName;

/// Everything that forces a relaunch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LaunchProfile {
    /// The browser.
    pub browser: BrowserName,
    /// With a window on the user's own display.
    pub is_headed: bool,
    /// The set of flags.
    pub variant: Variant,
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
}

impl Variant {
    /// The name as it stands in files and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
        }
    }
}

impl LaunchProfile {
    /// The default profile of a browser.
    pub fn new(browser: BrowserName, is_headed: bool) -> Self {
        Self { browser, is_headed, variant: Variant::Default }
    }

    /// The profile's name beside the browser's: `default`, `default-headed`.
    pub fn name(&self) -> String {
        let suffix = if self.is_headed { "-headed" } else { "" };
        format!("{}{suffix}", self.variant.as_str())
    }

    /// How many browsers of this profile there can be at a time; `None` for as many as the
    /// machine can bear.
    pub fn max_sessions(&self) -> Option<usize> {
        vendor(self.browser)?.max_sessions
    }
}

impl fmt::Display for LaunchProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.browser, self.name())
    }
}
