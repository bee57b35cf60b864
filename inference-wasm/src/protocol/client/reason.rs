//! The reasons of transitions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The reason for a transition, a fallback or the end of a request.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
#[derive(strum::Display, strum::VariantArray)]
#[strum(serialize_all = "kebab-case")]
pub enum Reason {
    // Progress.
    /// The page has started.
    Started,
    /// The page is idle: a preload may begin.
    Idle,
    /// The device's capabilities are known.
    Detected,
    /// The device's tier is known.
    Classified,
    /// A variant fits the tier.
    Chosen,
    /// The pause for the GPU process to restart is over.
    FreshDevice,
    /// A device was created.
    DeviceReady,
    /// The device's first dispatch was correct.
    Probed,
    /// A download needs consent.
    Metered,
    /// The user agrees to the download.
    ConsentGiven,
    /// Every shard is available and its hash verified.
    Cached,
    /// The model can run.
    Loaded,
    /// A request runs on the device.
    Requested,
    /// A request that was interrupted runs again.
    Replayed,
    /// The request is answered.
    Answered,
    /// The user cancelled.
    Cancelled,
    /// The request ended with an error of its own.
    RequestFailed,
    /// The engine has stopped a cancelled run.
    Stopped,

    // Why a tier is left or not entered.
    /// The browser lacks what the tier needs.
    Absent,
    /// `requestAdapter()` returned none.
    AdapterNull,
    /// The tier's adapter computes on the CPU, which lower tiers do faster.
    SoftwareAdapter,
    /// `requestDevice()` failed.
    DeviceRejected,
    /// The device was lost on creation.
    BornLost,
    /// The device's first dispatch was wrong.
    ProbeFailed,
    /// The device was lost.
    DeviceLost,
    /// Devices were lost more often than the limit.
    DeviceLostAgain,
    /// The engine did not respond before the deadline.
    Hung,
    /// Out of memory.
    OutOfMemory,
    /// A GPU command failed.
    GpuError,
    /// The engine panicked, or its worker died.
    RuntimeCrash,
    /// Loading took too long.
    LoadTimeout,
    /// The engine rejects the model.
    LoadFailed,
    /// Weights cannot be fetched, or are corrupt on every attempt.
    WeightsUnavailable,
    /// The loaded model's versions differ from the manifest's.
    VersionSkew,
    /// No variant fits the device on this tier.
    NoCompatibleVariant,
    /// The tier failed too often recently.
    BreakerOpen,

    // Why storage is not used.
    /// The storage quota is exhausted.
    QuotaExceeded,
    /// Storage refused for another reason.
    StorageRefused,
    /// Storage did not respond.
    StorageTimeout,
    /// A stored shard's hash was wrong.
    ShardCorrupt,
    /// Stored shards were evicted.
    Evicted,

    // Why the server is used, or no longer.
    /// The user prefers it.
    UserPreference,
    /// The operator disabled inference in the browser.
    BrowserInferenceDisabled,
    /// The device has no usable tier, or too little memory.
    InsufficientDeviceCapabilities,
    /// The request needs a larger model.
    RequestTooComplex,
    /// No model of the registry suits it.
    NoCompatibleBrowserModel,
    /// The request does not fit into the local model's context.
    ContextOverflow,
    /// The battery is low.
    LowBattery,
    /// The device is too hot.
    Thermal,
    /// The local model is not loaded yet.
    NotReady,
    /// The user declined the download.
    ConsentDeclined,
    /// The user did not answer about the download.
    ConsentTimeout,
    /// Capabilities were not reported.
    DetectTimeout,
    /// The server failed.
    ServerFailed,
    /// The server did not respond.
    ServerTimeout,

    // Why the best tier is tried again.
    /// The user changed the preference.
    PreferenceChanged,
    /// The device has cooled down.
    CooledDown,
    /// A breaker's cooldown is over.
    BreakerHalfOpen,
    /// The page asked for a retry.
    Retried,
}

impl Reason {
    /// The tier itself failed; its breaker counts that.
    pub fn is_fault(self) -> bool {
        matches!(
            self,
            Self::AdapterNull
                | Self::DeviceRejected
                | Self::BornLost
                | Self::ProbeFailed
                | Self::DeviceLost
                | Self::DeviceLostAgain
                | Self::Hung
                | Self::OutOfMemory
                | Self::GpuError
                | Self::RuntimeCrash
                | Self::LoadTimeout
                | Self::LoadFailed
                | Self::VersionSkew
        )
    }

    /// A fallback to the next tier in the chain.
    pub fn is_fallback(self) -> bool {
        self.is_fault()
            || matches!(
                self,
                Self::Absent
                    | Self::SoftwareAdapter
                    | Self::WeightsUnavailable
                    | Self::NoCompatibleVariant
                    | Self::BreakerOpen
            )
    }

    /// A decision, which may skip tiers on the way to the server.
    pub fn is_decision(self) -> bool {
        matches!(
            self,
            Self::UserPreference
                | Self::BrowserInferenceDisabled
                | Self::InsufficientDeviceCapabilities
                | Self::RequestTooComplex
                | Self::NoCompatibleBrowserModel
                | Self::ContextOverflow
                | Self::LowBattery
                | Self::Thermal
                | Self::NotReady
                | Self::ConsentDeclined
                | Self::ConsentTimeout
                | Self::DetectTimeout
        )
    }

    /// A return to a better tier.
    pub fn is_upward(self) -> bool {
        matches!(
            self,
            Self::PreferenceChanged
                | Self::CooledDown
                | Self::BreakerHalfOpen
                | Self::Retried
                | Self::ServerFailed
                | Self::ServerTimeout
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_has_one_direction_at_most() {
        for reason in [
            Reason::Hung,
            Reason::BreakerOpen,
            Reason::ServerFailed,
            Reason::Thermal,
            Reason::Loaded,
        ] {
            let kinds = [reason.is_fallback(), reason.is_decision(), reason.is_upward()];
            assert!(kinds.iter().filter(|is| **is).count() <= 1, "{reason}");
        }
    }
}
