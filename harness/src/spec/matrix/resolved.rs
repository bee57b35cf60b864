//! The matrix as resolved: every name is known, every default filled in.

use std::collections::BTreeMap;

use inference_wasm::protocol::BackendName;
use jiff::civil::Date;

use super::floors::Floors;
use super::pattern::When;
use super::timeouts::Timeouts;
use crate::spec::adapter::AdapterDemand;
use crate::spec::bundle::BundleChoice;
use crate::spec::cell::{BrowserName, CellId};
use crate::spec::launch::{Gpu, LaunchProfile, Variant};
use crate::spec::scenario::{ClientScenario, Fixtures, Launch};
use crate::spec::tolerance::ToleranceClass;

/// The engines that there are; ours is the only one.
pub const ENGINES: [&str; 1] = ["tierproof"];

/// What a matrix has to know of a model in the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFacts {
    /// Its name in the catalogue.
    pub name: String,
    /// The type of its weight matrices, by the name that GGUF gives it: `Q8_0`.
    pub weights: String,
    /// Its prompt set.
    pub prompts: String,
    /// Its file is on this machine.
    pub is_present: bool,
}

/// A matrix whose every name is known.
#[derive(Debug, Clone)]
pub struct Matrix {
    /// Where it came from, for reports.
    pub name: String,
    /// The product, then what is included on top; cells may occur in several of them.
    pub blocks: Vec<Block>,
    /// What is left out.
    pub excludes: Vec<Exclude>,
    /// What must have run.
    pub floors: Floors,
    /// How long things may take.
    pub timeouts: Timeouts,
    /// How often a cell is tried again after infrastructure trouble.
    pub retries: u32,
    /// How many browsers run at a time.
    pub jobs: u32,
    /// The bundle that pages load, and its threads.
    pub bundle: BundleChoice,
    /// The GPU that browsers are launched for.
    pub gpu: Gpu,
    /// What the GPU tiers have to have computed on.
    pub adapter: AdapterDemand,
    /// In order, the matrix's own before those that matrices share; the first that matches a cell
    /// holds.
    pub tolerances: Vec<Tolerance>,
    /// Defects that are known and reported.
    pub known_failures: Vec<KnownFailure>,
    /// The models of the catalogue, by name.
    pub models: BTreeMap<String, ModelFacts>,
    /// Price of 1000 tokens of the server tier, in the operator's currency; `None` for untold.
    pub server_cost_per_1k_tokens: Option<f64>,
    /// What the scenarios' browsers are launched with, by name.
    pub launches: BTreeMap<String, Launch>,
    /// The scenarios of the hybrid client, by name.
    pub clients: BTreeMap<String, ClientScenario>,
}

/// A product of axes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Browsers.
    pub browsers: Vec<BrowserName>,
    /// Backends.
    pub backends: Vec<BackendName>,
    /// Engines.
    pub engines: Vec<String>,
    /// Names of models.
    pub models: Vec<String>,
    /// Names of scenarios.
    pub scenarios: Vec<String>,
}

/// Cells that are left out.
#[derive(Debug, Clone)]
pub struct Exclude {
    /// Which.
    pub when: When,
    /// Why.
    pub reason: String,
}

/// A tolerance class and the cells that it holds for.
#[derive(Debug, Clone)]
pub struct Tolerance {
    /// Which cells.
    pub when: When,
    /// The numbers.
    pub class: ToleranceClass,
    /// Where they come from.
    pub reason: String,
}

impl Tolerance {
    /// It holds on every adapter; the others are relaxations.
    fn is_general(&self) -> bool {
        self.when.adapters.is_empty()
    }
}

/// A defect that is known and reported.
#[derive(Debug, Clone)]
pub struct KnownFailure {
    /// The cells that fail.
    pub when: When,
    /// What is wrong.
    pub reason: String,
    /// Where it is reported.
    pub link: String,
    /// The last day on which it is believed.
    pub expires: Date,
}

impl Matrix {
    /// The type of a model's weights, empty for a model that is not in the catalogue.
    pub(super) fn weights(&self, cell: &CellId) -> &str {
        self.models.get(&cell.model).map_or("", |model| model.weights.as_str())
    }

    /// The tolerance class of a cell, whatever adapter it computes on. Every cell of the plan that
    /// can run has one.
    pub fn tolerance(&self, cell: &CellId) -> Option<&ToleranceClass> {
        self.class(cell, Tolerance::is_general)
    }

    /// The class of a cell on an adapter that needs more room than others.
    pub fn relaxation(&self, cell: &CellId, adapter: &str) -> Option<&ToleranceClass> {
        self.class(cell, |tolerance| tolerance.when.names_adapter(adapter))
    }

    /// The first class of those that a cell falls under.
    fn class(&self, cell: &CellId, is_one: impl Fn(&Tolerance) -> bool) -> Option<&ToleranceClass> {
        let weights = self.weights(cell);
        let mut all = self.tolerances.iter().filter(|tolerance| is_one(tolerance));
        Some(&all.find(|tolerance| tolerance.when.matches(cell, weights))?.class)
    }

    /// The cell's backend is switched off from outside, to see that the engine says so.
    pub fn is_without_backend(&self, cell: &CellId) -> bool {
        match self.launches.get(&cell.scenario) {
            Some(Launch::WithoutBackend) => true,
            Some(Launch::Default | Launch::CrashableGpu) | None => false,
        }
    }

    /// What is done with the hybrid client in a cell; `None` where the engine is alone.
    pub fn client(&self, cell: &CellId) -> Option<&ClientScenario> {
        self.clients.get(&cell.scenario)
    }

    /// What a cell's browser is launched with.
    pub fn profile(&self, cell: &CellId, is_headed: bool) -> LaunchProfile {
        let by_fault = self.client(cell).and_then(|client| client.variant(cell.browser));
        let by_launch = match self.launches.get(&cell.scenario) {
            Some(Launch::WithoutBackend) => Variant::without(cell.backend),
            Some(Launch::CrashableGpu) => Some(Variant::CrashableGpu),
            Some(Launch::Default) | None => None,
        };
        LaunchProfile {
            variant: by_fault.or(by_launch).unwrap_or_default(),
            gpu: self.gpu,
            ..LaunchProfile::new(cell.browser, is_headed)
        }
    }

    /// The first known failure that a cell falls under.
    pub fn known_failure(&self, cell: &CellId) -> Option<&KnownFailure> {
        self.known_failures.iter().find(|known| known.when.matches(cell, self.weights(cell)))
    }

    /// Why a cell is left out.
    pub fn excluded(&self, cell: &CellId) -> Option<&Exclude> {
        self.excludes.iter().find(|exclude| exclude.when.matches(cell, self.weights(cell)))
    }
}

/// What the names of a matrix are looked up in.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// Scenarios and prompt sets.
    pub fixtures: &'a Fixtures,
    /// The catalogue.
    pub models: &'a [ModelFacts],
    /// The date that known failures and relaxations expire against.
    pub today: Date,
    /// Classes that hold where the matrix has none of its own.
    pub tolerances: &'a [Tolerance],
}
