//! The door of the library: a project on this machine, and runs of its matrices.
//!
//! [`Lab::open`] looks at a checkout and at the browsers and models that are installed.
//! [`Lab::matrix`] reads a matrix, [`Lab::plan`] decides what is expected of each cell,
//! [`Lab::prepare`] reads goldens and builds bundles, and [`PreparedRun::start`] runs the cells and
//! passes every event to a callback. Nothing here parses arguments or prints.

mod bundles;
mod error;
mod goldens;
mod inventory;
mod prepared;
mod project;
mod session;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use inference_wasm::protocol::BundleName;

use crate::drive::browser::supervise;
use crate::plan::expectation::Facts;
use crate::plan::{Sources, resolve};
use crate::spec::bundle::BundleChoice;

pub use crate::drive::browser::Overrides;
pub use crate::judge::outcome::{Disposition, Outcome, Verdict};
pub use crate::plan::{Filter, Plan, PlannedCell};
pub use crate::run::event::{RunEvent, RunEventKind};
pub use crate::run::exit::Exit;
pub use crate::spec::cell::CellId;
pub use error::LabError;
use inventory::Inventory;
pub use inventory::ResolvedMatrix;
pub use prepared::{Finished, Options, PreparedRun};
pub use project::Project;
pub(crate) use session::Session;

/// Supervises a driver, if this process was started for that; `None` in every other process.
///
/// A driver runs under a supervisor, which is the current executable started again. So call this
/// first in `main`, and return the exit code if there is one.
pub fn supervise_if_asked() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let is_supervisor = arguments.next().is_some_and(|word| word == supervise::SUBCOMMAND);
    is_supervisor.then(|| supervise::supervise(arguments))
}

/// A project, and what is installed on this machine for it.
#[derive(Debug)]
pub struct Lab {
    project: Project,
    inventory: Inventory,
    given_bundle: Option<PathBuf>,
}

impl Lab {
    /// Looks for browsers, drivers and models.
    ///
    /// # Errors
    /// The catalogue of models can't be read.
    pub fn open(project: Project) -> Result<Self, LabError> {
        Self::with_drivers(project, Overrides::default())
    }

    /// The same, with some drivers given by path.
    ///
    /// # Errors
    /// The catalogue of models can't be read.
    pub fn with_drivers(project: Project, drivers: Overrides) -> Result<Self, LabError> {
        let inventory = Inventory::look(&project, drivers)?;
        Ok(Self { project, inventory, given_bundle: None })
    }

    /// Serves this folder of bundles instead of building one.
    #[must_use]
    pub fn serving(self, bundle: Option<PathBuf>) -> Self {
        Self { given_bundle: bundle, ..self }
    }

    /// The facts about this machine that dispositions depend on.
    pub fn facts(&self) -> &Facts {
        &self.inventory.facts
    }

    /// Reads a matrix with its fixtures; a relative path may also start at the project's root.
    ///
    /// # Errors
    /// Everything that is wrong with the matrix and the fixtures, at once.
    pub fn matrix(&self, path: impl AsRef<Path>) -> Result<ResolvedMatrix, LabError> {
        self.inventory.matrix(&self.project, path.as_ref())
    }

    /// Expands a matrix, keeps the cells that match every filter, and decides what is expected of
    /// each on this machine.
    ///
    /// # Errors
    /// No cell is left.
    pub fn plan(&self, resolved: &ResolvedMatrix, filters: &[Filter]) -> Result<Plan, LabError> {
        Ok(Plan::new(&resolved.matrix, filters, self.facts())?)
    }

    /// Reads the goldens that a plan needs and builds the bundles that its pages load. `progress`
    /// gets the lines of the build.
    ///
    /// # Errors
    /// A golden that can't be used, or a bundle that can't be built.
    pub fn prepare<'a>(
        &'a self,
        resolved: &'a ResolvedMatrix,
        plan: &'a Plan,
        options: Options,
        progress: &mut dyn FnMut(&str),
    ) -> Result<PreparedRun<'a>, LabError> {
        let ResolvedMatrix { matrix, fixtures } = resolved;
        let goldens = self.project.goldens();
        let models = self.inventory.model_files();
        let sources = Sources {
            matrix,
            fixtures,
            models: &models,
            goldens: &goldens,
            is_headed: options.is_headed,
        };
        let cells = resolve(plan, &sources)?;
        let bundles = bundles::needed(plan, matrix);
        let bundle = if bundles.is_empty() {
            None
        } else {
            Some(self.build(bundles, options.mutant.is_some(), progress)?)
        };
        let traces = self.project.traces();
        let traces = if options.records_traces { traces.recording() } else { traces };
        let drivers = &self.inventory.drivers;
        Ok(PreparedRun { matrix, plan, cells, drivers, bundle, traces, options })
    }

    /// The folder of bundles that pages load, built if need be.
    pub(crate) fn bundle(
        &self,
        choice: BundleChoice,
        has_mutants: bool,
        progress: &mut dyn FnMut(&str),
    ) -> Result<PathBuf, LabError> {
        self.build(choice.built(), has_mutants, progress)
    }

    fn build(
        &self,
        bundles: Vec<BundleName>,
        has_mutants: bool,
        progress: &mut dyn FnMut(&str),
    ) -> Result<PathBuf, LabError> {
        match &self.given_bundle {
            Some(folder) => Ok(folder.clone()),
            None => bundles::build(self.project.root(), bundles, has_mutants, progress),
        }
    }

    /// Starts a server and a launcher for work without a plan. The drivers' logs go below `out`.
    pub(crate) async fn session(
        &self,
        bundle: Option<PathBuf>,
        out: &Path,
        launch_timeout: Duration,
    ) -> Result<Session, LabError> {
        Session::start(&self.inventory.drivers, bundle, out, launch_timeout).await
    }
}
