//! Cells with everything that their attempts need, looked up once.
//!
//! All missing or stale inputs are reported together, before anything is launched.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::PathBuf;
use std::sync::Arc;

use inference_wasm::protocol::{BackendName, CapabilityReport};

use super::Plan;
use super::expectation::{Launched, unsupported_by_probe};
use crate::judge::golden::{CaseRequest, Golden, GoldenError, Goldens, LogitsGolden};
use crate::spec::adapter::AdapterDemand;
use crate::spec::bundle::BundleChoice;
use crate::spec::cell::CellId;
use crate::spec::launch::LaunchProfile;
use crate::spec::matrix::{Matrix, Timeouts, Tolerance};
use crate::spec::scenario::{ClientScenario, Fixtures, Launch, PromptSet, Scenario};
use crate::spec::tolerance::ToleranceClass;

/// A model's file on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFile {
    /// Its path.
    pub path: PathBuf,
    /// SHA-256 of the whole file as the catalogue pins it, in hex.
    pub sha256: String,
}

/// A golden with its rows of logits, if it has them.
#[derive(Debug)]
pub(crate) struct LoadedGolden {
    /// The golden.
    pub(crate) golden: Golden,
    /// The rows.
    pub(crate) logits: Option<LogitsGolden>,
}

/// A cell that can run, with everything that an attempt at it needs.
#[derive(Debug, Clone)]
pub struct ResolvedCell<'a> {
    /// The cell.
    pub id: CellId,
    /// What to do.
    pub(crate) scenario: &'a Scenario,
    /// The model's file.
    pub(crate) model: ModelFile,
    /// The expected answers; `None` for a scenario without cases.
    pub(crate) golden: Option<Arc<LoadedGolden>>,
    /// How far answers may be off.
    pub(crate) tolerances: Tolerances<'a>,
    /// What the browser is launched with.
    pub(crate) profile: LaunchProfile,
    /// The bundle that pages load.
    pub(crate) bundle: BundleChoice,
    /// The adapter that the GPU tiers must have used.
    pub(crate) adapter: AdapterDemand,
    /// Deadlines.
    pub(crate) timeouts: Timeouts,
}

impl ResolvedCell<'_> {
    /// The scenario of the hybrid client; `None` where the engine is tested alone.
    pub(crate) fn client(&self) -> Option<&ClientScenario> {
        self.scenario.client.as_deref()
    }

    /// The backend is switched off from outside, so that the engine has to report it as missing.
    pub(crate) fn is_without_backend(&self) -> bool {
        match self.scenario.launch {
            Launch::WithoutBackend => true,
            Launch::Default | Launch::CrashableGpu => false,
        }
    }

    /// Why the cell can't run in its browser, now that the browser was probed.
    pub(crate) fn unsupported_by(&self, report: &CapabilityReport) -> Option<String> {
        let launched = Launched {
            backend: self.id.backend,
            is_without_backend: self.is_without_backend(),
            client: self.client(),
            bundle: self.bundle,
        };
        unsupported_by_probe(launched, Some(report))
    }
}

/// How far answers of a cell may be off, by the backend and the adapter that they come from.
#[derive(Debug, Clone)]
pub(crate) struct Tolerances<'a> {
    /// The class of the cell's own backend on any adapter.
    own: &'a ToleranceClass,
    /// By backend, the class on any adapter and all classes in order, relaxations among them.
    backends: Vec<(BackendName, Option<&'a ToleranceClass>, Vec<&'a Tolerance>)>,
}

impl<'a> Tolerances<'a> {
    /// `None` where the matrix has no class for the cell.
    fn of(cell: &CellId, matrix: &'a Matrix) -> Option<Self> {
        let weights = matrix.models.get(&cell.model).map_or("", |model| model.weights.as_str());
        let backends = BackendName::ALL.into_iter().map(|backend| {
            let cell = CellId { backend, ..cell.clone() };
            let all = matrix.tolerances.iter();
            let matching = all.filter(|tolerance| tolerance.when.matches(&cell, weights));
            (backend, matrix.tolerance(&cell), matching.collect())
        });
        Some(Self { own: matrix.tolerance(cell)?, backends: backends.collect() })
    }

    /// The class for an answer of a backend, relaxed for its adapter if the matrix says so. A
    /// backend without a class of its own has that of the cell.
    pub(crate) fn of_answer(
        &self,
        backend: BackendName,
        adapter: Option<&str>,
    ) -> &'a ToleranceClass {
        let found = self.backends.iter().find(|(name, ..)| *name == backend);
        let Some((_, general, all)) = found else { return self.own };
        let relaxed = adapter
            .and_then(|adapter| all.iter().find(|tolerance| tolerance.when.names_adapter(adapter)));
        relaxed.map(|tolerance| &tolerance.class).or(*general).unwrap_or(self.own)
    }
}

/// Where cells are looked up.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// The matrix that the plan was made from.
    pub matrix: &'a Matrix,
    /// Scenarios and prompts.
    pub fixtures: &'a Fixtures,
    /// The files of the models on this machine, by name.
    pub models: &'a BTreeMap<String, ModelFile>,
    /// The expected answers.
    pub goldens: &'a Goldens,
    /// Browsers have windows.
    pub is_headed: bool,
}

/// Inputs that a plan needs and that can't be used.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("{} of the inputs that this run needs can't be used", errors.len())]
pub struct UnusableInputs {
    /// Each with its own hint.
    #[related]
    errors: Vec<UnusableInput>,
}

/// An input that can't be used.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub(crate) enum UnusableInput {
    /// A golden is missing, stale or broken.
    #[error(transparent)]
    Golden(GoldenError),
    /// A name of a cell stands for nothing.
    #[error("cell `{cell}` can't run: its {what} does not exist")]
    Missing {
        /// The cell.
        cell: CellId,
        /// What does not exist: scenario, model file, tolerance class.
        what: &'static str,
    },
}

/// Looks up everything that the runnable cells of a plan need, in the order of the plan.
///
/// # Errors
/// Every golden that is missing, stale or broken, and every cell that is not fully described.
pub fn resolve<'a>(
    plan: &Plan,
    sources: &Sources<'a>,
) -> Result<Vec<ResolvedCell<'a>>, UnusableInputs> {
    let mut resolver = Resolver { sources, goldens: BTreeMap::new(), errors: Vec::new() };
    let cells = plan.runnable().filter_map(|planned| resolver.cell(&planned.cell)).collect();
    let errors = resolver.errors;
    if errors.is_empty() { Ok(cells) } else { Err(UnusableInputs { errors }) }
}

struct Resolver<'s, 'a> {
    sources: &'s Sources<'a>,
    /// By model and golden key; `None` for one that can't be used, so that it is reported once.
    goldens: BTreeMap<(String, String), Option<Arc<LoadedGolden>>>,
    errors: Vec<UnusableInput>,
}

impl<'a> Resolver<'_, 'a> {
    /// `None` after an error was recorded.
    fn cell(&mut self, id: &CellId) -> Option<ResolvedCell<'a>> {
        let Sources { matrix, fixtures, models, is_headed, .. } = *self.sources;
        let scenario = fixtures.scenarios.get(&id.scenario);
        let scenario = self.found(scenario, id, "scenario")?;
        let model = self.found(models.get(&id.model).cloned(), id, "model file")?;
        let tolerances = self.found(Tolerances::of(id, matrix), id, "tolerance class")?;
        let golden = if scenario.needs_golden() {
            Some(self.golden(&id.model, scenario, &model.sha256)?)
        } else {
            None
        };
        Some(ResolvedCell {
            id: id.clone(),
            scenario,
            model,
            golden,
            tolerances,
            profile: matrix.profile(id, is_headed),
            bundle: matrix.bundle,
            adapter: matrix.adapter,
            timeouts: matrix.timeouts,
        })
    }

    fn found<T>(&mut self, found: Option<T>, id: &CellId, what: &'static str) -> Option<T> {
        if found.is_none() {
            self.errors.push(UnusableInput::Missing { cell: id.clone(), what });
        }
        found
    }

    fn golden(
        &mut self,
        model: &str,
        scenario: &Scenario,
        sha256: &str,
    ) -> Option<Arc<LoadedGolden>> {
        let key = (model.to_owned(), scenario.golden_key().to_owned());
        match self.goldens.entry(key) {
            Entry::Occupied(known) => known.get().clone(),
            Entry::Vacant(free) => {
                let (model, golden_key) = free.key();
                let loaded = load(self.sources, (model, golden_key), sha256);
                let loaded = match loaded {
                    Ok(golden) => Some(Arc::new(golden)),
                    Err(error) => {
                        self.errors.push(UnusableInput::Golden(error));
                        None
                    }
                };
                free.insert(loaded).clone()
            }
        }
    }
}

fn load(
    sources: &Sources<'_>,
    (model, golden_key): (&str, &str),
    sha256: &str,
) -> Result<LoadedGolden, GoldenError> {
    let facts = sources.matrix.models.get(model);
    let set = facts.and_then(|facts| sources.fixtures.prompts.get(&facts.prompts));
    let cases = set.map(|set| requests(set, golden_key)).unwrap_or_default();
    let golden = sources.goldens.load_fresh((model, golden_key), sha256, &cases)?;
    let logits = sources.goldens.logits(&golden)?;
    Ok(LoadedGolden { golden, logits })
}

/// What a prompt set asks under a golden key.
pub fn requests(set: &PromptSet, golden_key: &str) -> Vec<CaseRequest> {
    set.cases_of(golden_key)
        .map(|case| CaseRequest {
            id: case.id.clone(),
            messages: case.messages.clone(),
            max_tokens: case.max_tokens,
        })
        .collect()
}
