//! The unit of a run: one browser, one backend, one engine, one model, one scenario.
//!
//! Only names live here; what they stand for is looked up elsewhere.

use std::fmt;
use std::str::FromStr;

use inference_wasm::protocol::BackendName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A browser, by the name that users know.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum BrowserName {
    /// Any Chromium: Chrome, Chromium, Edge.
    Chrome,
    /// Firefox.
    Firefox,
    /// WebKitGTK's `MiniBrowser`: the engine of Safari, on Linux.
    Webkit,
    /// Safari on macOS.
    Safari,
    /// No browser: the engine built natively, in a process of its own.
    Native,
}

impl BrowserName {
    /// Every name, in the order of reports.
    pub const ALL: [Self; 5] =
        [Self::Chrome, Self::Firefox, Self::Webkit, Self::Safari, Self::Native];

    /// The name as it stands in TOML, on the command line and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chrome => "chrome",
            Self::Firefox => "firefox",
            Self::Webkit => "webkit",
            Self::Safari => "safari",
            Self::Native => "native",
        }
    }
}

impl fmt::Display for BrowserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A name that is none of the known ones.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} `{found}`, expected one of {expected}")]
pub struct UnknownName {
    /// What was to be named: `browser`, `backend`.
    pub what: &'static str,
    /// What stood there.
    pub found: String,
    /// The known names, ready to print.
    pub expected: String,
}

/// The names that could have stood there, ready to print.
pub(crate) fn expected<T: fmt::Display>(names: &[T]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

impl FromStr for BrowserName {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        Self::ALL.into_iter().find(|name| name.as_str() == text).ok_or_else(|| UnknownName {
            what: "browser",
            found: text.to_owned(),
            expected: expected(&Self::ALL),
        })
    }
}

/// Reads a backend's name; the type itself belongs to the engine's protocol.
pub fn parse_backend(text: &str) -> Result<BackendName, UnknownName> {
    BackendName::ALL.into_iter().find(|name| name.as_str() == text).ok_or_else(|| UnknownName {
        what: "backend",
        found: text.to_owned(),
        expected: expected(&BackendName::ALL),
    })
}

/// The identity of a cell, stable over runs: `browser/backend/engine/model/scenario`.
///
/// The scenario's own name has a slash in it (`tokens/greedy`), the other four have none.
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
    /// What it computes on.
    pub backend: BackendName,
    /// Which engine; ours is `tierproof`.
    pub engine: String,
    /// The model's name in the catalogue.
    pub model: String,
    /// The scenario's name.
    pub scenario: String,
}

impl CellId {
    /// Why no machine can run a cell: the browser can't have the backend.
    pub fn unsupported_pair(&self) -> Option<String> {
        use BackendName::{Cpu, Reference, Wasm, Webgl, Webgpu};
        use BrowserName::{Chrome, Firefox, Native, Safari, Webkit};
        let Self { browser, backend, .. } = self;
        match (browser, backend) {
            (Native, Webgpu | Webgl | Wasm) => {
                Some(format!("`native` is no page: `{backend}` exists in browsers only"))
            }
            (Chrome | Firefox | Webkit | Safari, Cpu | Reference) => {
                Some(format!("`{backend}` exists natively only: use browser `native`"))
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

/// A text that is no cell id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseCellIdError {
    /// Fewer than five parts.
    #[error("expected `browser/backend/engine/model/scenario`, found `{0}`")]
    Parts(String),
    /// A part names nothing known.
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
    fn broken_ids_are_refused() {
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
