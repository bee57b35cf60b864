//! Every fault: its name, how it comes about, where it can be had.

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
    /// `requestAdapter()` gives null; no context.
    AdapterNull,
    /// `requestDevice()` rejects.
    DeviceRejected,
    /// The device that `requestDevice()` gives is lost already.
    BornLost,
    /// An optional feature is gone, though the adapter had it a moment ago.
    FeatureStripped,
    /// Limits are those of the smallest devices that there are.
    LimitsLowered,
    /// The device says that it is out of memory.
    OutOfMemory,
    /// What the first dispatch computes comes back wrong.
    FirstDispatchWrong,
    /// What is read back never comes, and the device is not lost.
    GpuHangs,
    /// What is read back comes late; `value`: by so many milliseconds. Gives other faults the time
    /// to strike in the middle of things.
    GpuSlow,
    /// The worker throws, and nobody catches it.
    WorkerCrashed,
    /// The worker stands still.
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
    /// The browser's quota is lowered; `value`: to so many bytes.
    QuotaLowered,
    /// Fewer bytes are written than were given, and nobody says so.
    ShortWrite,
    /// A byte of what is stored is another one.
    StoredByteFlipped,
    /// One stored shard is gone.
    ShardEvicted,
    /// All that is stored is gone.
    AllEvicted,
    /// The same, by the browser's own command.
    StorageCleared,
    /// `persist()` says no.
    PersistenceDenied,
    /// There is no storage interface; `value`: so many of them are missing, the first choice first.
    StorageAbsent,
    /// Storage interfaces never answer.
    StorageHangs,
    // The network.
    /// Connections for weights break off before the first byte.
    WeightsOffline,
    /// Weights come slowly; `value`: milliseconds between pieces.
    WeightsSlow,
    /// The connection breaks off behind so many bytes of a shard: `value`.
    WeightsCut,
    /// Status 500.
    WeightsFail,
    /// Status 404.
    WeightsMissing,
    /// A web page instead of weights.
    WeightsHtml,
    /// Fewer bytes than the manifest says, as a whole answer.
    WeightsShort,
    /// The server tier answers 503.
    ServerDown,
    /// The server tier does not answer; `value`: for so many milliseconds.
    ServerSlow,
    /// The server tier's stream ends behind so many tokens: `value`.
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
    /// Names of browser and GPU are masked, and interfaces that tell more are gone.
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

/// What is to be known about a fault.
struct Facts {
    /// On one line, for people.
    title: &'static str,
    means: Means,
    /// Browsers that have it; `None` for all, the native engine excepted.
    browsers: Option<(&'static [BrowserName], &'static str)>,
    /// Starting tiers that it is about; `None` for all.
    backends: Option<(&'static [BackendName], &'static str)>,
    /// It stops or ends the thread that the engine is on, which has to be a worker.
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
const WEBGPU_TIER: (&[BackendName], &str) = (&[BackendName::Webgpu], "WebGL2 has nothing like it");
const BY_CDP: (&[BrowserName], &str) =
    (&[BrowserName::Chrome], "only Chromium has a command for it (CDP)");

const ON_MAIN_THREAD: &str = "WebKit has WebGL2 on the page's main thread alone, where the engine has no worker to lose, and \
     a thread that stands still is the page's own";

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

    /// What it is, on one line.
    pub fn title(self) -> &'static str {
        self.facts().title
    }

    /// Whether it is the very thing that users meet.
    pub fn nature(self) -> Nature {
        match self.means() {
            Means::Shim(_) => Nature::Synthetic,
            Means::Network | Means::Driver(_) | Means::Launch(_) => Nature::Real,
        }
    }

    pub(crate) fn means(self) -> Means {
        self.facts().means
    }

    /// The set of flags that a browser must be launched with for it; `None` for the default.
    ///
    /// A browser without a GPU process of its own gets one, so that there is one to kill.
    pub(crate) fn variant(self, browser: BrowserName) -> Option<Variant> {
        match (self.means(), browser) {
            (Means::Launch(variant), _) => Some(variant),
            (Means::Driver(DriverFault::KillGpu), BrowserName::Firefox) => {
                Some(Variant::CrashableGpu)
            }
            _ => None,
        }
    }

    /// Whether a browser is not to be trusted with another page after it.
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

    /// Why this fault can't be had with a browser and a starting tier; `None` where it can.
    pub fn unsupported(self, browser: BrowserName, backend: BackendName) -> Option<String> {
        let reason = self.facts().unsupported(browser, backend)?;
        Some(format!("fault `{}`: {reason}", self.as_str()))
    }

    #[rustfmt::skip] // A table: one line for each, so that columns can be compared.
    fn facts(self) -> Facts {
        let shim = |title, shim| Facts {
            title, means: Means::Shim(shim), browsers: None, backends: None, needs_worker: false,
        };
        let network = |title| Facts {
            title, means: Means::Network, browsers: None, backends: None, needs_worker: false,
        };
        let driver = |title, fault| Facts {
            title, means: Means::Driver(fault), browsers: Some(BY_CDP), backends: None, needs_worker: false,
        };
        let launch = |title, variant| Facts {
            title, means: Means::Launch(variant), browsers: None, backends: None, needs_worker: false,
        };
        let on_gpu = |facts: Facts| Facts { backends: Some(GPU_TIERS), ..facts };
        let on_webgpu = |facts: Facts| Facts { backends: Some(WEBGPU_TIER), ..facts };
        let of_worker = |facts: Facts| Facts { needs_worker: true, ..facts };
        match self {
            Self::DeviceDestroyed => on_gpu(shim("the device is destroyed", &GPU)),
            Self::ContextLost => on_gpu(shim("the context is lost for good", &GPU)),
            Self::AdapterNull => on_gpu(shim("there is no adapter", &GPU)),
            Self::DeviceRejected => on_webgpu(shim("the adapter gives no device", &GPU)),
            Self::BornLost => on_webgpu(shim("the device is lost when it comes", &GPU)),
            Self::FeatureStripped => on_webgpu(shim("an optional feature is gone", &GPU)),
            Self::LimitsLowered => on_webgpu(shim("limits are the smallest that there are", &GPU)),
            Self::OutOfMemory => on_webgpu(shim("the device has no memory", &GPU)),
            Self::FirstDispatchWrong => on_gpu(shim("the first dispatch comes back wrong", &GPU)),
            Self::GpuHangs => of_worker(on_gpu(shim("what is read back never comes", &GPU))),
            Self::GpuSlow => on_gpu(shim("what is read back comes late", &GPU)),
            Self::WorkerCrashed => of_worker(shim("the engine's worker throws", &WORKER)),
            Self::WorkerHangs => of_worker(shim("the engine's worker stands still", &WORKER)),
            Self::GpuCrashed => on_gpu(driver("the GPU process crashes", DriverFault::CrashGpu)),
            Self::GpuKilled => Facts {
                browsers: Some(GPU_PROCESS),
                ..on_gpu(driver("the GPU process is killed", DriverFault::KillGpu))
            },
            Self::GpuStopped => on_gpu(driver("the GPU process stands still", DriverFault::StopGpu)),
            Self::QuotaExceeded => shim("storage is full", &STORAGE),
            Self::QuotaLowered => driver("the browser's quota is lowered", DriverFault::Quota),
            Self::ShortWrite => shim("fewer bytes are stored than were given", &STORAGE),
            Self::StoredByteFlipped => shim("a stored byte is another one", &STORAGE),
            Self::ShardEvicted => shim("a stored shard is gone", &STORAGE),
            Self::AllEvicted => shim("everything stored is gone", &STORAGE),
            Self::StorageCleared => driver("the browser clears the origin's storage", DriverFault::ClearStorage),
            Self::PersistenceDenied => shim("the browser will not persist", &STORAGE),
            Self::StorageAbsent => shim("there is no storage", &STORAGE),
            Self::StorageHangs => shim("storage never answers", &STORAGE),
            Self::WeightsOffline => network("no connection for weights"),
            Self::WeightsSlow => network("weights come slowly"),
            Self::WeightsCut => network("the connection breaks off in a shard"),
            Self::WeightsFail => network("the weights' server fails"),
            Self::WeightsMissing => network("weights are not there"),
            Self::WeightsHtml => network("a web page comes instead of weights"),
            Self::WeightsShort => network("a shard is shorter than the manifest says"),
            Self::ServerDown => network("the server tier is down"),
            Self::ServerSlow => network("the server tier does not answer"),
            Self::ServerHalf => network("the server tier's stream ends in the middle"),
            Self::NotIsolated => network("the page is not cross-origin isolated"),
            Self::FewCores => shim("one core", &SURROUNDINGS),
            Self::LowMemory => shim("little memory", &SURROUNDINGS),
            Self::LowBattery => shim("the battery is low", &SURROUNDINGS),
            Self::Metered => shim("the connection is metered", &SURROUNDINGS),
            Self::Masked => shim("names are masked", &SURROUNDINGS),
            Self::CpuThrottled => driver("the processor is slow", DriverFault::ThrottleCpu),
            Self::TabFrozen => driver("the tab is frozen", DriverFault::FreezeTab),
            Self::TabCrashed => driver("the tab crashes", DriverFault::CrashTab),
            Self::WithoutWasm => launch("WebAssembly is off", Variant::WithoutWasm),
            Self::WithoutGpu => launch("WebGPU and WebGL are off", Variant::WithoutGpu),
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
    fn where_a_fault_can_not_be_had_the_reason_is_told() {
        use BackendName::{Wasm, Webgl, Webgpu};
        use BrowserName::{Chrome, Firefox, Webkit};
        for (fault, browser, backend, is_there) in [
            (Fault::GpuCrashed, Chrome, Webgl, true),
            (Fault::GpuCrashed, Firefox, Webgl, false),
            (Fault::GpuKilled, Firefox, Webgpu, true),
            (Fault::GpuKilled, Firefox, Wasm, false),
            (Fault::BornLost, Firefox, Webgl, false),
            (Fault::WeightsHtml, Webkit, Wasm, true),
        ] {
            let reason = fault.unsupported(browser, backend);
            assert_eq!(reason.is_none(), is_there, "{fault:?} {browser} {backend}: {reason:?}");
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
