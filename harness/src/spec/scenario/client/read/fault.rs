//! The faults of a client's scenario: `fault = { … }` and `faults = [{ … }, …]`.

use toml::Spanned;
use toml::de::DeValue;

use crate::spec::document::{FromValue, Problem, Problems, Table, Unfit};
use crate::spec::fault::{Fault, FaultPhase, FaultPlan, Means};
use crate::spec::naming::names;

/// A place where faults are written, and the phases that are allowed there.
pub(super) struct Place {
    /// For messages.
    called: &'static str,
    /// The first one is the default.
    phases: &'static [FaultPhase],
}

/// The whole scenario.
pub(super) const SCENARIO: Place = Place {
    called: "for the whole scenario",
    phases: &[FaultPhase::Start, FaultPhase::Probe, FaultPhase::Fetch, FaultPhase::Load],
};

pub(super) const VISIT: Place = Place { called: "in a visit", phases: SCENARIO.phases };

/// A lost device is started again, so the phases of a start are allowed as well.
pub(super) const REQUEST: Place = Place {
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

pub(super) const INJECT: Place = Place { called: "in an inject", phases: &[FaultPhase::Idle] };

/// `fault = { … }` or `faults = [{ … }, …]`.
pub(super) fn faults(table: &Table<'_>, problems: &Problems, place: &Place) -> Vec<FaultPlan> {
    let one = table.table("fault", |table| fault(table, problems, place));
    let several = table.tables("faults", |table| fault(table, problems, place));
    if one.is_some() && !several.is_empty() {
        let message = "`fault` and `faults`: put all of them in `faults`".to_owned();
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
        let message =
            format!("no fault can be injected at `{}` {}", at.get_ref().as_str(), place.called);
        let hint = format!("the phases are {}", names(&known));
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
        let message = format!("`{name}` is a fault of the browser's launch");
        let hint = "move it to `faults` at the top of the scenario";
        problems.push(Problem::at(fault.span(), message, "too late").hint(hint));
    }
    Some(FaultPlan {
        fault: fault.into_inner(),
        at: phase,
        token: token.map_or(0, Spanned::into_inner),
        times: times.map_or(1, |times| times.into_inner().0),
        value,
    })
}

/// The number of injections; `always` for the largest number.
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
