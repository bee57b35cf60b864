//! What a device can do, as far as its browser tells, and what can be made of that.
//!
//! [`Capabilities`] is what the page reports. Any field can be missing, and any string can be
//! masked or untrue; reading one never fails, and what is not known stays not known. Which device
//! tier follows is decided in [`tier`](super::tier).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::WebGpuAdapter;
use crate::protocol::adapter::is_software;
pub use crate::protocol::client::{Battery, Capabilities, Connection, Form, FormHints};

impl Battery {
    /// Below this share of charge, and not charging, a battery is low.
    pub const LOW: f64 = 0.2;

    /// Too low to compute on. A charge that is no number is not known, hence not low.
    pub fn is_low(self) -> bool {
        !self.charging && self.level < Self::LOW
    }
}

impl Connection {
    /// A large download should be asked about first.
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

/// How strong a GPU is, by the name that it goes by.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum GpuClass {
    /// Computed by the CPU.
    Software,
    /// Integrated graphics of desktops, and most phones.
    Low,
    /// There is a GPU, and its name is masked or not known.
    Unknown,
    /// Older and smaller cards, base chips of Apple, large phones.
    Mid,
    /// Cards and chips that hold and run billions of parameters.
    High,
}

/// Phones have screens whose shorter side is below this, in CSS pixels.
const TABLET_SHORT_SIDE: u32 = 600;

impl Capabilities {
    /// The form of the device.
    ///
    /// An iPad calls itself a Macintosh, and only its touch points betray it; an Android tablet
    /// says `Android` without `Mobile`; a laptop with a touch screen stays a desktop.
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
        // A desktop page asked for on a phone hides `Mobile`, but not the size of the screen.
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

    /// The browser, by the first of its own tokens. Most of them also claim to be Chrome and
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

    /// Memory that a model may take, in GiB: half of what a desktop has, and a third of what a
    /// phone or tablet has, whose system ends pages that take more.
    ///
    /// A browser that does not tell gets the memory of a modest device of its form *before* the
    /// division, so that known and unknown devices are measured alike.
    pub fn memory_budget_gib(&self) -> f64 {
        let form = self.form();
        let told = self.report.device_memory_gib.filter(|gib| gib.is_finite() && *gib > 0.0);
        match form {
            Form::Desktop => told.unwrap_or(8.0) / 2.0,
            Form::Tablet => told.unwrap_or(4.0) / 3.0,
            Form::Phone => told.unwrap_or(3.0) / 3.0,
        }
    }

    /// A hardware adapter of WebGPU: neither flagged as a fallback nor named like one, unless
    /// software is to count.
    pub fn hardware_adapter(&self) -> Option<&WebGpuAdapter> {
        let adapter = self.report.webgpu.adapter.as_ref()?;
        let is_software = adapter.is_fallback == Some(true)
            || class_by_name(&adapter.description) == Some(GpuClass::Software)
            || class_by_name(&adapter.device) == Some(GpuClass::Software)
            || class_by_name(&adapter.architecture) == Some(GpuClass::Software);
        (self.accepts_software || !is_software).then_some(adapter)
    }

    /// WebGL2 that can compute: full `highp`, and float targets that were written and read back.
    /// A missing precision is not held against it; the first dispatch will tell.
    pub fn has_float_webgl2(&self) -> bool {
        let webgl2 = &self.report.webgl2;
        webgl2.present && webgl2.float_readback && webgl2.highp_bits.unwrap_or(23) >= 23
    }

    /// How strong the GPU is: by the most telling of the names that the browser gives.
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
        // WebGL's renderer is another GPU's only where WebGPU has software and WebGL does not.
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

    /// Whether an adapter has this feature of WebGPU.
    pub fn has_feature(&self, feature: &str) -> bool {
        let adapter = self.report.webgpu.adapter.as_ref();
        adapter.is_some_and(|adapter| adapter.features.iter().any(|name| name == feature))
    }

    /// A limit of the WebGPU adapter, where it tells one that is a number.
    pub fn limit(&self, name: &str) -> Option<f64> {
        let adapter = self.report.webgpu.adapter.as_ref()?;
        adapter.limits.get(name).copied().filter(|limit| limit.is_finite())
    }
}

/// The class that a renderer's or adapter's name tells, word by word: `M1` is not `M1 Pro`, and
/// `GTX` is not `RTX`.
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
        // The last two digits are the place within a generation; workstation cards have letters.
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

/// `m1`, `m4`, … as a word of its own.
fn is_apple_chip(word: &str) -> bool {
    word.strip_prefix('m')
        .is_some_and(|rest| rest.len() == 1 && rest != "0" && rest.parse::<u8>().is_ok())
}

/// The class that an adapter's vendor and architecture tell, which is all that many browsers give.
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
