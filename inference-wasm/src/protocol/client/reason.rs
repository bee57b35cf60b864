//! Why the client goes from one state to the next.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The reason of a transition, of a step of the fallback chain, or of an end.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    // Progress.
    /// The page is there.
    Started,
    /// The page has nothing better to do: a preload may begin.
    Idle,
    /// The device's capabilities are known.
    Detected,
    /// The device's tier is known.
    Classified,
    /// A variant fits the tier.
    Chosen,
    /// Time to let the GPU process come back is over.
    FreshDevice,
    /// There is a device.
    DeviceReady,
    /// Its first dispatch was right.
    Probed,
    /// The user is to be asked about a download.
    Metered,
    /// The user agrees to the download.
    ConsentGiven,
    /// Every shard is there, its hash checked.
    Cached,
    /// The model can run.
    Loaded,
    /// A request runs here.
    Requested,
    /// A request that was interrupted runs again.
    Replayed,
    /// The request has its answer.
    Answered,
    /// The user has cancelled.
    Cancelled,
    /// The request ended with an error of its own.
    RequestFailed,
    /// The engine has stopped what was cancelled.
    Stopped,

    // Why a tier is left, or not entered.
    /// The browser lacks what the tier needs.
    Absent,
    /// `requestAdapter()` gave none.
    AdapterNull,
    /// The tier's adapter computes on the CPU, which the next tiers do better.
    SoftwareAdapter,
    /// `requestDevice()` failed.
    DeviceRejected,
    /// The device was lost when it came.
    BornLost,
    /// Its first dispatch came out wrong.
    ProbeFailed,
    /// The device was lost.
    DeviceLost,
    /// It was lost more often than is recovered from.
    DeviceLostAgain,
    /// It gave no sign of life until the deadline.
    Hung,
    /// No memory for it.
    OutOfMemory,
    /// The GPU could not carry out a command.
    GpuError,
    /// The engine panicked, or its worker died.
    RuntimeCrash,
    /// Loading took too long.
    LoadTimeout,
    /// The engine does not take the model.
    LoadFailed,
    /// Weights can't be fetched, or come wrong every time.
    WeightsUnavailable,
    /// What was loaded is of other versions than the manifest's.
    VersionSkew,
    /// No variant fits the device on this tier.
    NoCompatibleVariant,
    /// The tier has failed too often lately.
    BreakerOpen,

    // Why storage is not used.
    /// No room to store weights.
    QuotaExceeded,
    /// Storage refused for another reason.
    StorageRefused,
    /// Storage never answered.
    StorageTimeout,
    /// A stored shard was not what its name says.
    ShardCorrupt,
    /// Shards that were there have gone.
    Evicted,

    // Why the server is asked, or no longer.
    /// The user wants it.
    UserPreference,
    /// The operator has switched the browser off.
    BrowserInferenceDisabled,
    /// The device computes nothing, or has too little memory.
    InsufficientDeviceCapabilities,
    /// The request is for a larger model.
    RequestTooComplex,
    /// No model of the registry is for it.
    NoCompatibleBrowserModel,
    /// It does not fit into the local model's context.
    ContextOverflow,
    /// The battery is low.
    LowBattery,
    /// The device is too hot.
    Thermal,
    /// The local model is not there yet.
    NotReady,
    /// The user does not want the download.
    ConsentDeclined,
    /// The user was asked and did not say.
    ConsentTimeout,
    /// Capabilities never came.
    DetectTimeout,
    /// The server failed.
    ServerFailed,
    /// The server did not answer.
    ServerTimeout,

    // Why the best tier is tried again.
    /// The user has changed their mind.
    PreferenceChanged,
    /// The device has cooled down.
    CooledDown,
    /// A breaker's time is over.
    BreakerHalfOpen,
    /// The page asked for it.
    Retried,
}

impl Reason {
    /// The tier itself has failed, and its breaker counts that.
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

    /// A step down the chain, to the next tier and no further.
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

    /// Somebody's decision, which may pass over tiers on the way to the server.
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

    /// A way back up the chain.
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

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The name that it has in JSON is the only one.
        let json = serde_json::to_value(self).map_err(|_| std::fmt::Error)?;
        f.pad(json.as_str().ok_or(std::fmt::Error)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_json() {
        assert_eq!(Reason::DeviceLostAgain.to_string(), "device-lost-again");
        assert_eq!(format!("{:<12}|", Reason::BornLost), "born-lost   |");
    }

    #[test]
    fn no_reason_goes_both_ways() {
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
