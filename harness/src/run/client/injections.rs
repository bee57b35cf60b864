//! Making faults happen when they are due, seeing that they struck, and ending them.

use std::time::Duration;

use inference_wasm::protocol::BackendName::{Wasm, Webgl, Webgpu};
use serde_json::json;
use tokio::time::Instant;

use super::visit::Visit;
use super::{FROZEN, Held, Run, did_not_strike, faults, infrastructure};
use crate::drive::injection;
use crate::judge::outcome::Outcome;
use crate::judge::proof::is_gone;
use crate::run::executor::Attempt;
use crate::spec::fault::{DriverFault, Fault, FaultPhase, Means};

/// How long a shim may take to say that it has struck.
pub(super) const STRIKES_WITHIN: Duration = Duration::from_secs(10);

impl Run<'_> {
    /// What the browser was to be launched with shows in its own report.
    pub(super) fn prove_launch(&mut self) -> Result<(), Box<Outcome>> {
        let Attempt { launch, probed, .. } = self.attempt;
        for one in &mut self.planned {
            let Means::Launch(_) = one.plan.fault.means() else { continue };
            let gone: &[_] = match one.plan.fault {
                Fault::WithoutWasm => &[Wasm],
                _ => &[Webgpu, Webgl],
            };
            for backend in gone {
                let seen = is_gone(*backend, launch, probed).map_err(|reason| {
                    let (phase, message) = ("inject fault".to_owned(), reason.to_string());
                    Box::new(Outcome::Infrastructure { phase, message })
                })?;
                one.strikes.push(seen);
            }
        }
        Ok(())
    }

    /// Has the driver strike where it is time.
    pub(super) async fn strike_due(&mut self) -> Result<(), Box<Outcome>> {
        loop {
            let Some(drive) = &self.drive else { return Ok(()) };
            let asked = self.request.and_then(|id| drive.visit.asked(id));
            let tokens = asked.map(|asked| asked.tokens.len());
            let due = self.planned.iter().position(|one| {
                matches!(one.plan.fault.means(), Means::Driver(_))
                    && (one.step == self.step || one.step == 0)
                    && faults::is_due(one, &drive.visit, self.mark, tokens)
            });
            let Some(index) = due else { return Ok(()) };
            self.strike_by_driver(index).await?;
        }
    }

    pub(super) async fn strike_by_driver(&mut self, index: usize) -> Result<(), Box<Outcome>> {
        let Some(one) = self.planned.get_mut(index) else { return Ok(()) };
        let Means::Driver(fault) = one.plan.fault.means() else { return Ok(()) };
        one.at_it += 1;
        let value = one.plan.value;
        // Also after a failure: half of it may have happened.
        let until = match fault {
            DriverFault::FreezeTab => Some(value.map_or(FROZEN, Duration::from_millis)),
            DriverFault::StopGpu => value.map(Duration::from_millis),
            _ => None,
        };
        let until = until.map(|hold| Instant::now() + hold);
        self.held.push(Held { fault, until });
        let injected = injection::inject(fault, self.stage.browser, value).await;
        let injected = injected.map_err(|trouble| infrastructure(trouble.to_string()))?;
        if let Some(one) = self.planned.get_mut(index) {
            one.strikes.push(injected.proof);
        }
        if fault == DriverFault::CrashTab {
            // What it told until then is all there will be.
            if let Some(drive) = self.drive.take() {
                self.file_visit(&drive.abandon());
            }
        }
        Ok(())
    }

    /// Ends faults whose time is over.
    pub(super) async fn release_due(&mut self) -> Result<(), Box<Outcome>> {
        let now = Instant::now();
        let is_due = |held: &Held| held.until.is_some_and(|until| now >= until);
        while let Some(index) = self.held.iter().position(is_due) {
            let held = self.held.swap_remove(index);
            let undone = injection::undo(held.fault, self.stage.browser).await;
            undone.map_err(|trouble| infrastructure(trouble.to_string()))?;
        }
        Ok(())
    }

    /// Ends every fault of the driver's. What can't be ended is the next attempt's trouble, in a
    /// browser of its own.
    pub(super) async fn undo_all(&mut self) {
        for held in std::mem::take(&mut self.held) {
            if let Err(trouble) = injection::undo(held.fault, self.stage.browser).await {
                tracing::info!("a fault could not be undone: {trouble}");
            }
        }
    }

    /// Has network faults of these steps strike from now on.
    pub(super) fn arm_network(&self, steps: &[usize]) {
        let mut network = self.site.network();
        let here = self.planned.iter().filter(|one| steps.contains(&one.step));
        for one in here.filter(|one| one.plan.fault.means() == Means::Network) {
            network.arm(&one.id, one.plan);
        }
    }

    pub(super) fn disarm_network(&self) {
        let mut network = self.site.network();
        for one in self.planned.iter().filter(|one| one.step == self.step) {
            network.disarm(&one.id);
        }
    }

    /// Has the shims of the step strike where they are, or no longer.
    pub(super) async fn arm_shims(&mut self, arm: bool) -> Result<(), Box<Outcome>> {
        let here = self.planned.iter().filter(|one| one.step == self.step);
        let shims = here.filter(|one| matches!(one.plan.fault.means(), Means::Shim(_)));
        let ids: Vec<String> = shims.map(|one| one.id.clone()).collect();
        for id in ids {
            if let Some(drive) = &mut self.drive {
                drive.trigger(&id, json!({ "arm": arm })).await?;
            }
        }
        Ok(())
    }

    /// Waits for the evidence of these steps' faults.
    pub(super) async fn strikes_are_there(&mut self, steps: &[usize]) -> Result<(), Box<Outcome>> {
        let is_missing = |run: &mut Self| {
            run.look_here();
            run.planned.iter().any(|one| {
                // What the network does to an idle page comes when it next asks for something.
                let is_later =
                    one.plan.at == FaultPhase::Idle && one.plan.fault.means() == Means::Network;
                steps.contains(&one.step) && !one.has_struck() && !is_later
            })
        };
        let until = Instant::now() + STRIKES_WITHIN;
        while is_missing(self) {
            let Some(drive) = &mut self.drive else { break };
            if Instant::now() >= until {
                break;
            }
            let piece = until.min(Instant::now() + Duration::from_millis(200));
            drive.next("inject fault", piece).await?;
        }
        if is_missing(self) {
            let missing =
                self.planned.iter().find(|one| steps.contains(&one.step) && !one.has_struck());
            if let Some(one) = missing {
                return Err(did_not_strike(one));
            }
        }
        Ok(())
    }

    /// Files what pages and our server have told of faults.
    pub(super) fn look_for_strikes(&mut self, visit: &Visit) {
        let network = self.site.network();
        for one in &mut self.planned {
            match one.plan.fault.means() {
                Means::Shim(_) => one.look(visit),
                Means::Network => one.strikes = network.strikes(&one.id).to_vec(),
                Means::Driver(_) | Means::Launch(_) => {}
            }
        }
    }

    /// The same, in the visit at hand.
    fn look_here(&mut self) {
        if let Some(drive) = self.drive.take() {
            self.look_for_strikes(&drive.visit);
            self.drive = Some(drive);
        }
    }

    /// Names of the step's faults that have struck.
    pub(super) fn struck(&mut self) -> Vec<&'static str> {
        self.look_here();
        let here = self.planned.iter().filter(|one| one.step == self.step);
        here.filter(|one| one.has_struck()).map(|one| one.plan.fault.as_str()).collect()
    }
}
