//! From the tables of a scenario file to [`ClientScenario`], with what steps can't mean together
//! refused.

use inference_wasm::client::tier::Tier;
use toml::Spanned;

use super::step::{SCENARIO, faults, step};
use super::{ClientScenario, ClientStep, RequestExpectation, Settings, TierExpectation, settings};
use crate::document::{Problem, Problems, Table};
use crate::fault::{Fault, FaultPlan, Means};

/// Reads the `[client]` table and what goes with it; `None` where there is none.
pub(in crate::scenario) fn client(
    table: &Table<'_>,
    problems: &Problems,
) -> Option<ClientScenario> {
    let written = table.table("client", |table| settings::client(table, problems))?;
    let faults = faults(table, problems, &SCENARIO);
    table.require_tables("steps");
    let steps = table.tables("steps", |table| step(table, problems));
    order(&steps, problems);
    server(&steps, &written.settings, problems);
    launches(&faults, table, problems);
    bits(&steps, problems);
    let steps = steps.into_iter().map(Spanned::into_inner).collect();
    Some(ClientScenario { tiers: written.tiers, settings: written.settings, faults, steps })
}

/// Something has to be open for whatever is done in it.
fn order(steps: &[Spanned<ClientStep>], problems: &Problems) {
    let mut is_open = false;
    for step in steps {
        let needs_page = match step.get_ref() {
            ClientStep::Visit(_) => {
                is_open = true;
                continue;
            }
            ClientStep::Wait(super::Wait::Ms(_)) => false,
            ClientStep::Leave
            | ClientStep::Request(_)
            | ClientStep::Inject(_)
            | ClientStep::Input(_)
            | ClientStep::Wait(super::Wait::Until(_))
            | ClientStep::Inspect(_) => true,
        };
        if needs_page && !is_open {
            let message = format!("no page is open at this `{}`", step.get_ref().name());
            let hint = "a step `do = \"visit\"` opens one";
            problems.push(Problem::at(step.span(), message, "this step").hint(hint));
            // Told once is enough.
            is_open = true;
        }
        let crashes = |plan: &FaultPlan| plan.fault == Fault::TabCrashed;
        if matches!(step.get_ref(), ClientStep::Leave)
            || step.get_ref().faults().iter().any(crashes)
        {
            is_open = false;
        }
    }
}

/// A browser is launched once.
fn launches(faults: &[FaultPlan], table: &Table<'_>, problems: &Problems) {
    let launched = |plan: &&FaultPlan| matches!(plan.fault.means(), Means::Launch(_));
    let mut names = faults.iter().filter(launched).map(|plan| plan.fault.as_str());
    if let (Some(first), Some(second)) = (names.next(), names.next()) {
        let message = format!("a browser can't be launched with `{first}` and `{second}`");
        problems.push(Problem::at(table.head(), message, "this scenario"));
    }
}

/// Nobody but a server answers for one.
fn server(steps: &[Spanned<ClientStep>], settings: &Settings, problems: &Problems) {
    if settings.has_server {
        return;
    }
    for step in steps {
        let ClientStep::Request(request) = step.get_ref() else { continue };
        if request.tier == TierExpectation::Named(Tier::Server)
            && !matches!(request.expect, RequestExpectation::Error(_))
        {
            let message = "`tier = \"server\"`: this client has no server".to_owned();
            let hint = "write `start = \"progressive\"` into `[client]`";
            problems.push(Problem::at(step.span(), message, "this step").hint(hint));
        }
    }
}

/// Bits are compared with those of an earlier request that has an answer.
fn bits(steps: &[Spanned<ClientStep>], problems: &Problems) {
    for (index, step) in steps.iter().enumerate() {
        let ClientStep::Request(request) = step.get_ref() else { continue };
        let Some(number) = request.same_bits_as else { continue };
        let other = (number as usize).checked_sub(1).filter(|other| *other < index);
        let other = other.and_then(|other| steps.get(other)).map(Spanned::get_ref);
        let is_answer =
            matches!(other, Some(ClientStep::Request(other)) if other.case == request.case);
        if !is_answer {
            let message =
                format!("`same_bits_as`: step {number} is no earlier request with the same case");
            problems.push(Problem::at(step.span(), message, "this step"));
        }
        if let RequestExpectation::Error(_) = request.expect {
            let message = "a request that ends with an error has no logits".to_owned();
            problems.push(Problem::at(step.span(), message, "this step"));
        }
    }
}
