//! The matrix as resolved: every name is known, every default filled in.

use std::collections::BTreeMap;

use inference_wasm::protocol::BackendName;
use jiff::civil::Date;

use super::engines::EngineFacts;
use super::floors::Floors;
use super::pattern::When;
use super::timeouts::Timeouts;
use crate::spec::adapter::AdapterDemand;
use crate::spec::bundle::BundleChoice;
use crate::spec::cell::{BrowserName, CellId};
use crate::spec::launch::{Gpu, LaunchProfile, Variant};
use crate::spec::scenario::{ClientScenario, Fixtures, Launch};
use crate::spec::tolerance::ToleranceClass;

/// The facts about a model of the catalogue that a matrix needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFacts {
    /// Its name in the catalogue.
    pub name: String,
    /// The type of its weight matrices, by the name that GGUF gives it: `Q8_0`.
    pub weights: String,
    /// Its prompt set.
    pub prompts: String,
    /// Whether its file is on this machine.
    pub is_present: bool,
}

/// A resolved matrix.
#[derive(Debug, Clone)]
pub struct Matrix {
    /// Its file, for reports.
    pub name: String,
    /// The product, then the includes. A cell may occur in several of them.
    pub blocks: Vec<Block>,
    /// The cells that are left out.
    pub excludes: Vec<Exclude>,
    /// The number of cells that must have run.
    pub floors: Floors,
    /// The time limits.
    pub timeouts: Timeouts,
    /// How often a cell is retried after infrastructure trouble.
    pub retries: u32,
    /// The number of browsers that run at a time.
    pub jobs: u32,
    /// The bundle that pages load, and its number of threads.
    pub bundle: BundleChoice,
    /// The GPU that browsers are launched for.
    pub gpu: Gpu,
    /// The adapter that the GPU tiers must compute on.
    pub adapter: AdapterDemand,
    /// In order, the matrix's own before the shared ones. The first that matches a cell applies.
    pub tolerances: Vec<Tolerance>,
    /// Defects that are known and reported.
    pub known_failures: Vec<KnownFailure>,
    /// The models of the catalogue, by name.
    pub models: BTreeMap<String, ModelFacts>,
    /// The engines, by name.
    pub engines: BTreeMap<String, EngineFacts>,
    /// Price of 1000 tokens of the server tier, in the operator's currency; `None` if it is unknown.
    pub server_cost_per_1k_tokens: Option<f64>,
    /// The launches of the scenarios' browsers, by the scenario's name.
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
    /// The cells.
    pub when: When,
    /// The reason.
    pub reason: String,
}

/// A tolerance class and the cells that it applies to.
#[derive(Debug, Clone)]
pub struct Tolerance {
    /// The cells.
    pub when: When,
    /// The limits.
    pub class: ToleranceClass,
    /// The origin of the limits.
    pub reason: String,
}

impl Tolerance {
    /// Whether it applies to every adapter; otherwise it is a relaxation.
    fn is_general(&self) -> bool {
        self.when.adapters.is_empty()
    }
}

/// A defect that is known and reported.
#[derive(Debug, Clone)]
pub struct KnownFailure {
    /// The cells that fail.
    pub when: When,
    /// The defect.
    pub reason: String,
    /// The address of its report.
    pub link: String,
    /// The last day on which it is accepted.
    pub expires: Date,
}

impl Matrix {
    /// The type of a model's weights, empty for a model that is not in the catalogue.
    pub(super) fn weights(&self, cell: &CellId) -> &str {
        self.models.get(&cell.model).map_or("", |model| model.weights.as_str())
    }

    /// The tolerance class of a cell on any adapter. Every cell of the plan that can run has one.
    pub fn tolerance(&self, cell: &CellId) -> Option<&ToleranceClass> {
        self.class(cell, Tolerance::is_general)
    }

    /// The relaxed class of a cell on an adapter, if there is one.
    pub fn relaxation(&self, cell: &CellId, adapter: &str) -> Option<&ToleranceClass> {
        self.class(cell, |tolerance| tolerance.when.names_adapter(adapter))
    }

    /// The first tolerance that matches a cell.
    fn class(
        &self,
        cell: &CellId,
        is_candidate: impl Fn(&Tolerance) -> bool,
    ) -> Option<&ToleranceClass> {
        let weights = self.weights(cell);
        let mut all = self.tolerances.iter().filter(|tolerance| is_candidate(tolerance));
        Some(&all.find(|tolerance| tolerance.when.matches(cell, weights))?.class)
    }

    /// Whether the cell's backend is switched off from outside, so that the engine must report it.
    pub fn is_without_backend(&self, cell: &CellId) -> bool {
        match self.launches.get(&cell.scenario) {
            Some(Launch::WithoutBackend) => true,
            Some(Launch::Default | Launch::CrashableGpu) | None => false,
        }
    }

    /// The client's scenario in a cell; `None` for a scenario of the engine alone.
    pub fn client(&self, cell: &CellId) -> Option<&ClientScenario> {
        self.clients.get(&cell.scenario)
    }

    /// The launch profile of a cell's browser.
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

    /// The first known failure that matches a cell.
    pub fn known_failure(&self, cell: &CellId) -> Option<&KnownFailure> {
        self.known_failures.iter().find(|known| known.when.matches(cell, self.weights(cell)))
    }

    /// The exclude that leaves a cell out, if any.
    pub fn excluded(&self, cell: &CellId) -> Option<&Exclude> {
        self.excludes.iter().find(|exclude| exclude.when.matches(cell, self.weights(cell)))
    }
}

/// The known names that a matrix may use.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// Scenarios and prompt sets.
    pub fixtures: &'a Fixtures,
    /// The catalogue.
    pub models: &'a [ModelFacts],
    /// The registry of engines.
    pub engines: &'a [EngineFacts],
    /// Today's date, for the expiry of known failures and relaxations.
    pub today: Date,
    /// Classes that apply where the matrix has none of its own.
    pub tolerances: &'a [Tolerance],
}
