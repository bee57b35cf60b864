//! The mutants of the hybrid client: defects that a test build has on purpose.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A mutant of the client: a defect that only a build with the feature `seeded-faults` can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[derive(strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "kebab-case")]
pub enum ClientFault {
    /// After the loss of a device during an answer, the answer ends with a token of zeros.
    ZerosOnLoss,
    /// A request that cannot be answered ends without an error.
    SwallowedError,
    /// Tokens of a replay are shown a second time.
    DuplicateToken,
    /// New tokens after a replay are dropped as old ones.
    LostToken,
    /// Tokens of a lost device are shown.
    StaleGenerationAccepted,
    /// Stored shards are used without verifying their hashes.
    CacheNotVerified,
    /// The same reason is recorded for leaving any tier.
    WrongReason,
    /// A change of tier is not recorded.
    SilentTierChange,
    /// A telemetry record contains the prompt.
    PromptInTelemetry,
    /// Breakers do not count failures.
    BreakerNeverOpens,
    /// Stored weights of another template version are used.
    TemplateSkewIgnored,
    /// A fallback skips a tier.
    FallbackSkipsTier,
}

impl ClientFault {
    /// Every mutant.
    pub const ALL: [Self; 12] = [
        Self::ZerosOnLoss,
        Self::SwallowedError,
        Self::DuplicateToken,
        Self::LostToken,
        Self::StaleGenerationAccepted,
        Self::CacheNotVerified,
        Self::WrongReason,
        Self::SilentTierChange,
        Self::PromptInTelemetry,
        Self::BreakerNeverOpens,
        Self::TemplateSkewIgnored,
        Self::FallbackSkipsTier,
    ];

    /// The name on the command line and in JSON.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
