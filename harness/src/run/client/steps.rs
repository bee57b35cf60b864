//! The steps of a client's scenario.

use std::time::Duration;

use inference_wasm::protocol::{ClientAction, ClientStart, Finished};
use serde_json::json;
use tokio::time::Instant;

use super::injections::FROZEN;
use super::judge::{self, Memory};
use super::page::ClientPage;
use super::request::{self, GRACE, named};
use super::state::{ClientRun, PROVEN_WITHIN};
use super::{offer, trace};
use crate::judge::outcome::Failed;
use crate::run::conversation::wrong_result;
use crate::run::mutant::Mutant;
use crate::spec::scenario::{ClientStep, Inject, InputStep, Inspect, Visit, Wait};

/// Carries out one step.
pub(super) async fn one(
    run: &mut ClientRun<'_>,
    name: &str,
    step: &ClientStep,
) -> Result<(), Failed> {
    match step {
        ClientStep::Visit(step) => visit(run, name, step).await,
        ClientStep::Request(step) => request::carry_out(run, name, step).await,
        ClientStep::Inject(step) => inject(run, name, step).await,
        ClientStep::Input(step) => input(run, name, *step).await,
        ClientStep::Wait(step) => wait(run, name, *step).await,
        ClientStep::Inspect(step) => inspect(run, name, step).await,
        ClientStep::Leave => leave(run, name).await,
        // The course has been expanded already.
        ClientStep::Repeat(_) => Ok(()),
    }
}

async fn visit(run: &mut ClientRun<'_>, name: &str, step: &Visit) -> Result<(), Failed> {
    run.end_visit();
    run.trace.begin_visit();
    run.current.mark = 0;
    run.memory = None;
    run.injections.begin_visit(run.current.step);
    let handle = run.stage.server.open_client(run.site.clone());
    let handle = handle.map_err(|error| Failed::trouble("open page", error))?;
    let timeouts = run.attempt.cell.timeouts;
    run.page = Some(ClientPage::open(run.stage.browser, handle, timeouts, run.ends).await?);
    for index in run.injections.at_start(run.current.step) {
        run.inject_by_driver(index).await?;
    }
    let start = client_start(run, step);
    let began = Instant::now();
    if let Some(page) = &mut run.page {
        page.command(ClientAction::Start(Box::new(start))).await?;
    }
    // The proofs of its faults are due when the visit ends: some come with the first request.
    run.follow_to(step.until, 0).await?;
    let ms = began.elapsed().as_millis();
    run.file(name, vec![format!("`{}` after {ms} ms", step.until)], Vec::new());
    Ok(())
}

fn client_start(run: &ClientRun<'_>, step: &Visit) -> ClientStart {
    let cell = run.attempt.cell;
    let settings = &run.scenario.settings;
    let variant = offer::offer(run.variant.clone(), cell.id.backend, step.versions);
    ClientStart {
        config: offer::config(run.scenario, variant),
        server: settings.has_server.then(|| "tier".to_owned()),
        server_model: Some(cell.id.model.clone()),
        store: run.store.clone(),
        bundle: cell.bundle.bundle,
        threads: Some(cell.bundle.threads),
        context_tokens: None,
        accepts_software: true,
        shims: run.injections.shims(run.scenario, run.current.step, &run.store),
        fault: run.attempt.mutant.and_then(Mutant::client),
    }
}

async fn inject(run: &mut ClientRun<'_>, name: &str, step: &Inject) -> Result<(), Failed> {
    let number = run.current.step;
    run.injections.disarm_network(number);
    run.injections.arm_network(&[number]);
    for index in run.injections.of_step(number) {
        let Some(shim) = run.injections.shim(index) else {
            run.inject_by_driver(index).await?;
            continue;
        };
        if let Some(page) = &mut run.page {
            page.trigger(&shim, json!({ "arm": true, "strike": true })).await?;
        }
    }
    if let Some(state) = step.until {
        run.follow_to(state, run.current.mark).await?;
    }
    if run.page.is_some() {
        let is_released = |run: &ClientRun<'_>| run.injections.next_release().is_none();
        run.follow("fault", FROZEN + PROVEN_WITHIN, is_released).await?;
        run.prove_injections().await?;
    }
    let injected = run.injected();
    run.trace.add_step(trace::step(&format!("step {number} inject"), &injected, None));
    run.file(name, Vec::new(), Vec::new());
    Ok(())
}

async fn input(run: &mut ClientRun<'_>, name: &str, step: InputStep) -> Result<(), Failed> {
    if let Some(page) = &mut run.page {
        page.input(named(step.input)).await?;
    }
    if let Some(state) = step.until {
        run.follow_to(state, run.current.mark).await?;
    }
    run.trace.add_step(format!("step {} input {}\n", run.current.step, step.input.as_str()));
    run.file(name, Vec::new(), Vec::new());
    Ok(())
}

async fn wait(run: &mut ClientRun<'_>, name: &str, step: Wait) -> Result<(), Failed> {
    match step {
        Wait::Until(state) => {
            run.drain().await?;
            let is_in = run.page.as_ref().is_some_and(|page| page.visit.state() == state);
            if !is_in {
                run.follow_to(state, run.current.mark).await?;
            }
        }
        Wait::Ms(ms) => {
            let time = Duration::from_millis(ms.into());
            let until = Instant::now() + time;
            if run.page.is_none() {
                tokio::time::sleep_until(until).await;
            }
            while run.page.is_some() && Instant::now() < until {
                let soon = until.min(Instant::now() + Duration::from_millis(100));
                run.follow("wait", time + GRACE, |_| Instant::now() >= soon).await?;
                if let Some(page) = &mut run.page {
                    page.next("wait", soon).await?;
                }
            }
        }
    }
    run.file(name, Vec::new(), Vec::new());
    Ok(())
}

async fn inspect(run: &mut ClientRun<'_>, name: &str, step: &Inspect) -> Result<(), Failed> {
    let Some(page) = &mut run.page else { return Ok(()) };
    let browser = run.stage.browser;
    browser.collect_garbage().await?;
    let found = match page.command(ClientAction::Inspect).await? {
        Finished::ClientInspected(found) => found,
        other => return Err(wrong_result("an inspection", &other)),
    };
    let memory = Memory { js_heap: found.js_heap_bytes, processes: browser.memory_bytes() };
    let first = *run.memory.get_or_insert(memory);
    let judged = judge::inspection(&format!("step {name}"), step, &found, memory.since(first));
    let comparisons = match &judged {
        Ok(comparisons) => comparisons.clone(),
        Err(mismatch) => vec![mismatch.comparison.clone()],
    };
    run.file(name, vec![format!("{found:?}"), format!("{memory:?}")], comparisons);
    judged.map(drop).map_err(Failed::from)
}

async fn leave(run: &mut ClientRun<'_>, name: &str) -> Result<(), Failed> {
    run.drain().await?;
    if let Some(page) = run.page.take() {
        let visit = page.leave().await?;
        run.file_visit(&visit);
    }
    run.file(name, Vec::new(), Vec::new());
    Ok(())
}
