//! The kind of adapter that a matrix demands.

use super::document::Named;

/// What the GPU tiers must compute on.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Default,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantNames,
)]
#[strum(serialize_all = "kebab-case")]
pub enum AdapterDemand {
    /// Any adapter; reports name it.
    #[default]
    Any,
    /// A GPU whose name is known. If the browser masks the name, the demand is not met.
    Hardware,
    /// An adapter that computes on the CPU, for figures that other machines can repeat.
    Software,
}

impl AdapterDemand {
    /// The name in TOML.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl Named for AdapterDemand {
    const EXPECTED: &'static str = "`any`, `hardware` or `software`";
}
