//! The unit of a run: one browser, one backend, one engine, one model, one scenario.
//!
//! Only names live here. Later floors look up their meaning.

use std::fmt;
use std::str::FromStr;

use inference_wasm::protocol::BackendName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};
use toml::de::DeValue;

use super::document::{FromValue, Named, Unfit, one_of};
pub use super::naming::UnknownName;

/// A browser, by the name that users know.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    JsonSchema,
    IntoStaticStr,
    VariantNames,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum BrowserName {
    /// Any Chromium: Chrome, Chromium, Edge.
    Chrome,
    /// Firefox.
    Firefox,
    /// WebKitGTK's `MiniBrowser`: the engine of Safari, on Linux.
    Webkit,
    /// Safari on macOS.
    Safari,
    /// The engine built natively, in a process of its own, without a browser.
    Native,
}

impl BrowserName {
    /// Every name, in the order of reports.
    pub const ALL: [Self; 5] =
        [Self::Chrome, Self::Firefox, Self::Webkit, Self::Safari, Self::Native];

    /// The name in TOML, on the command line and in JSON.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl fmt::Display for BrowserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for BrowserName {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let known = Self::ALL.into_iter().find(|name| name.as_str() == text);
        known.ok_or_else(|| UnknownName::new("browser", text, &Self::ALL))
    }
}

impl Named for BrowserName {
    const EXPECTED: &'static str = "a browser's name";
    const NOUN: &'static str = "browser name";
}

/// Reads a backend's name; the type itself belongs to the engine's protocol.
pub fn parse_backend(text: &str) -> Result<BackendName, UnknownName> {
    let known = BackendName::ALL.into_iter().find(|name| name.as_str() == text);
    known.ok_or_else(|| UnknownName::new("backend", text, &BackendName::ALL))
}

impl FromValue for BackendName {
    const EXPECTED: &'static str = "a backend's name";
    const NOUN: &'static str = "backend name";

    fn from_value(value: &DeValue<'_>) -> Result<Self, Unfit> {
        one_of(value, &Self::ALL.map(|name| (name, name.as_str())))
    }
}

/// The identity of a cell, the same in every run: `browser/backend/engine/model/scenario`.
///
/// The scenario's own name contains a slash (`tokens/greedy`); the other four don't.
///
/// ```
/// # use tierproof::spec::cell::CellId;
/// let id: CellId = "chrome/wasm/tierproof/scribe-low-Q8_0/tokens/greedy".parse().unwrap();
/// assert_eq!(id.scenario, "tokens/greedy");
/// assert_eq!(id.to_string(), "chrome/wasm/tierproof/scribe-low-Q8_0/tokens/greedy");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CellId {
    /// Where the engine runs.
    pub browser: BrowserName,
    /// The backend that it computes on.
    pub backend: BackendName,
    /// The engine's name; ours is `tierproof`.
    pub engine: String,
    /// The model's name in the catalogue.
    pub model: String,
    /// The scenario's name.
    pub scenario: String,
}

impl CellId {
    /// Why no machine can run the cell: the browser doesn't support the backend.
    pub fn unsupported_pair(&self) -> Option<String> {
        use BackendName::{Cpu, Reference, Wasm, Webgl, Webgpu};
        use BrowserName::{Chrome, Firefox, Native, Safari, Webkit};
        let Self { browser, backend, .. } = self;
        match (browser, backend) {
            (Native, Webgpu | Webgl | Wasm) => {
                Some(format!("`native` has no page: `{backend}` exists only in browsers"))
            }
            (Chrome | Firefox | Webkit | Safari, Cpu | Reference) => {
                Some(format!("`{backend}` exists only natively: use browser `native`"))
            }
            (Webkit, Webgpu) => Some("WebKitGTK has no WebGPU".to_owned()),
            (Chrome | Firefox | Safari, Webgpu)
            | (Chrome | Firefox | Webkit | Safari, Webgl | Wasm)
            | (Native, Cpu | Reference) => None,
        }
    }
}

impl fmt::Display for CellId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { browser, backend, engine, model, scenario } = self;
        write!(f, "{browser}/{backend}/{engine}/{model}/{scenario}")
    }
}

/// A text that is not a cell id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseCellIdError {
    /// Fewer than five parts.
    #[error("expected `browser/backend/engine/model/scenario`, found `{0}`")]
    Parts(String),
    /// A part is not a known name.
    #[error(transparent)]
    Name(#[from] UnknownName),
}

impl FromStr for CellId {
    type Err = ParseCellIdError;

    fn from_str(text: &str) -> Result<Self, ParseCellIdError> {
        let mut parts = text.splitn(5, '/').filter(|part| !part.is_empty());
        let mut part = || parts.next().ok_or_else(|| ParseCellIdError::Parts(text.to_owned()));
        Ok(Self {
            browser: part()?.parse()?,
            backend: parse_backend(part()?)?,
            engine: part()?.to_owned(),
            model: part()?.to_owned(),
            scenario: part()?.to_owned(),
        })
    }
}

impl Serialize for CellId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CellId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_ids_are_rejected() {
        for (text, message) in [
            ("", "expected `browser/backend/engine/model/scenario`, found ``"),
            (
                "chrome/wasm/tierproof/m",
                "expected `browser/backend/engine/model/scenario`, found `chrome/wasm/tierproof/m`",
            ),
            (
                "opera/wasm/tierproof/m/tokens/greedy",
                "unknown browser `opera`, expected one of `chrome`, `firefox`, `webkit`, `safari`, `native`",
            ),
        ] {
            assert_eq!(text.parse::<CellId>().unwrap_err().to_string(), message);
        }
    }
}
