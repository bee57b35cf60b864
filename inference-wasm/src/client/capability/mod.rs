//! Conclusions from the [`Capabilities`] that a page reports: form, browser, memory and GPU class.
//!
//! Any field may be missing, and any string may be masked or untrue. Reading one never fails, and
//! an unknown value stays unknown. [`tier`](super::tier) decides the device tier.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::WebGpuAdapter;
use crate::protocol::adapter::is_software;
pub use crate::protocol::client::{Battery, Capabilities, Connection, Form, FormHints};

impl Battery {
    /// A battery below this charge is low, unless it is charging.
    pub const LOW: f64 = 0.2;

    /// Whether it is too low to compute on. A charge of NaN is unknown and not low.
    pub fn is_low(self) -> bool {
        !self.charging && self.level < Self::LOW
    }
}

impl Connection {
    /// Whether a large download needs consent.
    pub fn wants_consent(&self) -> bool {
        let is_slow = matches!(self.effective_type.as_deref(), Some("slow-2g" | "2g" | "3g"));
        is_slow || self.metered == Some(true) || self.save_data == Some(true)
    }
}

/// A browser by name and major version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Browser {
    /// `chrome`, `edge`, `firefox`, `opera`, `safari`, `samsung` or `unknown`.
    pub name: String,
    /// The major version, where the string has one.
    pub version: Option<u32>,
}

/// How powerful a GPU is, by its name.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum GpuClass {
    /// Computes on the CPU.
    Software,
    /// Integrated graphics, and most phones.
    Low,
    /// A GPU whose name is masked or unknown.
    Unknown,
    /// Older and smaller cards, Apple's base chips, high-end phones.
    Mid,
    /// Cards and chips that can run billions of parameters.
    High,
}

/// The shorter side of a tablet's screen, at least, in CSS pixels.
const TABLET_SHORT_SIDE: u32 = 600;

impl Capabilities {
    /// The form of the device.
    ///
    /// An iPad claims to be a Macintosh and differs only in its touch points; an Android tablet has
    /// `Android` without `Mobile`; a laptop with a touch screen is a desktop.
    pub fn form(&self) -> Form {
        let agent = self.report.user_agent.as_str();
        let has = |word: &str| agent.contains(word);
        let is_small = self.hints.screen_short_side.is_some_and(|side| side < TABLET_SHORT_SIDE);
        if has("iPhone") || has("iPod") || has("Windows Phone") {
            return Form::Phone;
        }
        if has("iPad") || has("Macintosh") && self.hints.max_touch_points.unwrap_or(0) > 1 {
            return Form::Tablet;
        }
        // A phone that requests the desktop site hides `Mobile`, but not the size of its screen.
        if has("Android") || has("HarmonyOS") {
            let is_phone = has("Mobile") || is_small || self.hints.mobile == Some(true);
            return if is_phone { Form::Phone } else { Form::Tablet };
        }
        if self.hints.mobile == Some(true) || has("Mobile") {
            return Form::Phone;
        }
        let is_known_desktop =
            ["Windows NT", "Macintosh", "CrOS", "X11", "Linux"].iter().any(|word| has(word));
        match self.hints.coarse_pointer {
            Some(true) if !is_known_desktop && is_small => Form::Phone,
            Some(true) if !is_known_desktop => Form::Tablet,
            _ => Form::Desktop,
        }
    }

    /// The browser, by its own token in the user agent. Most browsers also claim to be Chrome and
    /// Safari, so the order matters.
    pub fn browser(&self) -> Browser {
        const TOKENS: [(&str, &str); 14] = [
            ("Edg/", "edge"),
            ("EdgA/", "edge"),
            ("EdgiOS/", "edge"),
            ("Edge/", "edge"),
            ("OPR/", "opera"),
            ("OPT/", "opera"),
            ("SamsungBrowser/", "samsung"),
            ("FxiOS/", "firefox"),
            ("Firefox/", "firefox"),
            ("CriOS/", "chrome"),
            ("HeadlessChrome/", "chrome"),
            ("Chrome/", "chrome"),
            ("Chromium/", "chrome"),
            ("Version/", "safari"),
        ];
        let agent = self.report.user_agent.as_str();
        for (token, name) in TOKENS {
            if name == "safari" && !agent.contains("Safari/") {
                continue;
            }
            if let Some((_, rest)) = agent.split_once(token) {
                let digits = rest.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
                return Browser { name: name.into(), version: digits.parse().ok() };
            }
        }
        Browser { name: "unknown".into(), version: None }
    }

    /// Memory that a model may use, in GiB: half of a desktop's, and a third of a phone's or
    /// tablet's, whose system kills larger pages.
    ///
    /// If the browser reports none, the memory of a modest device of that form is assumed *before*
    /// the division, so that known and unknown devices are treated alike.
    pub fn memory_budget_gib(&self) -> f64 {
        let form = self.form();
        let reported = self.report.device_memory_gib.filter(|gib| gib.is_finite() && *gib > 0.0);
        match form {
            Form::Desktop => reported.unwrap_or(8.0) / 2.0,
            Form::Tablet => reported.unwrap_or(4.0) / 3.0,
            Form::Phone => reported.unwrap_or(3.0) / 3.0,
        }
    }

    /// The WebGPU adapter, if it is hardware: neither flagged as a fallback nor named as software.
    /// With `accepts_software`, any adapter.
    pub fn hardware_adapter(&self) -> Option<&WebGpuAdapter> {
        let adapter = self.report.webgpu.adapter.as_ref()?;
        let is_software = adapter.is_fallback == Some(true)
            || class_by_name(&adapter.description) == Some(GpuClass::Software)
            || class_by_name(&adapter.device) == Some(GpuClass::Software)
            || class_by_name(&adapter.architecture) == Some(GpuClass::Software);
        (self.accepts_software || !is_software).then_some(adapter)
    }

    /// Whether WebGL2 can compute: full `highp`, and float targets that read back correctly. An
    /// unknown precision passes; the first dispatch verifies it.
    pub fn has_float_webgl2(&self) -> bool {
        let webgl2 = &self.report.webgl2;
        webgl2.present && webgl2.float_readback && webgl2.highp_bits.unwrap_or(23) >= 23
    }

    /// The class of the GPU, by the most specific name that the browser reports.
    pub fn gpu_class(&self) -> Option<GpuClass> {
        let adapter = self.report.webgpu.adapter.as_ref();
        if adapter.is_none() && !self.report.webgl2.present {
            return None;
        }
        let by_adapter = adapter.and_then(|adapter| {
            class_by_name(&adapter.description)
                .or_else(|| class_by_name(&adapter.device))
                .or_else(|| class_by_architecture(&adapter.vendor, &adapter.architecture))
        });
        // WebGL's renderer is a different GPU only if WebGPU is software and WebGL is not.
        let by_renderer = class_by_name(&self.report.webgl2.renderer);
        let class = match (self.hardware_adapter(), adapter) {
            (Some(_), _) => by_renderer.filter(|class| *class > GpuClass::Software).or(by_adapter),
            (None, _) => by_renderer,
        };
        let fallback = if self.hardware_adapter().is_none() && !self.report.webgl2.present {
            GpuClass::Software
        } else {
            GpuClass::Unknown
        };
        Some(class.unwrap_or(fallback))
    }

    /// Whether the WebGPU adapter has a feature.
    pub fn has_feature(&self, feature: &str) -> bool {
        let adapter = self.report.webgpu.adapter.as_ref();
        adapter.is_some_and(|adapter| adapter.features.iter().any(|name| name == feature))
    }

    /// A limit of the WebGPU adapter; `None` if it is missing or not finite.
    pub fn limit(&self, name: &str) -> Option<f64> {
        let adapter = self.report.webgpu.adapter.as_ref()?;
        adapter.limits.get(name).copied().filter(|limit| limit.is_finite())
    }
}

/// The class of a GPU by the words of its name: `M1` differs from `M1 Pro`, and `GTX` from `RTX`.
fn class_by_name(name: &str) -> Option<GpuClass> {
    let name = name.to_ascii_lowercase();
    let words: Vec<&str> =
        name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let has = |wanted: &str| words.contains(&wanted);
    let after = |wanted: &str| {
        let at = words.iter().position(|word| *word == wanted)?;
        words[at + 1..].iter().find(|word| **word != "r" && **word != "tm").copied()
    };
    let number = |word: &str| -> Option<u32> {
        let digits: String = word
            .chars()
            .skip_while(|c| !c.is_ascii_digit())
            .take_while(char::is_ascii_digit)
            .collect();
        digits.parse().ok()
    };

    if is_software(&name) {
        return Some(GpuClass::Software);
    }
    if let Some(at) = words.iter().position(|word| is_apple_chip(word)) {
        let is_large = matches!(words.get(at + 1), Some(&("pro" | "max" | "ultra")));
        return Some(if is_large { GpuClass::High } else { GpuClass::Mid });
    }
    if let Some(model) = after("rtx") {
        // The last two digits rank a card within its generation; workstation cards have letters.
        let is_large = number(model).is_some_and(|number| number >= 1000 && number % 100 >= 60);
        return Some(if is_large { GpuClass::High } else { GpuClass::Mid });
    }
    if has("gtx") {
        return Some(GpuClass::Mid);
    }
    if let Some(model) = after("rx") {
        let is_large = number(model).is_some_and(|number| number >= 6000 && number % 1000 >= 700);
        return Some(if is_large { GpuClass::High } else { GpuClass::Mid });
    }
    if let Some(model) = after("arc") {
        return Some(if number(model).is_some() { GpuClass::Mid } else { GpuClass::Low });
    }
    if let Some(model) = after("adreno") {
        let is_large = number(model).is_some_and(|number| number >= 730);
        return Some(if is_large { GpuClass::Mid } else { GpuClass::Low });
    }
    if let Some(model) = after("mali") {
        let is_large = model.starts_with('g') && number(model).is_some_and(|number| number >= 710);
        return Some(if is_large { GpuClass::Mid } else { GpuClass::Low });
    }
    if has("xclipse") || has("immortalis") {
        return Some(GpuClass::Mid);
    }
    if ["radeon", "iris", "uhd", "hd", "powervr", "videocore", "geforce", "nouveau"]
        .iter()
        .any(|word| has(word))
    {
        return Some(GpuClass::Low);
    }
    None
}

/// Whether a word is `m1`, `m4`, …
fn is_apple_chip(word: &str) -> bool {
    word.strip_prefix('m')
        .is_some_and(|rest| rest.len() == 1 && rest != "0" && rest.parse::<u8>().is_ok())
}

/// The class of a GPU by vendor and architecture: many browsers report nothing else.
fn class_by_architecture(vendor: &str, architecture: &str) -> Option<GpuClass> {
    match (vendor, architecture) {
        (_, "") => None,
        ("nvidia", "ampere" | "lovelace" | "ada-lovelace" | "blackwell") => Some(GpuClass::High),
        ("nvidia", "turing" | "pascal" | "maxwell")
        | ("amd", "rdna-1" | "rdna-2" | "rdna-3" | "rdna-4")
        | ("intel", "gen-12hp" | "xe-2hpg")
        | ("qualcomm", "adreno-7xx" | "adreno-8xx")
        | ("arm", "valhall" | "5th-gen") => Some(GpuClass::Mid),
        ("nvidia" | "amd" | "intel" | "qualcomm" | "arm", _) => Some(GpuClass::Low),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
