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

/// What makes a scenario one of the hybrid client.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientScenario {
    /// The starting tiers that it is about: it makes cells for these backends alone.
    pub tiers: Vec<BackendName>,
    /// How the client is made.
    pub settings: Settings,
    /// What strikes in every visit, from its beginning on.
    pub faults: Vec<FaultPlan>,
    /// Never empty; the first one is a visit, and so is the one behind each leave.
    pub steps: Vec<ClientStep>,
}

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub enum ClientStep {
    /// Open the page and start the client: another page, the same browser and storage.
    Visit(Visit),
    /// One request, to its end.
    Request(Request),
    /// Faults while nothing goes on.
    Inject(Inject),
    /// Something of the user's or of the surroundings.
    Input(InputStep),
    /// Wait.
    Wait(Wait),
    /// Count what the client holds.
    Inspect(Inspect),
    /// Leave the page.
    Leave,
    /// Go back, until the steps between have been carried out so many times.
    Repeat(Repeat),
}

impl ClientStep {
    /// The name as it stands in TOML and in evidence.
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
    /// The state that has to come.
    pub until: State,
    /// What strikes in this visit, until the next one.
    pub faults: Vec<FaultPlan>,
    /// What another deployment has changed since the visit before.
    pub versions: Deployment,
}

/// Which of the versions that belong together are others than in the first visit.
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
    /// What to continue: the first case of the golden, or the one of an id.
    pub case: Cases,
    /// The most tokens to generate; the case's own number when absent.
    pub max_tokens: Option<u32>,
    /// How hard its author says it is.
    pub complexity: Complexity,
    /// What the model must be good for.
    pub capability: Option<String>,
    /// The feature that asks.
    pub feature: Option<String>,
    /// What strikes while it is answered.
    pub faults: Vec<FaultPlan>,
    /// How it has to end.
    pub expect: RequestExpectation,
    /// The tier that has to finish it.
    pub tier: TierExpectation,
    /// Its logits have to be those of the request of this step, bit for bit. Steps count from 1.
    pub same_bits_as: Option<u32>,
    /// What happens when so many tokens have come.
    pub meanwhile: Option<Meanwhile>,
}

/// How a request has to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestExpectation {
    /// With the golden's tokens.
    Answer,
    /// Cancelled, with a beginning of the golden's tokens.
    Cancelled,
    /// With this error.
    Error(ClientErrorKind),
}

/// The tier that has to finish a request.
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
    /// Which it is in a cell of this backend; `None` where there is none.
    pub fn of(self, backend: BackendName) -> Option<Tier> {
        let start = Tier::CHAIN.into_iter().find(|tier| tier.backend() == Some(backend));
        match self {
            Self::Start => start,
            Self::Next => start?.next(),
            Self::Named(tier) => Some(tier),
        }
    }
}

/// What happens in the middle of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meanwhile {
    /// When so many tokens have come.
    pub after_tokens: u32,
    /// It.
    pub event: MeanwhileEvent,
}

/// See [`Meanwhile`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MeanwhileEvent {
    /// An input.
    Input(InputName),
    /// The user cancels the request.
    Cancel,
    /// The user asks for something else, which is refused with `busy`.
    Request,
}

/// Faults while nothing goes on.
#[derive(Debug, Clone, PartialEq)]
pub struct Inject {
    /// They; never empty.
    pub faults: Vec<FaultPlan>,
    /// The state that has to come behind them.
    pub until: Option<State>,
}

/// Something of the user's or of the surroundings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputStep {
    /// What.
    pub input: InputName,
    /// The state that has to come behind it.
    pub until: Option<State>,
}

/// An input, by the name that scenarios use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputName {
    /// The page has nothing better to do.
    Idle,
    /// The user agrees to the download, or not.
    Consent(bool),
    /// The user decides who decides.
    Prefer(Preference),
    /// The battery is at 5% and not charging, or full.
    Battery {
        /// The former.
        is_low: bool,
    },
    /// How hot the device is.
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
    /// Until the client is in this state; at once where it is.
    Until(State),
    /// So long.
    Ms(u32),
}

/// Going back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repeat {
    /// The step to go back to; counts from 1.
    pub from: u32,
    /// How often the steps from there on are carried out in all; at least twice.
    pub times: u32,
}

/// Bounds of what the client holds; each is looked at only where it is given.
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
    /// Every fault of every step, and those of all visits.
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

    /// Why a browser can't be made to suffer this with a starting tier; `None` where it can.
    pub fn unsupported(&self, browser: BrowserName, backend: BackendName) -> Option<String> {
        self.faults().find_map(|plan| plan.fault.unsupported(browser, backend))
    }

    /// The flags that a browser has to be launched with for the faults; `None` where any will do.
    pub fn variant(&self, browser: BrowserName) -> Option<Variant> {
        self.faults().find_map(|plan| plan.fault.variant(browser))
    }

    /// The launch is a fault itself, so that what the browser lacks is as it has to be.
    pub fn has_launch_fault(&self) -> bool {
        self.faults().any(|plan| matches!(plan.fault.means(), Means::Launch(_)))
    }

    /// The faults that leave a browser behind that nobody else should use.
    pub(crate) fn spoils_browser(&self) -> bool {
        self.faults().map(|plan| plan.fault).any(Fault::spoils_browser)
    }
}
