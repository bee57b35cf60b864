//! Faults that users meet, made on purpose, each with a proof that it took effect.
//!
//! A scenario names a [`Fault`] and when it is to strike, see [`FaultPlan`]. How it comes about
//! ([`Means`]) differs: a shim between the page and the browser, our own server, the driver, or
//! what the browser is launched with. Whatever it was, a run asks for its proof afterwards: a
//! fault that did not happen says nothing about the product, and is trouble of our own.
//!
//! What a fault should lead to is the scenario's business.

mod catalogue;
mod driver;
mod server;

pub use catalogue::Fault;
pub(crate) use driver::DriverFault;
pub use server::ServerFault;

use crate::spec::cell::BrowserName;
use crate::spec::launch::Variant;
use inference_wasm::protocol::BackendName;

/// A fault, and when it strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultPlan {
    /// Which.
    pub fault: Fault,
    /// When.
    pub at: FaultPhase,
    /// With [`FaultPhase::Decode`] and [`FaultPhase::Readback`]: behind this many tokens.
    pub token: u32,
    /// How often: once, unless it is given. A fault that strikes for good strikes so often.
    pub times: u32,
    /// For faults with a measure: bytes, milliseconds; the catalogue says of what.
    pub value: Option<u64>,
}

/// When a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultPhase {
    /// From the beginning of the page on.
    Start,
    /// At the first dispatch.
    Probe,
    /// While weights are fetched.
    Fetch,
    /// While the engine loads the model.
    Load,
    /// While the engine works through a prompt.
    Prefill,
    /// While it generates.
    Decode,
    /// While an answer is read back from the device.
    Readback,
    /// When nothing goes on.
    Idle,
}

impl FaultPhase {
    /// Every phase.
    pub const ALL: [Self; 8] = [
        Self::Start,
        Self::Probe,
        Self::Fetch,
        Self::Load,
        Self::Prefill,
        Self::Decode,
        Self::Readback,
        Self::Idle,
    ];

    /// The name as it stands in scenarios.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Probe => "probe",
            Self::Fetch => "fetch",
            Self::Load => "load",
            Self::Prefill => "prefill",
            Self::Decode => "decode",
            Self::Readback => "readback",
            Self::Idle => "idle",
        }
    }
}

/// Whether a fault is the very thing that users meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nature {
    /// A script pretends it: shows what the client makes of it.
    Synthetic,
    /// It happens to the browser, the system or the network: shows what the platform makes of it.
    Real,
}

impl Nature {
    /// The name as it stands in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Synthetic => "synthetic",
            Self::Real => "real",
        }
    }
}

/// How a fault comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Means {
    /// A shim of `shims/`, in the page and its workers; proof is its own report.
    Shim(&'static Shim),
    /// Our server, for the weights or for the server tier; proof is its log.
    Network,
    /// The driver, in the middle of things; proof is what [`DriverFault::inject`] saw.
    Driver(DriverFault),
    /// What the browser is launched with, whatever the phase; proof is the page's own report of its capabilities.
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

impl Fault {
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
        self.facts().unsupported(browser, backend)
    }
}
