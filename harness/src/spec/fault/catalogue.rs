//! Every fault: its name, how it comes about, where it can be had.

use inference_wasm::protocol::BackendName;

use super::driver::DriverFault;
use super::{Means, Nature, Shim};
use crate::spec::cell::BrowserName;
use crate::spec::launch::Variant;

/// A fault, by the name that scenarios use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
pub(super) struct Facts {
    /// As it stands in scenarios.
    name: &'static str,
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
    pub(super) fn unsupported(&self, browser: BrowserName, backend: BackendName) -> Option<String> {
        let named = |reason: &str| Some(format!("fault `{}`: {reason}", self.name));
        if let Some((browsers, reason)) = self.browsers
            && !browsers.contains(&browser)
        {
            return named(reason);
        }
        if self.needs_worker && (browser, backend) == (BrowserName::Webkit, BackendName::Webgl) {
            return named(ON_MAIN_THREAD);
        }
        match self.backends {
            Some((backends, reason)) if !backends.contains(&backend) => named(reason),
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
    pub const ALL: [Self; 47] = [
        Self::DeviceDestroyed,
        Self::ContextLost,
        Self::AdapterNull,
        Self::DeviceRejected,
        Self::BornLost,
        Self::FeatureStripped,
        Self::LimitsLowered,
        Self::OutOfMemory,
        Self::FirstDispatchWrong,
        Self::GpuHangs,
        Self::GpuSlow,
        Self::WorkerCrashed,
        Self::WorkerHangs,
        Self::GpuCrashed,
        Self::GpuKilled,
        Self::GpuStopped,
        Self::QuotaExceeded,
        Self::QuotaLowered,
        Self::ShortWrite,
        Self::StoredByteFlipped,
        Self::ShardEvicted,
        Self::AllEvicted,
        Self::StorageCleared,
        Self::PersistenceDenied,
        Self::StorageAbsent,
        Self::StorageHangs,
        Self::WeightsOffline,
        Self::WeightsSlow,
        Self::WeightsCut,
        Self::WeightsFail,
        Self::WeightsMissing,
        Self::WeightsHtml,
        Self::WeightsShort,
        Self::ServerDown,
        Self::ServerSlow,
        Self::ServerHalf,
        Self::NotIsolated,
        Self::FewCores,
        Self::LowMemory,
        Self::LowBattery,
        Self::Metered,
        Self::Masked,
        Self::CpuThrottled,
        Self::TabFrozen,
        Self::TabCrashed,
        Self::WithoutWasm,
        Self::WithoutGpu,
    ];

    /// The name as it stands in scenarios.
    pub fn as_str(self) -> &'static str {
        self.facts().name
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

    #[rustfmt::skip] // A table: one line for each, so that columns can be compared.
    pub(super) fn facts(self) -> Facts {
        let shim = |name, title, shim| Facts {
            name, title, means: Means::Shim(shim), browsers: None, backends: None, needs_worker: false,
        };
        let network = |name, title| Facts {
            name, title, means: Means::Network, browsers: None, backends: None, needs_worker: false,
        };
        let driver = |name, title, fault| Facts {
            name, title, means: Means::Driver(fault), browsers: Some(BY_CDP), backends: None, needs_worker: false,
        };
        let launch = |name, title, variant| Facts {
            name, title, means: Means::Launch(variant), browsers: None, backends: None, needs_worker: false,
        };
        let on_gpu = |facts: Facts| Facts { backends: Some(GPU_TIERS), ..facts };
        let on_webgpu = |facts: Facts| Facts { backends: Some(WEBGPU_TIER), ..facts };
        let of_worker = |facts: Facts| Facts { needs_worker: true, ..facts };
        match self {
            Self::DeviceDestroyed => on_gpu(shim("device-destroyed", "the device is destroyed", &GPU)),
            Self::ContextLost => on_gpu(shim("context-lost", "the context is lost for good", &GPU)),
            Self::AdapterNull => on_gpu(shim("adapter-null", "there is no adapter", &GPU)),
            Self::DeviceRejected => on_webgpu(shim("device-rejected", "the adapter gives no device", &GPU)),
            Self::BornLost => on_webgpu(shim("born-lost", "the device is lost when it comes", &GPU)),
            Self::FeatureStripped => on_webgpu(shim("feature-stripped", "an optional feature is gone", &GPU)),
            Self::LimitsLowered => on_webgpu(shim("limits-lowered", "limits are the smallest that there are", &GPU)),
            Self::OutOfMemory => on_webgpu(shim("out-of-memory", "the device has no memory", &GPU)),
            Self::FirstDispatchWrong => on_gpu(shim("first-dispatch-wrong", "the first dispatch comes back wrong", &GPU)),
            Self::GpuHangs => of_worker(on_gpu(shim("gpu-hangs", "what is read back never comes", &GPU))),
            Self::GpuSlow => on_gpu(shim("gpu-slow", "what is read back comes late", &GPU)),
            Self::WorkerCrashed => of_worker(shim("worker-crashed", "the engine's worker throws", &WORKER)),
            Self::WorkerHangs => of_worker(shim("worker-hangs", "the engine's worker stands still", &WORKER)),
            Self::GpuCrashed => on_gpu(driver("gpu-crashed", "the GPU process crashes", DriverFault::CrashGpu)),
            Self::GpuKilled => Facts {
                browsers: Some(GPU_PROCESS),
                ..on_gpu(driver("gpu-killed", "the GPU process is killed", DriverFault::KillGpu))
            },
            Self::GpuStopped => on_gpu(driver("gpu-stopped", "the GPU process stands still", DriverFault::StopGpu)),
            Self::QuotaExceeded => shim("quota-exceeded", "storage is full", &STORAGE),
            Self::QuotaLowered => driver("quota-lowered", "the browser's quota is lowered", DriverFault::Quota),
            Self::ShortWrite => shim("short-write", "fewer bytes are stored than were given", &STORAGE),
            Self::StoredByteFlipped => shim("stored-byte-flipped", "a stored byte is another one", &STORAGE),
            Self::ShardEvicted => shim("shard-evicted", "a stored shard is gone", &STORAGE),
            Self::AllEvicted => shim("all-evicted", "everything stored is gone", &STORAGE),
            Self::StorageCleared => driver("storage-cleared", "the browser clears the origin's storage", DriverFault::ClearStorage),
            Self::PersistenceDenied => shim("persistence-denied", "the browser will not persist", &STORAGE),
            Self::StorageAbsent => shim("storage-absent", "there is no storage", &STORAGE),
            Self::StorageHangs => shim("storage-hangs", "storage never answers", &STORAGE),
            Self::WeightsOffline => network("weights-offline", "no connection for weights"),
            Self::WeightsSlow => network("weights-slow", "weights come slowly"),
            Self::WeightsCut => network("weights-cut", "the connection breaks off in a shard"),
            Self::WeightsFail => network("weights-fail", "the weights' server fails"),
            Self::WeightsMissing => network("weights-missing", "weights are not there"),
            Self::WeightsHtml => network("weights-html", "a web page comes instead of weights"),
            Self::WeightsShort => network("weights-short", "a shard is shorter than the manifest says"),
            Self::ServerDown => network("server-down", "the server tier is down"),
            Self::ServerSlow => network("server-slow", "the server tier does not answer"),
            Self::ServerHalf => network("server-half", "the server tier's stream ends in the middle"),
            Self::NotIsolated => network("not-isolated", "the page is not cross-origin isolated"),
            Self::FewCores => shim("few-cores", "one core", &SURROUNDINGS),
            Self::LowMemory => shim("low-memory", "little memory", &SURROUNDINGS),
            Self::LowBattery => shim("low-battery", "the battery is low", &SURROUNDINGS),
            Self::Metered => shim("metered", "the connection is metered", &SURROUNDINGS),
            Self::Masked => shim("masked", "names are masked", &SURROUNDINGS),
            Self::CpuThrottled => driver("cpu-throttled", "the processor is slow", DriverFault::ThrottleCpu),
            Self::TabFrozen => driver("tab-frozen", "the tab is frozen", DriverFault::FreezeTab),
            Self::TabCrashed => driver("tab-crashed", "the tab crashes", DriverFault::CrashTab),
            Self::WithoutWasm => launch("without-wasm", "WebAssembly is off", Variant::WithoutWasm),
            Self::WithoutGpu => launch("without-gpu", "WebGPU and WebGL are off", Variant::WithoutGpu),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_fault_has_a_name_of_its_own() {
        let names: BTreeSet<_> = Fault::ALL.iter().map(|fault| fault.as_str()).collect();
        assert_eq!(names.len(), Fault::ALL.len());
    }

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
