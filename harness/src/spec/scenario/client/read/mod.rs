//! From the tables of a scenario file to [`ClientScenario`]. Steps that contradict each other are
//! rejected.

mod fault;
mod step;

use inference_wasm::client::tier::Tier;
use toml::Spanned;

use fault::{SCENARIO, faults};
use step::step;

use super::course;
use super::definition::{
    ClientScenario, ClientStep, Repeat, RequestExpectation, TierExpectation, Wait,
};
use super::settings::{self, Settings};
use crate::spec::document::{Problem, Problems, Table};
use crate::spec::fault::{Fault, FaultPlan, Means};

/// Reads the `[client]` table, the faults and the steps; `None` if there is no such table.
pub(in crate::spec::scenario) fn client(
    table: &Table<'_>,
    problems: &Problems,
) -> Option<ClientScenario> {
    let written = table.table("client", |table| settings::client(table, problems))?;
    let faults = faults(table, problems, &SCENARIO);
    table.require_tables("steps");
    let steps = table.tables("steps", |table| step(table, problems));
    order(&steps, problems);
    repeats(&steps, problems);
    server(&steps, &written.settings, problems);
    launches(&faults, table, problems);
    bits(&steps, problems);
    let steps = steps.into_iter().map(Spanned::into_inner).collect();
    Some(ClientScenario { tiers: written.tiers, settings: written.settings, faults, steps })
}

/// Steps that need a page need a visit before them.
fn order(steps: &[Spanned<ClientStep>], problems: &Problems) {
    let mut is_open = false;
    // A third round starts like a second one.
    let twice = steps.iter().map(|step| match step.get_ref() {
        ClientStep::Repeat(repeat) => ClientStep::Repeat(Repeat { times: 2, ..*repeat }),
        step => step.clone(),
    });
    let twice: Vec<_> = twice.collect();
    for step in course::course(&twice).filter_map(|turn| steps.get(turn.number - 1)) {
        let needs_page = match step.get_ref() {
            ClientStep::Visit(_) => {
                is_open = true;
                continue;
            }
            ClientStep::Wait(Wait::Ms(_)) | ClientStep::Repeat(_) => false,
            ClientStep::Leave
            | ClientStep::Request(_)
            | ClientStep::Inject(_)
            | ClientStep::Input(_)
            | ClientStep::Wait(Wait::Until(_))
            | ClientStep::Inspect(_) => true,
        };
        if needs_page && !is_open {
            let message = format!("no page is open at this `{}`", step.get_ref().name());
            let hint = "a step `do = \"visit\"` opens one";
            problems.push(Problem::at(step.span(), message, "this step").hint(hint));
            // One report is enough.
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

/// A repeat goes back, and its rounds are limited.
fn repeats(steps: &[Spanned<ClientStep>], problems: &Problems) {
    for (index, step) in steps.iter().enumerate() {
        let ClientStep::Repeat(Repeat { from, .. }) = step.get_ref() else { continue };
        if *from as usize > index {
            let message = format!("`from`: step {from} is not an earlier one");
            let hint = "a repeat goes back; steps count from 1";
            problems.push(Problem::at(step.span(), message, "this step").hint(hint));
        }
    }
    let plain: Vec<_> = steps.iter().map(|step| step.get_ref().clone()).collect();
    let most = course::rounds(&plain).into_iter().zip(steps).max_by_key(|(rounds, _)| *rounds);
    if let Some((rounds, step)) = most
        && rounds > course::MOST_ROUNDS
    {
        let message = format!("this step would be carried out {rounds} times");
        let hint = format!("the limit is {}", course::MOST_ROUNDS);
        problems.push(Problem::at(step.span(), message, "this step").hint(hint));
    }
}

/// A browser is launched once, so only one fault can be its launch.
fn launches(faults: &[FaultPlan], table: &Table<'_>, problems: &Problems) {
    let launched = |plan: &&FaultPlan| matches!(plan.fault.means(), Means::Launch(_));
    let mut names = faults.iter().filter(launched).map(|plan| plan.fault.as_str());
    if let (Some(first), Some(second)) = (names.next(), names.next()) {
        let message = format!("a browser can't be launched with `{first}` and `{second}`");
        problems.push(Problem::at(table.head(), message, "this scenario"));
    }
}

/// Only a client with a server can be answered by it.
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

/// Bits are compared with those of an earlier request with the same case.
fn bits(steps: &[Spanned<ClientStep>], problems: &Problems) {
    for (index, step) in steps.iter().enumerate() {
        let ClientStep::Request(request) = step.get_ref() else { continue };
        let Some(number) = request.same_bits_as else { continue };
        let other = (number as usize).checked_sub(1).filter(|other| *other < index);
        let other = other.and_then(|other| steps.get(other)).map(Spanned::get_ref);
        let is_answer =
            matches!(other, Some(ClientStep::Request(other)) if other.case == request.case);
        if !is_answer {
            let message = format!(
                "`same_bits_as`: step {number} is not an earlier request with the same case"
            );
            problems.push(Problem::at(step.span(), message, "this step"));
        }
        if let RequestExpectation::Error(_) = request.expect {
            let message = "a request that ends with an error has no logits".to_owned();
            problems.push(Problem::at(step.span(), message, "this step"));
        }
    }
}
