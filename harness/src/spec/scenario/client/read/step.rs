//! The `[[steps]]` of a client's scenario, each by itself.

use inference_wasm::client::machine::State;
use inference_wasm::client::output::ClientErrorKind;
use inference_wasm::client::router::Complexity;
use inference_wasm::client::tier::Tier;
use toml::Spanned;
use toml::de::DeValue;

use super::fault::{INJECT, REQUEST, VISIT, faults};
use crate::spec::document::{FromValue, Named, Problem, Problems, Table, Unfit, one_of};
use crate::spec::scenario::client::definition::{
    ClientStep, Inject, InputName, InputStep, Inspect, Meanwhile, MeanwhileEvent, Repeat, Request,
    RequestExpectation, TierExpectation, Visit, Wait,
};
use crate::spec::scenario::prompts::Cases;

/// What a step does.
#[derive(strum::EnumString, strum::VariantNames)]
#[strum(serialize_all = "kebab-case")]
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
            table.require_any_of(&["fault", "faults"], "the faults to inject");
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
    let max_tokens = table.positive("max_tokens");
    let expect: Option<Spanned<RequestExpectation>> = table.optional("expect");
    let expected = expect.as_ref().map_or(RequestExpectation::Answer, |expect| *expect.get_ref());
    let tier: Option<Spanned<TierExpectation>> = table.optional("tier");
    if let Some(tier) = &tier
        && matches!(expected, RequestExpectation::Error(_))
    {
        let message = "no tier finishes a request that ends with an error".to_owned();
        problems.push(Problem::at(tier.span(), message, "this"));
    }
    let same_bits_as = table.positive("same_bits_as");
    let cancel_after = table.positive("cancel_after_tokens");
    let written = table.table("meanwhile", meanwhile).flatten();
    let is_cancelled = expected == RequestExpectation::Cancelled;
    let place = expect.as_ref().map_or_else(|| table.head(), Spanned::span);
    if is_cancelled != cancel_after.is_some() {
        let message = "`expect = \"cancelled\"` and `cancel_after_tokens` belong together";
        problems.push(Problem::at(place.clone(), message.to_owned(), "in this step"));
    }
    if cancel_after.is_some() && written.is_some() {
        let message = "`cancel_after_tokens` and `meanwhile`: use only one of them".to_owned();
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

fn meanwhile(table: &Table<'_>) -> Option<Meanwhile> {
    table.require_any("after_tokens", "a number of tokens");
    let after_tokens = table.positive("after_tokens");
    let event = table.required("input").map(Spanned::into_inner);
    Some(Meanwhile { after_tokens: after_tokens?, event: event? })
}

fn wait(table: &Table<'_>, problems: &Problems) -> Wait {
    let until: Option<Spanned<State>> = table.optional("until");
    let ms = table.positive("ms");
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
        let message = "an inspection without a bound checks nothing".to_owned();
        let hint = "name one, for instance `workers_alive = 1`";
        problems.push(Problem::at(table.head(), message, "this step").hint(hint));
    }
    inspect
}

/// [`super`] checks the step that it goes back to.
fn repeat(table: &Table<'_>, problems: &Problems) -> Repeat {
    table.require_any("from", "the number of a step");
    table.require_any("times", "a number of rounds");
    let from = table.positive("from");
    let times: Option<Spanned<u32>> = table.optional("times");
    if let Some(times) = &times
        && *times.get_ref() < 2
    {
        let message =
            format!("`times`: expected a whole number above 1, found `{}`", times.get_ref());
        problems.push(Problem::at(times.span(), message, "once is not a repeat"));
    }
    Repeat { from: from.unwrap_or(1), times: times.map_or(2, Spanned::into_inner) }
}

impl Named for Do {
    const EXPECTED: &'static str = "the name of a step";
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
        one_of(value, &all.map(|state| (state, state.as_str())))
    }
}

impl FromValue for Complexity {
    const EXPECTED: &'static str = "`auto`, `simple`, `medium` or `complex`";

    fn from_value(value: &DeValue<'_>) -> Result<Self, Unfit> {
        let all = [
            (Self::Auto, "auto"),
            (Self::Simple, "simple"),
            (Self::Medium, "medium"),
            (Self::Complex, "complex"),
        ];
        one_of(value, &all)
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
        one_of(value, &good.into_iter().chain(errors).collect::<Vec<_>>())
    }
}

impl FromValue for TierExpectation {
    const EXPECTED: &'static str = "`start`, `next` or the name of a tier";

    fn from_value(value: &DeValue<'_>) -> Result<Self, Unfit> {
        let tiers = Tier::CHAIN.map(|tier| (Self::Named(tier), tier.as_str()));
        let relative = [(Self::Start, "start"), (Self::Next, "next")];
        one_of(value, &relative.into_iter().chain(tiers).collect::<Vec<_>>())
    }
}

impl FromValue for InputName {
    const EXPECTED: &'static str = "an input of the client";

    fn from_value(value: &DeValue<'_>) -> Result<Self, Unfit> {
        one_of(value, &Self::ALL.map(|input| (input, input.as_str())))
    }
}

impl FromValue for MeanwhileEvent {
    const EXPECTED: &'static str = "an input of the client, or `request`";

    fn from_value(value: &DeValue<'_>) -> Result<Self, Unfit> {
        let inputs = InputName::ALL.map(|input| (Self::Input(input), input.as_str()));
        one_of(value, &inputs.into_iter().chain([(Self::Request, "request")]).collect::<Vec<_>>())
    }
}
