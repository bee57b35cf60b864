//! The faults of an attempt: when each is due, and the proofs that it was injected.
//!
//! Pure. [`super::injections`] injects them.

use inference_wasm::client::machine::State;
use inference_wasm::protocol::Shim;
use serde_json::json;

use super::visit::Visit;
use crate::judge::outcome::Failed;
use crate::judge::proof::FaultProof;
use crate::spec::fault::{FaultPhase, FaultPlan, Means};
use crate::spec::scenario::{ClientScenario, ClientStep};

/// The phase of trouble with an injection.
pub(super) const INJECT: &str = "inject fault";

/// A fault that the scenario plans.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Planned {
    /// Its name in this attempt, and that of its shim.
    pub(super) id: String,
    /// The fault plan.
    pub(super) plan: FaultPlan,
    /// The step that it is for, from 1; 0 for all visits.
    pub(super) step: usize,
    /// The proof of each injection.
    pub(super) proofs: Vec<String>,
    /// The number of proofs before the current step.
    pub(super) earlier: usize,
    /// The number of injections that a shim has reported in the current visit.
    pub(super) reported: usize,
    /// Injection attempts of the driver in the current step.
    pub(super) attempts: usize,
}

/// All faults of a scenario.
pub(super) fn planned(scenario: &ClientScenario) -> Vec<Planned> {
    let of_all = scenario.faults.iter().map(|plan| (0, plan));
    let of_steps = scenario.steps.iter().zip(1..);
    let of_steps =
        of_steps.flat_map(|(step, number)| step.faults().iter().map(move |plan| (number, plan)));
    let mut all: Vec<Planned> = Vec::new();
    for (step, plan) in of_all.chain(of_steps) {
        let name = plan.fault.as_str();
        let same = all.iter().filter(|one| one.step == step && one.plan.fault == plan.fault);
        let id = match same.count() {
            0 => format!("{name}-{step}"),
            more => format!("{name}-{step}-{}", more + 1),
        };
        all.push(Planned {
            id,
            plan: *plan,
            step,
            proofs: Vec::new(),
            earlier: 0,
            reported: 0,
            attempts: 0,
        });
    }
    all
}

/// The shims that a visit begins with. Those of its later steps inject once they are armed.
pub(super) fn shims(
    planned: &[Planned],
    scenario: &ClientScenario,
    visit: usize,
    store: &str,
) -> Vec<Shim> {
    let later = scenario.steps.iter().zip(1..).skip(visit);
    let next = later
        .filter(|(step, _)| matches!(step, ClientStep::Visit(_)))
        .map(|(_, number)| number)
        .next()
        .unwrap_or(usize::MAX);
    let is_here = |one: &&Planned| one.step == 0 || (visit..next).contains(&one.step);
    let shims = planned.iter().filter(is_here).filter_map(|one| {
        let Means::Shim(shim) = one.plan.fault.means() else { return None };
        let FaultPlan { fault, at, token, times, value } = one.plan;
        let is_armed = one.step == 0 || one.step == visit;
        let params = json!({
            "fault": fault.as_str(),
            "at": at.as_str(),
            "token": token,
            "times": times,
            "value": value,
            "store": store,
            "armed": is_armed,
        });
        let url = format!("fault/{}.js", shim.name);
        Some(Shim { name: one.id.clone(), url, params })
    });
    shims.collect()
}

/// Whether the driver has to inject a fault now. `mark` is the number of transitions before the
/// step; `tokens` is the number of tokens of the step's request, if it has one.
pub(super) fn is_due(one: &Planned, visit: &Visit, mark: usize, tokens: Option<usize>) -> bool {
    let FaultPlan { at, token, times, .. } = one.plan;
    if one.attempts as u64 >= u64::from(times) {
        return false;
    }
    let entered = |state| visit.entered(state, mark) > one.attempts;
    match at {
        FaultPhase::Start | FaultPhase::Idle => false,
        FaultPhase::Probe => entered(State::Probe),
        FaultPhase::Fetch => entered(State::Cache),
        FaultPhase::Load => entered(State::Load),
        FaultPhase::Prefill => entered(State::Running),
        FaultPhase::Decode | FaultPhase::Readback => {
            entered(State::Running) && tokens.is_some_and(|tokens| tokens > token as usize)
        }
    }
}

impl Planned {
    /// Its step begins, perhaps once more.
    pub(super) fn begin_step(&mut self) {
        self.attempts = 0;
        self.earlier = self.proofs.len();
    }

    /// It was injected in the current step.
    pub(super) fn is_injected(&self) -> bool {
        self.proofs.len() > self.earlier
    }

    /// Another page begins, whose shims have not reported anything yet.
    pub(super) fn begin_visit(&mut self) {
        self.reported = 0;
    }

    /// Takes over what its shim has reported in the current visit.
    pub(super) fn collect(&mut self, visit: &Visit) {
        let own = visit.injected.iter().filter(|(shim, _)| *shim == self.id);
        let new: Vec<_> = own.skip(self.reported).map(|(_, detail)| detail.clone()).collect();
        self.reported += new.len();
        self.proofs.extend(new);
    }

    /// The failure of an attempt without a proof of this fault.
    pub(super) fn not_injected(&self) -> Failed {
        let (name, at) = (self.plan.fault.as_str(), self.plan.at.as_str());
        Failed::trouble(INJECT, format!("there is no proof that `{name}` was injected at `{at}`"))
    }

    /// The proof of the fault; `None` if it was not injected.
    pub(super) fn proof(&self) -> Option<FaultProof> {
        let fault = self.plan.fault;
        (!self.proofs.is_empty()).then(|| FaultProof {
            fault: fault.as_str().to_owned(),
            nature: fault.nature().as_str().to_owned(),
            strikes: self.proofs.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use inference_wasm::client::machine::Reason;

    use super::super::visit::tests::transition;
    use super::*;
    use crate::spec::fault::Fault;
    use crate::spec::scenario::Scenario;

    fn scenario() -> ClientScenario {
        let text = r#"
title = "t"
why = "w"
layer = "resilience"
golden = "tokens/greedy"
faults = [{ fault = "masked" }]
[client]
[[steps]]
do = "visit"
fault = { fault = "weights-html" }
[[steps]]
do = "request"
faults = [{ fault = "device-destroyed", token = 2 }, { fault = "device-destroyed", token = 4 }]
[[steps]]
do = "visit"
[[steps]]
do = "inject"
fault = { fault = "shard-evicted" }
"#;
        let scenario = Scenario::parse("s.toml", "resilience/s", text).unwrap();
        *scenario.client.unwrap()
    }

    #[test]
    fn every_fault_has_a_name_of_its_own() {
        let ids: Vec<_> = planned(&scenario()).into_iter().map(|one| one.id).collect();
        assert_eq!(
            ids,
            [
                "masked-0",
                "weights-html-1",
                "device-destroyed-2",
                "device-destroyed-2-2",
                "shard-evicted-4"
            ]
        );
    }

    #[test]
    fn a_visit_begins_with_the_shims_of_its_steps() {
        let scenario = scenario();
        let planned = planned(&scenario);
        let of = |visit| {
            let shims = shims(&planned, &scenario, visit, "store");
            let armed = |shim: Shim| (shim.name, shim.params["armed"] == true);
            shims.into_iter().map(armed).collect::<Vec<_>>()
        };
        let named = |name: &str, is_armed| (name.to_owned(), is_armed);
        assert_eq!(
            of(1),
            [
                named("masked-0", true),
                named("device-destroyed-2", false),
                named("device-destroyed-2-2", false)
            ]
        );
        assert_eq!(of(3), [named("masked-0", true), named("shard-evicted-4", false)]);
        let first = &shims(&planned, &scenario, 3, "s")[0];
        assert_eq!(
            (first.url.as_str(), &first.params["store"]),
            ("fault/surroundings.js", &json!("s"))
        );
    }

    #[test]
    fn the_driver_injects_when_the_client_reaches_the_phase() {
        let mut visit = Visit::default();
        let mut one = Planned {
            id: "gpu-crashed-2".to_owned(),
            plan: FaultPlan {
                fault: Fault::GpuCrashed,
                at: FaultPhase::Decode,
                token: 2,
                times: 2,
                value: None,
            },
            step: 2,
            proofs: Vec::new(),
            earlier: 0,
            reported: 0,
            attempts: 0,
        };
        visit.take(transition(State::Ready, State::Running, Reason::Requested));
        // That transition belongs to an earlier request.
        assert!(!is_due(&one, &visit, 1, Some(3)));
        assert!(!is_due(&one, &visit, 0, Some(2)));
        assert!(!is_due(&one, &visit, 0, None));
        assert!(is_due(&one, &visit, 0, Some(3)));
        // A second time once it runs again, but not a third time.
        one.attempts = 1;
        assert!(!is_due(&one, &visit, 0, Some(3)));
        visit.take(transition(State::Recover, State::Running, Reason::Replayed));
        assert!(is_due(&one, &visit, 0, Some(3)));
        one.attempts = 2;
        visit.take(transition(State::Recover, State::Running, Reason::Replayed));
        assert!(!is_due(&one, &visit, 0, Some(3)));
        one = Planned { plan: FaultPlan { at: FaultPhase::Load, ..one.plan }, attempts: 0, ..one };
        assert!(!is_due(&one, &visit, 0, None));
        visit.take(transition(State::Cache, State::Load, Reason::Cached));
        assert!(is_due(&one, &visit, 0, None));
        assert_eq!(one.proof(), None);
    }
}
