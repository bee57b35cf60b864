//! The matrix: what is to be run, under which limits, judged by which tolerances.
//!
//! A TOML file becomes a `MatrixSpec` as written and a [`Matrix`] as resolved: every name is
//! looked up, every glob expanded, and everything that is wrong is reported at once. What of it
//! can run on this machine is decided by [`crate::plan::expectation`], which cells it makes by
//! [`crate::plan`].

mod coverage;
mod engines;
mod expand;
mod floors;
mod pattern;
mod read;
mod resolve;
mod schema;
mod spec;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use inference_wasm::protocol::{BackendName, Phase};
use jiff::civil::Date;

use crate::spec::adapter::AdapterDemand;
use crate::spec::bundle::BundleChoice;
use crate::spec::cell::{BrowserName, CellId};
use crate::spec::document::{self, InvalidConfiguration, InvalidDocument};
use crate::spec::launch::{Gpu, LaunchProfile, Variant};
use crate::spec::scenario::{ClientScenario, Fixtures, Launch};
use crate::spec::tolerance::ToleranceClass;

pub use engines::EngineFacts;
pub use expand::{Excluded, Expansion, expand};
pub use floors::{Axis, Floors};
pub(crate) use pattern::Pattern;
pub use pattern::When;
pub use schema::schema;

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
    /// The engines, by name.
    pub engines: BTreeMap<String, EngineFacts>,
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
    /// Where the classes that matrices share are, under the workspace root.
    const SHARED: &str = "fixtures/tolerances.toml";

    /// It holds on every adapter; the others are relaxations.
    fn is_general(&self) -> bool {
        self.when.adapters.is_empty()
    }

    /// The classes that matrices share; none where the file is not there.
    fn shared(root: &Path, known: &Known<'_>) -> Result<Vec<Self>, InvalidDocument> {
        match fs_err::read_to_string(root.join(Self::SHARED)) {
            Ok(text) => Self::parse(Self::SHARED, &text, known),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(InvalidDocument::unreadable(Self::SHARED, &error)),
        }
    }

    /// Reads and resolves a file of classes; `name` is for messages.
    fn parse(name: &str, text: &str, known: &Known<'_>) -> Result<Vec<Self>, InvalidDocument> {
        document::read(name, text, |table, problems| {
            let written = table.tables("tolerance", read::tolerance);
            Some(resolve::tolerances(&written, known, problems))
        })
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

/// How long each phase of an attempt may take.
///
/// The defaults are for a slow machine of a CI that renders in software and shares its cores; a
/// limit is there to end what hangs, not to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// The driver is started and has opened a session.
    pub launch: Duration,
    /// The page's worker has said that it is ready.
    pub ready: Duration,
    /// The browser's capabilities are read.
    pub probe: Duration,
    /// Every shard has come.
    pub fetch: Duration,
    /// The model can run.
    pub prepare: Duration,
    /// A prompt is worked through.
    pub prefill: Duration,
    /// A generation has ended.
    pub decode: Duration,
    /// Given tokens are scored.
    pub score: Duration,
    /// The op suite is through on one backend.
    pub ops: Duration,
    /// A model is dropped.
    pub release: Duration,
    /// The longest time without any sign of life.
    pub silence: Duration,
    /// A whole attempt.
    pub attempt: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            launch: seconds(60),
            ready: seconds(60),
            probe: seconds(60),
            fetch: seconds(120),
            prepare: seconds(120),
            prefill: seconds(120),
            decode: seconds(300),
            score: seconds(300),
            ops: seconds(300),
            release: seconds(30),
            silence: seconds(30),
            attempt: seconds(900),
        }
    }
}

impl Timeouts {
    /// The limit of a phase of a command.
    pub fn of(&self, phase: Phase) -> Duration {
        match phase {
            Phase::Probe => self.probe,
            Phase::Fetch => self.fetch,
            Phase::Prepare => self.prepare,
            Phase::Prefill => self.prefill,
            Phase::Decode => self.decode,
            Phase::Score => self.score,
            Phase::Ops => self.ops,
            Phase::Release => self.release,
        }
    }
}

impl Matrix {
    /// Reads and resolves the matrix at `path`, with the fixtures under `root`. `today` decides
    /// which known failures are past their date.
    ///
    /// # Errors
    /// Everything that is wrong with the matrix and with the fixtures, at once.
    pub fn load(
        path: &Path,
        root: &Path,
        models: &[ModelFacts],
        engines: &[EngineFacts],
        today: Date,
    ) -> Result<(Self, Fixtures), InvalidConfiguration> {
        let name = path.display().to_string();
        let (fixtures, mut invalid) = Fixtures::load(root);
        let known = Known { fixtures: &fixtures, models, engines, today, tolerances: &[] };
        let tolerances = Tolerance::shared(root, &known).unwrap_or_else(|error| {
            invalid.push(error);
            Vec::new()
        });
        let known = Known { tolerances: &tolerances, ..known };
        let matrix = match fs_err::read_to_string(path) {
            // Without the classes of the file, every cell would lack one.
            Ok(_) if tolerances.is_empty() && !invalid.is_empty() => {
                return Err(InvalidConfiguration::new(invalid));
            }
            Ok(text) => Self::parse(&name, &text, &known),
            Err(error) => Err(InvalidDocument::unreadable(&name, &error)),
        };
        match matrix {
            Ok(matrix) if invalid.is_empty() => Ok((matrix, fixtures)),
            Ok(_) => Err(InvalidConfiguration::new(invalid)),
            Err(error) => {
                invalid.insert(0, error);
                Err(InvalidConfiguration::new(invalid))
            }
        }
    }

    /// Reads and resolves the text of a matrix; `name` is for messages.
    ///
    /// # Errors
    /// Everything that is wrong with it, with places.
    pub fn parse(name: &str, text: &str, known: &Known<'_>) -> Result<Self, InvalidDocument> {
        document::read(name, text, |table, problems| {
            let spec = read::matrix(table);
            let (matrix, origins) = resolve::matrix(name, &spec, known, problems);
            // With an axis half resolved, every check of the whole would tell of phantoms.
            if problems.is_empty() {
                coverage::check(&matrix, &origins, known.fixtures, problems);
            }
            Some(matrix)
        })
    }

    /// The type of a model's weights, empty for a model that is not in the catalogue.
    fn weights(&self, cell: &CellId) -> &str {
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
    /// The engines.
    pub engines: &'a [EngineFacts],
    /// The date that known failures and relaxations expire against.
    pub today: Date,
    /// Classes that hold where the matrix has none of its own.
    pub tolerances: &'a [Tolerance],
}
