//! Injecting the faults of an attempt when they are due, collecting the proofs, and ending them.

use std::sync::Arc;
use std::time::Duration;

use inference_wasm::protocol::BackendName::{Wasm, Webgl, Webgpu};
use inference_wasm::protocol::{CapabilityReport, Shim};
use tokio::time::Instant;

use super::planned::{self, INJECT, Planned};
use super::visit::Visit;
use crate::drive::browser::Browser;
use crate::drive::injection;
use crate::drive::server::ClientSite;
use crate::judge::outcome::Failed;
use crate::judge::proof::is_gone;
use crate::spec::fault::{DriverFault, Fault, FaultPhase, Means};
use crate::spec::scenario::ClientScenario;

/// How long a tab is frozen, where the plan does not say.
pub(super) const FROZEN: Duration = Duration::from_secs(2);

/// A fault of the driver that has to be ended.
#[derive(Debug, Clone, Copy)]
struct Held {
    fault: DriverFault,
    /// `None`: at the end of the attempt.
    until: Option<Instant>,
}

/// The faults of an attempt.
#[derive(Debug)]
pub(super) struct Injections<'a> {
    browser: &'a Browser,
    site: Arc<ClientSite>,
    planned: Vec<Planned>,
    held: Vec<Held>,
}

impl<'a> Injections<'a> {
    pub(super) fn new(
        scenario: &ClientScenario,
        browser: &'a Browser,
        site: Arc<ClientSite>,
    ) -> Self {
        Self { browser, site, planned: planned::planned(scenario), held: Vec::new() }
    }

    /// All faults of the scenario.
    pub(super) fn planned(&self) -> &[Planned] {
        &self.planned
    }

    /// The first fault without a proof.
    pub(super) fn never_injected(&self) -> Option<&Planned> {
        self.planned.iter().find(|one| one.proofs.is_empty())
    }

    /// Proves the faults that the browser was launched with, by its own report.
    pub(super) fn prove_launch(
        &mut self,
        launch: &str,
        probed: Option<&CapabilityReport>,
    ) -> Result<(), Failed> {
        for one in &mut self.planned {
            let Means::Launch(_) = one.plan.fault.means() else { continue };
            let gone: &[_] = match one.plan.fault {
                Fault::WithoutWasm => &[Wasm],
                _ => &[Webgpu, Webgl],
            };
            for backend in gone {
                let proof = is_gone(*backend, launch, probed);
                one.proofs.push(proof.map_err(|reason| Failed::trouble(INJECT, reason))?);
            }
        }
        Ok(())
    }

    /// A step begins; the faults of all visits begin with each visit.
    pub(super) fn begin_step(&mut self, is_visit: bool) {
        let here = self.planned.iter_mut().filter(|one| one.step > 0 || is_visit);
        here.for_each(Planned::begin_step);
    }

    /// A visit begins at a step.
    pub(super) fn begin_visit(&mut self, step: usize) {
        self.planned.iter_mut().for_each(Planned::begin_visit);
        self.site.network().begin_visit();
        self.arm_network(&[0, step]);
    }

    /// The faults that the driver has to inject as soon as the page is open.
    pub(super) fn at_start(&self, step: usize) -> Vec<usize> {
        self.indices(|one| {
            matches!(one.plan.fault.means(), Means::Driver(_))
                && one.plan.at == FaultPhase::Start
                && (one.step == 0 || one.step == step)
        })
    }

    /// The faults of a step.
    pub(super) fn of_step(&self, step: usize) -> Vec<usize> {
        self.indices(|one| one.step == step)
    }

    fn indices(&self, is_one: impl Fn(&Planned) -> bool) -> Vec<usize> {
        let all = self.planned.iter().enumerate();
        all.filter(|(_, one)| is_one(one)).map(|(index, _)| index).collect()
    }

    /// A fault that the driver has to inject now; see [`planned::is_due`].
    pub(super) fn due(
        &self,
        step: usize,
        visit: &Visit,
        mark: usize,
        tokens: Option<usize>,
    ) -> Option<usize> {
        self.planned.iter().position(|one| {
            matches!(one.plan.fault.means(), Means::Driver(_))
                && (one.step == step || one.step == 0)
                && planned::is_due(one, visit, mark, tokens)
        })
    }

    /// Has the driver inject a fault, if the fault is one for the driver. True if the tab crashed.
    pub(super) async fn inject_by_driver(&mut self, index: usize) -> Result<bool, Failed> {
        let Some(one) = self.planned.get_mut(index) else { return Ok(false) };
        let Means::Driver(fault) = one.plan.fault.means() else { return Ok(false) };
        one.attempts += 1;
        let value = one.plan.value;
        let hold = match fault {
            DriverFault::FreezeTab => Some(value.map_or(FROZEN, Duration::from_millis)),
            DriverFault::StopGpu => value.map(Duration::from_millis),
            _ => None,
        };
        // Also ended after a failed injection: half of it may have happened.
        self.held.push(Held { fault, until: hold.map(|hold| Instant::now() + hold) });
        let injected = injection::inject(fault, self.browser, value).await;
        let injected = injected.map_err(|trouble| Failed::trouble(INJECT, trouble))?;
        one.proofs.push(injected.proof);
        Ok(fault == DriverFault::CrashTab)
    }

    /// When the next fault has to be ended; `None` if no fault ends before the attempt.
    pub(super) fn next_release(&self) -> Option<Instant> {
        self.held.iter().filter_map(|held| held.until).min()
    }

    /// Ends faults whose time is over.
    pub(super) async fn release_due(&mut self) -> Result<(), Failed> {
        let now = Instant::now();
        let is_due = |held: &Held| held.until.is_some_and(|until| now >= until);
        while let Some(index) = self.held.iter().position(is_due) {
            let held = self.held.swap_remove(index);
            let undone = injection::undo(held.fault, self.browser).await;
            undone.map_err(|trouble| Failed::trouble(INJECT, trouble))?;
        }
        Ok(())
    }

    /// Ends every fault of the driver. A fault that can't be ended would be trouble of the next
    /// attempt, but that gets a browser of its own.
    pub(super) async fn undo_all(&mut self) {
        for held in std::mem::take(&mut self.held) {
            if let Err(trouble) = injection::undo(held.fault, self.browser).await {
                tracing::info!("a fault could not be undone: {trouble}");
            }
        }
    }

    /// Arms the network faults of these steps.
    pub(super) fn arm_network(&self, steps: &[usize]) {
        let mut network = self.site.network();
        let here = self.planned.iter().filter(|one| steps.contains(&one.step));
        for one in here.filter(|one| one.plan.fault.means() == Means::Network) {
            network.arm(&one.id, one.plan);
        }
    }

    /// Disarms the network faults of a step.
    pub(super) fn disarm_network(&self, step: usize) {
        let mut network = self.site.network();
        for one in self.planned.iter().filter(|one| one.step == step) {
            network.disarm(&one.id);
        }
    }

    /// The shims that a visit begins with.
    pub(super) fn shims(&self, scenario: &ClientScenario, step: usize, store: &str) -> Vec<Shim> {
        planned::shims(&self.planned, scenario, step, store)
    }

    /// The name of a fault's shim; `None` if it is injected otherwise.
    pub(super) fn shim(&self, index: usize) -> Option<String> {
        let one = self.planned.get(index)?;
        matches!(one.plan.fault.means(), Means::Shim(_)).then(|| one.id.clone())
    }

    /// Collects the proofs that the page and the server have reported.
    pub(super) fn collect(&mut self, visit: &Visit) {
        let network = self.site.network();
        for one in &mut self.planned {
            match one.plan.fault.means() {
                Means::Shim(_) => one.collect(visit),
                Means::Network => one.proofs = network.strikes(&one.id).to_vec(),
                Means::Driver(_) | Means::Launch(_) => {}
            }
        }
    }

    /// A fault of a step that still lacks its proof.
    pub(super) fn missing(&self, step: usize) -> Option<&Planned> {
        self.planned.iter().find(|one| one.step == step && !one.is_injected())
    }

    /// Whether to go on waiting for proofs of a step. A network fault of an idle page is injected
    /// only when the page next requests something.
    pub(super) fn awaits_proof(&self, step: usize) -> bool {
        self.planned.iter().any(|one| {
            let is_later =
                one.plan.at == FaultPhase::Idle && one.plan.fault.means() == Means::Network;
            one.step == step && !one.is_injected() && !is_later
        })
    }

    /// The names of a step's faults that were injected.
    pub(super) fn injected(&self, step: usize) -> Vec<&'static str> {
        let here = self.planned.iter().filter(|one| one.step == step && one.is_injected());
        here.map(|one| one.plan.fault.as_str()).collect()
    }

    /// The proofs of a step's faults, a line each.
    pub(super) fn notes(&self, step: usize) -> impl Iterator<Item = String> {
        let here = self.planned.iter().filter(move |one| one.step == step);
        here.flat_map(|one| one.proofs.iter().map(|proof| format!("{}: {proof}", one.id)))
    }
}
