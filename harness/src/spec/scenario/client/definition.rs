//! The types of a client's scenario.

use inference_wasm::client::machine::{Pressure, State};
use inference_wasm::client::output::ClientErrorKind;
use inference_wasm::client::router::{Complexity, Preference};
use inference_wasm::client::tier::Tier;
use inference_wasm::protocol::BackendName;

use super::super::prompts::Cases;
use super::settings::Settings;
use crate::spec::cell::BrowserName;
use crate::spec::document::Named;
use crate::spec::fault::{Fault, FaultPlan, Means};
use crate::spec::launch::Variant;

/// A scenario of the hybrid client.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientScenario {
    /// Its starting tiers. It makes cells for these backends alone.
    pub tiers: Vec<BackendName>,
    /// The client's configuration.
    pub settings: Settings,
    /// Faults of every visit, from its start.
    pub faults: Vec<FaultPlan>,
    /// At least one. The first is a visit, and so is the one after each leave.
    pub steps: Vec<ClientStep>,
}

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub enum ClientStep {
    /// Open the page and start the client: a new page in the same browser, with the same storage.
    Visit(Visit),
    /// One request, to its end.
    Request(Request),
    /// Inject faults while the client is idle.
    Inject(Inject),
    /// An input of the user or the environment.
    Input(InputStep),
    /// Wait.
    Wait(Wait),
    /// Count the client's resources.
    Inspect(Inspect),
    /// Leave the page.
    Leave,
    /// Go back, until the steps in between have been carried out the given number of times.
    Repeat(Repeat),
}

impl ClientStep {
    /// The name in TOML and in evidence.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Visit(_) => "visit",
            Self::Request(_) => "request",
            Self::Inject(_) => "inject",
            Self::Input(_) => "input",
            Self::Wait(_) => "wait",
            Self::Inspect(_) => "inspect",
            Self::Leave => "leave",
            Self::Repeat(_) => "repeat",
        }
    }

    /// The faults that are planned for it.
    pub fn faults(&self) -> &[FaultPlan] {
        match self {
            Self::Visit(Visit { faults, .. })
            | Self::Request(Request { faults, .. })
            | Self::Inject(Inject { faults, .. }) => faults,
            Self::Input(_) | Self::Wait(_) | Self::Inspect(_) | Self::Leave | Self::Repeat(_) => {
                &[]
            }
        }
    }

    /// The state that it waits for.
    pub fn until(&self) -> Option<State> {
        match self {
            Self::Visit(visit) => Some(visit.until),
            Self::Inject(Inject { until, .. }) | Self::Input(InputStep { until, .. }) => *until,
            Self::Wait(Wait::Until(state)) => Some(*state),
            Self::Wait(Wait::Ms(_))
            | Self::Request(_)
            | Self::Inspect(_)
            | Self::Leave
            | Self::Repeat(_) => None,
        }
    }
}

/// Opening the page.
#[derive(Debug, Clone, PartialEq)]
pub struct Visit {
    /// The state that the client must reach.
    pub until: State,
    /// Faults of this visit, until the next one.
    pub faults: Vec<FaultPlan>,
    /// The versions that another deployment has changed since the visit before.
    pub versions: Deployment,
}

/// The versions that differ from those of the first visit.
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
pub enum Deployment {
    /// None.
    #[default]
    Same,
    /// Those of the weights.
    OtherWeights,
    /// Those of the tokenizer.
    OtherTokenizer,
    /// Those of the prompt template.
    OtherTemplate,
}

impl Deployment {
    /// The name in TOML.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl Named for Deployment {
    const EXPECTED: &'static str = "the versions that another deployment has changed";
}

/// A request.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The prompt: the first case of the golden, or the one with an id.
    pub case: Cases,
    /// The most tokens to generate; the case's own number when absent.
    pub max_tokens: Option<u32>,
    /// The complexity that its author gives.
    pub complexity: Complexity,
    /// A capability that the model must have.
    pub capability: Option<String>,
    /// The feature that sends it.
    pub feature: Option<String>,
    /// Faults while it is answered.
    pub faults: Vec<FaultPlan>,
    /// The expected end.
    pub expect: RequestExpectation,
    /// The tier that must finish it.
    pub tier: TierExpectation,
    /// Its logits must equal those of the request of this step, bit for bit. Steps count from 1.
    pub same_bits_as: Option<u32>,
    /// An event during the request.
    pub meanwhile: Option<Meanwhile>,
}

/// The expected end of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestExpectation {
    /// With the golden's tokens.
    Answer,
    /// Cancelled, with a prefix of the golden's tokens.
    Cancelled,
    /// With this error.
    Error(ClientErrorKind),
}

/// The tier that must finish a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TierExpectation {
    /// The cell's own.
    Start,
    /// The one below it.
    Next,
    /// This one.
    Named(Tier),
}

impl TierExpectation {
    /// The tier in a cell of this backend; `None` if there is none.
    pub fn of(self, backend: BackendName) -> Option<Tier> {
        let start = Tier::CHAIN.into_iter().find(|tier| tier.backend() == Some(backend));
        match self {
            Self::Start => start,
            Self::Next => start?.next(),
            Self::Named(tier) => Some(tier),
        }
    }
}

/// An event during a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meanwhile {
    /// The number of tokens after which it happens.
    pub after_tokens: u32,
    /// The event.
    pub event: MeanwhileEvent,
}

/// See [`Meanwhile`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MeanwhileEvent {
    /// An input.
    Input(InputName),
    /// The user cancels the request.
    Cancel,
    /// The user sends another request, which is refused with `busy`.
    Request,
}

/// Inject faults while the client is idle.
#[derive(Debug, Clone, PartialEq)]
pub struct Inject {
    /// The faults, at least one.
    pub faults: Vec<FaultPlan>,
    /// The state that the client must reach afterwards.
    pub until: Option<State>,
}

/// An input of the user or the environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputStep {
    /// The input.
    pub input: InputName,
    /// The state that the client must reach afterwards.
    pub until: Option<State>,
}

/// An input, by the name that scenarios use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputName {
    /// The page is idle.
    Idle,
    /// The user agrees to the download, or declines.
    Consent(bool),
    /// The user's preference changes.
    Prefer(Preference),
    /// The battery is at 5% and not charging, or full.
    Battery {
        /// Low rather than full.
        is_low: bool,
    },
    /// The thermal pressure changes.
    Thermal(Pressure),
    /// The network is back.
    Retry,
}

impl InputName {
    /// Every input.
    pub const ALL: [Self; 13] = [
        Self::Idle,
        Self::Consent(true),
        Self::Consent(false),
        Self::Prefer(Preference::Auto),
        Self::Prefer(Preference::Always),
        Self::Prefer(Preference::Never),
        Self::Battery { is_low: true },
        Self::Battery { is_low: false },
        Self::Thermal(Pressure::Nominal),
        Self::Thermal(Pressure::Fair),
        Self::Thermal(Pressure::Serious),
        Self::Thermal(Pressure::Critical),
        Self::Retry,
    ];

    /// The name in TOML.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Consent(true) => "consent-given",
            Self::Consent(false) => "consent-declined",
            Self::Prefer(Preference::Auto) => "prefer-auto",
            Self::Prefer(Preference::Always) => "prefer-always",
            Self::Prefer(Preference::Never) => "prefer-never",
            Self::Battery { is_low: true } => "battery-low",
            Self::Battery { is_low: false } => "battery-full",
            Self::Thermal(Pressure::Nominal) => "thermal-nominal",
            Self::Thermal(Pressure::Fair) => "thermal-fair",
            Self::Thermal(Pressure::Serious) => "thermal-serious",
            Self::Thermal(Pressure::Critical) => "thermal-critical",
            Self::Retry => "retry",
        }
    }
}

/// Waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Until the client is in this state.
    Until(State),
    /// For this many milliseconds.
    Ms(u32),
}

/// Going back to an earlier step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repeat {
    /// The step to go back to; counts from 1.
    pub from: u32,
    /// How often the steps from there are carried out in total; at least twice.
    pub times: u32,
}

/// Bounds of the client's resources. Only those that are given are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Inspect {
    /// Workers that have not been ended, at most.
    pub workers_alive: Option<u32>,
    /// Object URLs that have not been revoked, at most.
    pub object_urls: Option<u32>,
    /// Bytes of shards in memory, at most.
    pub memory_shard_bytes: Option<u64>,
    /// Shards that are stored whole, at least.
    pub stored_shards_at_least: Option<u32>,
    /// Bytes that the JavaScript heap has grown by since the first inspection of the visit, at most.
    pub heap_growth_bytes: Option<u64>,
    /// Bytes that the browser's processes have grown by since then, at most.
    pub process_growth_bytes: Option<u64>,
}

impl ClientScenario {
    /// The faults of all visits and of every step.
    pub fn faults(&self) -> impl Iterator<Item = &FaultPlan> {
        self.faults.iter().chain(self.steps.iter().flat_map(ClientStep::faults))
    }

    /// The cases that requests take.
    pub(crate) fn cases(&self) -> impl Iterator<Item = &Cases> {
        self.steps.iter().filter_map(|step| match step {
            ClientStep::Request(request) => Some(&request.case),
            _ => None,
        })
    }

    /// The reason why its faults can't be injected in a browser with a starting tier; `None` if they can.
    pub fn unsupported(&self, browser: BrowserName, backend: BackendName) -> Option<String> {
        self.faults().find_map(|plan| plan.fault.unsupported(browser, backend))
    }

    /// The flags that a browser must be launched with for the faults; `None` if any will do.
    pub fn variant(&self, browser: BrowserName) -> Option<Variant> {
        self.faults().find_map(|plan| plan.fault.variant(browser))
    }

    /// Whether the launch itself is a fault, so that missing capabilities are expected.
    pub fn has_launch_fault(&self) -> bool {
        self.faults().any(|plan| matches!(plan.fault.means(), Means::Launch(_)))
    }

    /// Whether its faults leave a browser that can't be reused.
    pub(crate) fn spoils_browser(&self) -> bool {
        self.faults().map(|plan| plan.fault).any(Fault::spoils_browser)
    }
}
