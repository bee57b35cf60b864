//! Every fault: its means, and the browsers and tiers that it applies to.

use inference_wasm::protocol::BackendName;
use strum::{EnumString, IntoStaticStr, VariantArray, VariantNames};

use super::means::{DriverFault, Means, Nature, Shim};
use crate::spec::cell::BrowserName;
use crate::spec::document::Named;
use crate::spec::launch::Variant;

/// A fault, by the name that scenarios use.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    EnumString,
    IntoStaticStr,
    VariantArray,
    VariantNames,
)]
#[strum(serialize_all = "kebab-case")]
pub enum Fault {
    // Devices, by a shim of the WebGPU and WebGL2 interfaces.
    /// `device.destroy()`, or `loseContext()` with the context restored.
    DeviceDestroyed,
    /// `loseContext()` without a restore; for WebGPU the same as [`Self::DeviceDestroyed`].
    ContextLost,
    /// `requestAdapter()` returns null; there is no context.
    AdapterNull,
    /// `requestDevice()` rejects.
    DeviceRejected,
    /// `requestDevice()` returns a device that is already lost.
    BornLost,
    /// An optional feature is missing from the device, though the adapter listed it.
    FeatureStripped,
    /// Limits are those of the smallest devices.
    LimitsLowered,
    /// The device reports that it is out of memory.
    OutOfMemory,
    /// The first dispatch returns a wrong result.
    FirstDispatchWrong,
    /// Readbacks never complete, and the device is not lost.
    GpuHangs,
    /// Readbacks complete late; `value`: by this many milliseconds. Leaves time to inject other
    /// faults during a step.
    GpuSlow,
    /// The worker throws an error that is not caught.
    WorkerCrashed,
    /// The worker hangs.
    WorkerHangs,
    // Devices, for real.
    /// The GPU process crashes at the browser's command.
    GpuCrashed,
    /// The GPU process is killed.
    GpuKilled,
    /// The GPU process is stopped.
    GpuStopped,
    // Storage.
    /// Writing fails with `QuotaExceededError`; `value`: bytes that still fit.
    QuotaExceeded,
    /// The browser's quota is lowered; `value`: to this many bytes.
    QuotaLowered,
    /// Fewer bytes are written than were given, without an error.
    ShortWrite,
    /// A stored byte has changed.
    StoredByteFlipped,
    /// A stored shard is gone.
    ShardEvicted,
    /// Everything stored is gone.
    AllEvicted,
    /// Everything stored is gone, by the browser's own command.
    StorageCleared,
    /// `persist()` is denied.
    PersistenceDenied,
    /// Storage interfaces are missing; `value`: this many, the preferred ones first.
    StorageAbsent,
    /// Storage interfaces never answer.
    StorageHangs,
    // The network.
    /// Connections for weights break off before the first byte.
    WeightsOffline,
    /// Weights arrive slowly; `value`: milliseconds between pieces.
    WeightsSlow,
    /// The connection breaks off after `value` bytes of a shard.
    WeightsCut,
    /// Status 500.
    WeightsFail,
    /// Status 404.
    WeightsMissing,
    /// A web page instead of weights.
    WeightsHtml,
    /// A complete response with fewer bytes than the manifest says.
    WeightsShort,
    /// The server tier answers 503.
    ServerDown,
    /// The server tier does not answer; `value`: for this many milliseconds.
    ServerSlow,
    /// The server tier's stream ends after `value` tokens.
    ServerHalf,
    // The surroundings.
    /// The page is served without the headers for cross-origin isolation.
    NotIsolated,
    /// `hardwareConcurrency` is 1.
    FewCores,
    /// `deviceMemory` is a quarter of a GiB.
    LowMemory,
    /// The battery is at 5% and not charging.
    LowBattery,
    /// The connection is metered.
    Metered,
    /// The names of browser and GPU are masked, and interfaces that reveal more are removed.
    Masked,
    /// The processor is slow; `value`: times slower.
    CpuThrottled,
    /// The tab is frozen for a while.
    TabFrozen,
    /// The tab crashes.
    TabCrashed,
    /// WebAssembly is switched off.
    WithoutWasm,
    /// WebGPU and WebGL are switched off.
    WithoutGpu,
}

/// A fault's row in the table.
struct Facts {
    means: Means,
    /// Browsers in which it can be injected, and the reason; `None` for all but the native engine.
    browsers: Option<(&'static [BrowserName], &'static str)>,
    /// Starting tiers that it applies to, and the reason; `None` for all.
    backends: Option<(&'static [BackendName], &'static str)>,
    /// It stops or ends the engine's thread, which must be a worker.
    needs_worker: bool,
}

impl Facts {
    fn unsupported(&self, browser: BrowserName, backend: BackendName) -> Option<&'static str> {
        if let Some((browsers, reason)) = self.browsers
            && !browsers.contains(&browser)
        {
            return Some(reason);
        }
        if self.needs_worker && (browser, backend) == (BrowserName::Webkit, BackendName::Webgl) {
            return Some(ON_MAIN_THREAD);
        }
        match self.backends {
            Some((backends, reason)) if !backends.contains(&backend) => Some(reason),
            _ => None,
        }
    }
}

macro_rules! shims {
    ($($name:ident = $file:literal;)*) => {
        $(static $name: Shim = Shim {
            name: $file,
            source: include_str!(concat!("shims/", $file, ".js")),
        };)*
    };
}

shims! {
    GPU = "gpu";
    WORKER = "worker";
    STORAGE = "storage";
    SURROUNDINGS = "surroundings";
}

const GPU_TIERS: (&[BackendName], &str) =
    (&[BackendName::Webgpu, BackendName::Webgl], "only tiers on a GPU have a device to lose");
const WEBGPU_TIER: (&[BackendName], &str) = (&[BackendName::Webgpu], "WebGL2 has no equivalent");
const BY_CDP: (&[BrowserName], &str) =
    (&[BrowserName::Chrome], "only Chromium has a command for it (CDP)");

const ON_MAIN_THREAD: &str = "WebKit has WebGL2 on the page's main thread alone, where the engine has no worker to lose, and \
     a thread that hangs is the page's own";

const GPU_PROCESS: (&[BrowserName], &str) = (
    &[BrowserName::Chrome, BrowserName::Firefox],
    "the browser computes on the GPU in the page's own process",
);

impl Fault {
    /// Every fault.
    pub const ALL: &'static [Self] = <Self as VariantArray>::VARIANTS;

    /// The name in scenarios.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether it is real or imitated.
    pub fn nature(self) -> Nature {
        match self.means() {
            Means::Shim(_) => Nature::Synthetic,
            Means::Network | Means::Driver(_) | Means::Launch(_) => Nature::Real,
        }
    }

    pub(crate) fn means(self) -> Means {
        self.facts().means
    }

    /// The flags that a browser must be launched with for it; `None` for the default.
    ///
    /// A browser without a GPU process of its own gets one, so that it can be killed.
    pub(crate) fn variant(self, browser: BrowserName) -> Option<Variant> {
        match (self.means(), browser) {
            (Means::Launch(variant), _) => Some(variant),
            (Means::Driver(DriverFault::KillGpu), BrowserName::Firefox) => {
                Some(Variant::CrashableGpu)
            }
            _ => None,
        }
    }

    /// Whether a browser can't be reused for another page afterwards.
    pub(crate) fn spoils_browser(self) -> bool {
        matches!(
            self.means(),
            Means::Driver(
                DriverFault::CrashGpu
                    | DriverFault::KillGpu
                    | DriverFault::StopGpu
                    | DriverFault::CrashTab
                    | DriverFault::FreezeTab
            )
        )
    }

    /// The reason why it can't be injected in a browser with a starting tier; `None` if it can.
    pub fn unsupported(self, browser: BrowserName, backend: BackendName) -> Option<String> {
        let reason = self.facts().unsupported(browser, backend)?;
        Some(format!("fault `{}`: {reason}", self.as_str()))
    }

    fn facts(self) -> Facts {
        let of = |means| Facts { means, browsers: None, backends: None, needs_worker: false };
        let shim = |shim| of(Means::Shim(shim));
        let driver = |fault| Facts { browsers: Some(BY_CDP), ..of(Means::Driver(fault)) };
        let on_gpu = |facts: Facts| Facts { backends: Some(GPU_TIERS), ..facts };
        let on_webgpu = |facts: Facts| Facts { backends: Some(WEBGPU_TIER), ..facts };
        let of_worker = |facts: Facts| Facts { needs_worker: true, ..facts };
        match self {
            Self::DeviceDestroyed
            | Self::ContextLost
            | Self::AdapterNull
            | Self::FirstDispatchWrong
            | Self::GpuSlow => on_gpu(shim(&GPU)),
            Self::GpuHangs => of_worker(on_gpu(shim(&GPU))),
            Self::DeviceRejected
            | Self::BornLost
            | Self::FeatureStripped
            | Self::LimitsLowered
            | Self::OutOfMemory => on_webgpu(shim(&GPU)),
            Self::WorkerCrashed | Self::WorkerHangs => of_worker(shim(&WORKER)),
            Self::GpuCrashed => on_gpu(driver(DriverFault::CrashGpu)),
            Self::GpuKilled => {
                Facts { browsers: Some(GPU_PROCESS), ..on_gpu(driver(DriverFault::KillGpu)) }
            }
            Self::GpuStopped => on_gpu(driver(DriverFault::StopGpu)),
            Self::QuotaExceeded
            | Self::ShortWrite
            | Self::StoredByteFlipped
            | Self::ShardEvicted
            | Self::AllEvicted
            | Self::PersistenceDenied
            | Self::StorageAbsent
            | Self::StorageHangs => shim(&STORAGE),
            Self::QuotaLowered => driver(DriverFault::Quota),
            Self::StorageCleared => driver(DriverFault::ClearStorage),
            Self::WeightsOffline
            | Self::WeightsSlow
            | Self::WeightsCut
            | Self::WeightsFail
            | Self::WeightsMissing
            | Self::WeightsHtml
            | Self::WeightsShort
            | Self::ServerDown
            | Self::ServerSlow
            | Self::ServerHalf
            | Self::NotIsolated => of(Means::Network),
            Self::FewCores | Self::LowMemory | Self::LowBattery | Self::Metered | Self::Masked => {
                shim(&SURROUNDINGS)
            }
            Self::CpuThrottled => driver(DriverFault::ThrottleCpu),
            Self::TabFrozen => driver(DriverFault::FreezeTab),
            Self::TabCrashed => driver(DriverFault::CrashTab),
            Self::WithoutWasm => of(Means::Launch(Variant::WithoutWasm)),
            Self::WithoutGpu => of(Means::Launch(Variant::WithoutGpu)),
        }
    }
}

impl Named for Fault {
    const EXPECTED: &'static str = "the name of a fault";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_that_can_not_be_injected_has_a_reason() {
        use BackendName::{Wasm, Webgl, Webgpu};
        use BrowserName::{Chrome, Firefox, Webkit};
        for (fault, browser, backend, is_possible) in [
            (Fault::GpuCrashed, Chrome, Webgl, true),
            (Fault::GpuCrashed, Firefox, Webgl, false),
            (Fault::GpuKilled, Firefox, Webgpu, true),
            (Fault::GpuKilled, Firefox, Wasm, false),
            (Fault::BornLost, Firefox, Webgl, false),
            (Fault::WeightsHtml, Webkit, Wasm, true),
        ] {
            let reason = fault.unsupported(browser, backend);
            assert_eq!(reason.is_none(), is_possible, "{fault:?} {browser} {backend}: {reason:?}");
        }
        assert_eq!(
            Fault::GpuKilled.unsupported(Webkit, Webgl).unwrap(),
            "fault `gpu-killed`: the browser computes on the GPU in the page's own process"
        );
    }

    #[test]
    fn a_shim_is_served_by_the_name_that_events_have() {
        for fault in Fault::ALL {
            if let Means::Shim(shim) = fault.means() {
                assert!(shim.source.contains("export function install("), "{}", shim.name);
            }
        }
    }
}
