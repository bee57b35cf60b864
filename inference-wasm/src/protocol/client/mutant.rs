//! The mutants of the hybrid client: defects that a test build has on purpose.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A known defect of the client, which only a build with the feature `seeded-faults` carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ClientFault {
    /// A device that is lost in mid-answer ends it with a token of zeros.
    ZerosOnLoss,
    /// A request that can't be answered ends without a word.
    SwallowedError,
    /// Tokens of a replay are shown again.
    DuplicateToken,
    /// New tokens after a replay are taken for old ones.
    LostToken,
    /// Tokens of a device that is gone are shown.
    StaleGenerationAccepted,
    /// Stored shards are used without being hashed.
    CacheNotVerified,
    /// Every tier is said to be left for the same reason.
    WrongReason,
    /// A tier is left and nobody is told.
    SilentTierChange,
    /// The record of a request has its prompt.
    PromptInTelemetry,
    /// Failures are not counted.
    BreakerNeverOpens,
    /// Stored weights of another template's version are used.
    TemplateSkewIgnored,
    /// A step down the chain goes past a tier.
    FallbackSkipsTier,
}

impl ClientFault {
    /// Every fault.
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

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ZerosOnLoss => "zeros-on-loss",
            Self::SwallowedError => "swallowed-error",
            Self::DuplicateToken => "duplicate-token",
            Self::LostToken => "lost-token",
            Self::StaleGenerationAccepted => "stale-generation-accepted",
            Self::CacheNotVerified => "cache-not-verified",
            Self::WrongReason => "wrong-reason",
            Self::SilentTierChange => "silent-tier-change",
            Self::PromptInTelemetry => "prompt-in-telemetry",
            Self::BreakerNeverOpens => "breaker-never-opens",
            Self::TemplateSkewIgnored => "template-skew-ignored",
            Self::FallbackSkipsTier => "fallback-skips-tier",
        }
    }
}
