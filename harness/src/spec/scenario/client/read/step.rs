//! The `[[steps]]` of a client's scenario, each by itself; what they mean for each other is
//! looked at in [`super::read`].

use inference_wasm::client::machine::{Pressure, State};
use inference_wasm::client::output::ClientErrorKind;
use inference_wasm::client::router::{Complexity, Preference};
use inference_wasm::client::tier::Tier;
use toml::Spanned;
use toml::de::DeValue;

use super::{
    ClientStep, Deployment, Inject, InputName, InputStep, Inspect, Meanwhile, MeanwhileEvent,
    Repeat, Request, RequestExpectation, TierExpectation, Visit, Wait,
};
use crate::spec::document::{FromValue, Problem, Problems, Table, Unfit};
use crate::spec::fault::{Fault, FaultPhase, FaultPlan, Means};
use crate::spec::scenario::Cases;
use crate::spec::scenario::read::{named, positive};

/// What a step does.
#[derive(Clone, Copy)]
enum Do {
    Visit,
    Request,
    Inject,
    Input,
    Wait,
    Inspect,
    Leave,
    Repeat,
}

pub(super) fn step(table: &Table<'_>, problems: &Problems) -> Option<ClientStep> {
    let Some(does) = table.required::<Do>("do") else {
        table.accept_any_key();
        return None;
    };
    Some(match does.into_inner() {
        Do::Visit => ClientStep::Visit(Visit {
            until: table.optional("until").map_or(State::Ready, Spanned::into_inner),
            faults: faults(table, problems, &VISIT),
            versions: table.optional("versions").map(Spanned::into_inner).unwrap_or_default(),
        }),
        Do::Request => ClientStep::Request(request(table, problems)),
        Do::Inject => {
            table.require_any_of(&["fault", "faults"], "what is to happen");
            ClientStep::Inject(Inject {
                faults: faults(table, problems, &INJECT),
                until: table.optional("until").map(Spanned::into_inner),
            })
        }
        Do::Input => ClientStep::Input(InputStep {
            input: table.required("input").map_or(InputName::Idle, Spanned::into_inner),
            until: table.optional("until").map(Spanned::into_inner),
        }),
        Do::Wait => ClientStep::Wait(wait(table, problems)),
        Do::Inspect => ClientStep::Inspect(inspect(table, problems)),
        Do::Leave => ClientStep::Leave,
        Do::Repeat => ClientStep::Repeat(repeat(table, problems)),
    })
}

fn request(table: &Table<'_>, problems: &Problems) -> Request {
    let case: Option<Spanned<Cases>> = table.optional("case");
    if let Some(case) = &case
        && *case.get_ref() == Cases::All
    {
        let message = "`case`: a request takes one case, found `all`".to_owned();
        problems.push(Problem::at(case.span(), message, "`first`, or an id"));
    }
    let max_tokens = positive(table, "max_tokens", problems);
    let expect: Option<Spanned<RequestExpectation>> = table.optional("expect");
    let expected = expect.as_ref().map_or(RequestExpectation::Answer, |expect| *expect.get_ref());
    let tier: Option<Spanned<TierExpectation>> = table.optional("tier");
    if let Some(tier) = &tier
        && matches!(expected, RequestExpectation::Error(_))
    {
        let message = "a request that ends with an error is finished by no tier".to_owned();
        problems.push(Problem::at(tier.span(), message, "this"));
    }
    let same_bits_as = positive(table, "same_bits_as", problems);
    let cancel_after = positive(table, "cancel_after_tokens", problems);
    let written = table.table("meanwhile", |table| meanwhile(table, problems)).flatten();
    let is_cancelled = expected == RequestExpectation::Cancelled;
    let place = expect.as_ref().map_or_else(|| table.head(), Spanned::span);
    if is_cancelled != cancel_after.is_some() {
        let message = "`expect = \"cancelled\"` and `cancel_after_tokens` belong together";
        problems.push(Problem::at(place.clone(), message.to_owned(), "in this step"));
    }
    if cancel_after.is_some() && written.is_some() {
        let message = "`cancel_after_tokens` and `meanwhile`: one thing at a time".to_owned();
        problems.push(Problem::at(place, message, "in this step"));
    }
    let cancel = |after_tokens| Meanwhile { after_tokens, event: MeanwhileEvent::Cancel };
    Request {
        case: case.map_or(Cases::First, Spanned::into_inner),
        max_tokens,
        complexity: table.optional("complexity").map(Spanned::into_inner).unwrap_or_default(),
        capability: table.optional("capability").map(Spanned::into_inner),
        feature: table.optional("feature").map(Spanned::into_inner),
        faults: faults(table, problems, &REQUEST),
        expect: expected,
        tier: tier.map_or(TierExpectation::Start, Spanned::into_inner),
        same_bits_as,
        meanwhile: cancel_after.map(cancel).or(written),
    }
}

fn meanwhile(table: &Table<'_>, problems: &Problems) -> Option<Meanwhile> {
    table.require_any("after_tokens", "a number of tokens");
    let after_tokens = positive(table, "after_tokens", problems);
    let event = table.required("input").map(Spanned::into_inner);
    Some(Meanwhile { after_tokens: after_tokens?, event: event? })
}

fn wait(table: &Table<'_>, problems: &Problems) -> Wait {
    let until: Option<Spanned<State>> = table.optional("until");
    let ms = positive(table, "ms", problems);
    if until.is_some() == ms.is_some() {
        let message = "a wait has either `until` or `ms`".to_owned();
        problems.push(Problem::at(table.head(), message, "this step"));
    }
    match until {
        Some(state) => Wait::Until(state.into_inner()),
        None => Wait::Ms(ms.unwrap_or(0)),
    }
}

fn inspect(table: &Table<'_>, problems: &Problems) -> Inspect {
    fn plain<T: FromValue>(value: Option<Spanned<T>>) -> Option<T> {
        value.map(Spanned::into_inner)
    }
    let inspect = Inspect {
        workers_alive: plain(table.optional("workers_alive")),
        object_urls: plain(table.optional("object_urls")),
        memory_shard_bytes: plain(table.optional("memory_shard_bytes")),
        stored_shards_at_least: plain(table.optional("stored_shards_at_least")),
        heap_growth_bytes: plain(table.optional("heap_growth_bytes")),
        process_growth_bytes: plain(table.optional("process_growth_bytes")),
    };
    if inspect == Inspect::default() {
        let message = "an inspection without a bound looks at nothing".to_owned();
        let hint = "name one, for instance `workers_alive = 1`";
        problems.push(Problem::at(table.head(), message, "this step").hint(hint));
    }
    inspect
}

/// Where it goes back to is looked at in [`super::read`].
fn repeat(table: &Table<'_>, problems: &Problems) -> Repeat {
    table.require_any("from", "the number of a step");
    table.require_any("times", "a number of rounds");
    let from = positive(table, "from", problems);
    let times: Option<Spanned<u32>> = table.optional("times");
    if let Some(times) = &times
        && *times.get_ref() < 2
    {
        let message =
            format!("`times`: expected a whole number above 1, found `{}`", times.get_ref());
        problems.push(Problem::at(times.span(), message, "once is no repeat"));
    }
    Repeat { from: from.unwrap_or(1), times: times.map_or(2, Spanned::into_inner) }
}

/// Where faults are written, and what can strike there.
pub(super) struct Place {
    /// For messages.
    called: &'static str,
    /// The first one is taken where none is written.
    phases: &'static [FaultPhase],
}

/// Of the whole scenario.
pub(super) const SCENARIO: Place = Place {
    called: "for the whole scenario",
    phases: &[FaultPhase::Start, FaultPhase::Probe, FaultPhase::Fetch, FaultPhase::Load],
};

const VISIT: Place = Place { called: "in a visit", phases: SCENARIO.phases };

/// A device that is lost is brought up again, with all that can go wrong in that.
const REQUEST: Place = Place {
    called: "in a request",
    phases: &[
        FaultPhase::Decode,
        FaultPhase::Prefill,
        FaultPhase::Readback,
        FaultPhase::Probe,
        FaultPhase::Fetch,
        FaultPhase::Load,
    ],
};

const INJECT: Place = Place { called: "in an inject", phases: &[FaultPhase::Idle] };

/// `fault = { … }` or `faults = [{ … }, …]`.
pub(super) fn faults(table: &Table<'_>, problems: &Problems, place: &Place) -> Vec<FaultPlan> {
    let one = table.table("fault", |table| fault(table, problems, place));
    let several = table.tables("faults", |table| fault(table, problems, place));
    if one.is_some() && !several.is_empty() {
        let message = "`fault` and `faults`: write all of them in `faults`".to_owned();
        problems.push(Problem::at(table.head(), message, "here"));
    }
    one.flatten().into_iter().chain(several.into_iter().map(Spanned::into_inner)).collect()
}

fn fault(table: &Table<'_>, problems: &Problems, place: &Place) -> Option<FaultPlan> {
    let fault: Option<Spanned<Fault>> = table.required("fault");
    let at: Option<Spanned<FaultPhase>> = table.optional("at");
    let token: Option<Spanned<u32>> = table.optional("token");
    let times: Option<Spanned<Times>> = table.optional("times");
    let value = table.optional("value").map(Spanned::into_inner);
    let default = place.phases.first().copied().unwrap_or(FaultPhase::Start);
    let phase = at.as_ref().map_or(default, |at| *at.get_ref());
    if let Some(at) = &at
        && !place.phases.contains(at.get_ref())
    {
        let known: Vec<_> = place.phases.iter().map(|phase| phase.as_str()).collect();
        let message = format!("nothing strikes at `{}` {}", at.get_ref().as_str(), place.called);
        let hint = format!("the phases there are {}", crate::spec::document::names(known.iter()));
        problems.push(Problem::at(at.span(), message, "this").hint(hint));
    }
    if let Some(token) = &token
        && !matches!(phase, FaultPhase::Decode | FaultPhase::Readback)
    {
        let message = "`token` is for faults at `decode` and `readback`".to_owned();
        problems.push(Problem::at(token.span(), message, "this"));
    }
    let fault = fault?;
    let is_launch = matches!(fault.get_ref().means(), Means::Launch(_));
    if is_launch && place.called != SCENARIO.called {
        let name = fault.get_ref().as_str();
        let message = format!("`{name}` is what a browser is launched with");
        let hint = "write it into `faults` at the top of the scenario";
        problems.push(Problem::at(fault.span(), message, "too late for it").hint(hint));
    }
    Some(FaultPlan {
        fault: fault.into_inner(),
        at: phase,
        token: token.map_or(0, Spanned::into_inner),
        times: times.map_or(1, |times| times.into_inner().0),
        value,
    })
}

/// How often a fault strikes; `always` for as often as it can.
struct Times(u32);

impl FromValue for Times {
    const EXPECTED: &'static str = "a whole number above 0, or `always`";

    fn from_value(value: &DeValue<'_>) -> Result<Self, Unfit> {
        if value.as_str() == Some("always") {
            return Ok(Self(u32::MAX));
        }
        let unfit = || Unfit::new(Self::EXPECTED.to_owned());
        match u32::from_value(value) {
            Ok(0) | Err(_) => Err(unfit()),
            Ok(times) => Ok(Self(times)),
        }
    }
}

impl FromValue for Do {
    const EXPECTED: &'static str = "what the step does";

    fn from_value(value: &DeValue<'_>) -> Result<Self, Unfit> {
        let all = [
            (Self::Visit, "visit"),
            (Self::Request, "request"),
            (Self::Inject, "inject"),
            (Self::Input, "input"),
            (Self::Wait, "wait"),
            (Self::Inspect, "inspect"),
            (Self::Leave, "leave"),
            (Self::Repeat, "repeat"),
        ];
        named(value, &all, |(_, name)| name).map(|(does, _)| does)
    }
}

impl FromValue for Fault {
    const EXPECTED: &'static str = "the name of a fault";

    fn from_value(value: &DeValue<'_>) -> Result<Self, Unfit> {
        named(value, &Self::ALL, Self::as_str)
    }
}

impl FromValue for FaultPhase {
    const EXPECTED: &'static str = "when a fault strikes";

    fn from_value(value: &DeValue<'_>) -> Result<Self, Unfit> {
        named(value, &Self::ALL, Self::as_str)
    }
}

impl FromValue for State {
    const EXPECTED: &'static str = "a state of the client";

    fn from_value(value: &DeValue<'_>) -> Result<Self, Unfit> {
        let all = [
            Self::New,
            Self::Detect,
            Self::Classify,
            Self::Choose,
            Self::Device,
            Self::Probe,
            Self::Cache,
            Self::Consent,
            Self::Load,
            Self::Ready,
            Self::Running,
            Self::Stop,
            Self::Recover,
            Self::Server,
        ];
        named(value, &all, Self::as_str)
    }
}

impl FromValue for Deployment {
    const EXPECTED: &'static str = "what another deployment has changed";

    fn from_value(value: &DeValue<'_>) -> Result<Self, Unfit> {
        named(value, &Self::ALL, Self::as_str)
    }
}

impl FromValue for Complexity {
    const EXPECTED: &'static str = "how hard a request is";

    fn from_value(value: &DeValue<'_>) -> Result<Self, Unfit> {
        let all = [Self::Auto, Self::Simple, Self::Medium, Self::Complex];
        named(value, &all, |complexity| match complexity {
            Self::Auto => "auto",
            Self::Simple => "simple",
            Self::Medium => "medium",
            Self::Complex => "complex",
        })
    }
}

impl FromValue for RequestExpectation {
    const EXPECTED: &'static str = "`answer`, `cancelled` or the name of an error";

    fn from_value(value: &DeValue<'_>) -> Result<Self, Unfit> {
        let errors = [
            ClientErrorKind::Busy,
            ClientErrorKind::InvalidRequest,
            ClientErrorKind::ContextOverflow,
            ClientErrorKind::ReplayDiverged,
            ClientErrorKind::TokenMissing,
            ClientErrorKind::NoTierLeft,
            ClientErrorKind::DeadlineExceeded,
        ];
        let errors = errors.map(|kind| (Self::Error(kind), kind.as_str()));
        let good = [(Self::Answer, "answer"), (Self::Cancelled, "cancelled")];
        let all: Vec<_> = good.into_iter().chain(errors).collect();
        named(value, &all, |(_, name)| name).map(|(expect, _)| expect)
    }
}

impl FromValue for TierExpectation {
    const EXPECTED: &'static str = "`start`, `next` or the name of a tier";

    fn from_value(value: &DeValue<'_>) -> Result<Self, Unfit> {
        let tiers = Tier::CHAIN.map(|tier| (Self::Named(tier), tier.as_str()));
        let all: Vec<_> =
            [(Self::Start, "start"), (Self::Next, "next")].into_iter().chain(tiers).collect();
        named(value, &all, |(_, name)| name).map(|(tier, _)| tier)
    }
}

impl InputName {
    /// Every one.
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

    /// The name as it stands in TOML.
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

impl FromValue for InputName {
    const EXPECTED: &'static str = "an input of the client";

    fn from_value(value: &DeValue<'_>) -> Result<Self, Unfit> {
        named(value, &Self::ALL, Self::as_str)
    }
}

impl FromValue for MeanwhileEvent {
    const EXPECTED: &'static str = "an input of the client, or `request`";

    fn from_value(value: &DeValue<'_>) -> Result<Self, Unfit> {
        let inputs = InputName::ALL.map(|input| (Self::Input(input), input.as_str()));
        let all: Vec<_> = inputs.into_iter().chain([(Self::Request, "request")]).collect();
        named(value, &all, |(_, name)| name).map(|(event, _)| event)
    }
}
