//! A run whose goldens are read and whose bundles are built.

use std::path::PathBuf;

use super::{LabError, Overrides, Session};
use crate::judge::golden::Traces;
use crate::judge::outcome::Verdict;
use crate::plan::{Plan, ResolvedCell};
use crate::run::event::{RunEvent, RunEventKind};
use crate::run::exit::Exit;
use crate::run::{self, Mutant};
use crate::spec::cell::CellId;
use crate::spec::matrix::Matrix;

/// How a plan is run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder of the drivers' logs.
    pub out: PathBuf,
    /// How many browsers run at a time; `None` for the matrix's number.
    pub jobs: Option<u32>,
    /// Whether browsers have windows.
    pub is_headed: bool,
    /// A mutant to build into the engine or the hybrid client.
    pub mutant: Option<Mutant>,
    /// Whether traces that differ from their goldens are written beside them, for review.
    pub records_traces: bool,
}

impl Default for Options {
    /// Headless, with logs in `report/`.
    fn default() -> Self {
        let out = PathBuf::from("report");
        Self { out, jobs: None, is_headed: false, mutant: None, records_traces: false }
    }
}

/// A run that can start.
#[derive(Debug)]
pub struct PreparedRun<'a> {
    pub(super) matrix: &'a Matrix,
    pub(super) plan: &'a Plan,
    pub(super) cells: Vec<ResolvedCell<'a>>,
    pub(super) drivers: &'a Overrides,
    pub(super) bundle: Option<PathBuf>,
    pub(super) traces: Traces,
    pub(super) options: Options,
}

/// The end of a run.
#[derive(Debug)]
pub struct Finished {
    /// How the command ends.
    pub exit: Exit,
    /// Every planned cell, in the order in which they were settled.
    pub verdicts: Vec<(CellId, Verdict)>,
}

impl PreparedRun<'_> {
    /// Runs every cell and passes each event to `sink`, in order. When `interrupt` resolves,
    /// browsers are closed and open cells are settled as not run.
    ///
    /// # Errors
    /// The server or the supervisor of the drivers can't be started. Trouble of a cell is an
    /// outcome, not an error.
    pub async fn start(
        &self,
        interrupt: impl Future<Output = ()>,
        sink: &mut dyn FnMut(&RunEvent),
    ) -> Result<Finished, LabError> {
        let Self { matrix, plan, cells, drivers, bundle, traces, options } = self;
        let launch_timeout = matrix.timeouts.launch;
        let session = Session::start(drivers, bundle.clone(), &options.out, launch_timeout).await?;
        let run = run::Run {
            matrix,
            plan,
            cells,
            server: &session.server,
            launcher: &session.launcher,
            jobs: options.jobs.unwrap_or(matrix.jobs) as usize,
            mutant: options.mutant,
            traces,
        };
        let mut verdicts = Vec::new();
        let mut noting = |event: &RunEvent| {
            if let RunEventKind::CellFinished { cell, verdict, .. } = &event.kind {
                verdicts.push((cell.clone(), verdict.clone()));
            }
            sink(event);
        };
        let exit = run::run(&run, interrupt, &mut noting).await;
        session.shutdown().await;
        Ok(Finished { exit, verdicts })
    }
}
