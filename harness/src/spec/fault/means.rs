//! The means by which faults are injected.

use crate::spec::launch::Variant;

/// Whether a fault is real or imitated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nature {
    /// A script imitates it, which shows how the client reacts.
    Synthetic,
    /// It happens to the browser, the system or the network, which also shows how the platform
    /// reacts.
    Real,
}

impl Nature {
    /// The name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Synthetic => "synthetic",
            Self::Real => "real",
        }
    }
}

/// The means by which a fault is injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Means {
    /// A shim of `shims/`, in the page and its workers. The proof is its own report.
    Shim(&'static Shim),
    /// Our server, for the page, the weights or the server tier. The proof is its log.
    Network,
    /// The driver, during a step. The proof is what the injection observed.
    Driver(DriverFault),
    /// The flags of the launch, in every phase. The proof is the page's report of its capabilities.
    Launch(Variant),
}

/// A script that is served to pages under `fault/`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Shim {
    /// Its name, in addresses and events.
    pub(crate) name: &'static str,
    /// Its text.
    pub(crate) source: &'static str,
}

/// A fault that comes from outside the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DriverFault {
    /// The GPU process crashes, by the browser's own command for it.
    CrashGpu,
    /// The GPU process gets SIGKILL.
    KillGpu,
    /// The GPU process is stopped, and continues when the fault is undone.
    StopGpu,
    /// Storage has room for a limited number of bytes.
    Quota,
    /// The origin's storage is cleared.
    ClearStorage,
    /// The processor runs at a fraction of its speed.
    ThrottleCpu,
    /// The tab is frozen, and thawed when the fault is undone.
    FreezeTab,
    /// The tab crashes. The scenario continues in a new one.
    CrashTab,
}
